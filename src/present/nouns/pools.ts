/** What pools, their routes and the entries of their ledger look like. */
import type { LedgerEntry, PoolSnapshot, Route } from '../../engine/index.ts';
import { ifSound, type Noun, stateColumn } from '../columns.ts';
import { formatTime } from '../human.ts';

export const poolNoun: Noun<PoolSnapshot> = {
  kind: 'Pool',
  columns: [
    { header: 'POOL', value: pool => pool.name },
    stateColumn(pool => pool.state),
    { header: 'NODES', value: pool => pool.nodeCount, text: ifSound(pool => String(pool.nodeCount)), align: 'right' },
    {
      header: 'WORKERS',
      value: pool => pool.workerCount,
      text: ifSound(pool => String(pool.workerCount)),
      align: 'right',
    },
    { header: 'JOBS', value: pool => pool.jobCount, text: ifSound(pool => String(pool.jobCount)), align: 'right' },
    {
      header: 'QUEUED',
      value: pool => pool.queuedCount,
      text: ifSound(pool => String(pool.queuedCount)),
      align: 'right',
    },
    { header: 'DEAD', value: pool => pool.deadCount, text: ifSound(pool => String(pool.deadCount)), align: 'right' },
    { header: 'SHARDS', value: pool => pool.shardCount, align: 'right', wide: true },
    { header: 'LIMIT', value: pool => pool.limit, align: 'right', wide: true },
    { header: 'EPOCH', value: pool => pool.epoch, align: 'right', wide: true },
    { header: 'GROUPS', value: pool => pool.groups.join(','), text: pool => pool.groups.join(', ') || '-', wide: true },
    { header: 'DISPATCHED', value: pool => pool.dispatchedTotal, align: 'right', wide: true },
    { header: 'STARTED', value: pool => pool.startedTotal, align: 'right', wide: true },
    { header: 'ENDED', value: pool => pool.endedTotal, align: 'right', wide: true },
    { header: 'FAILED', value: pool => pool.failedTotal, align: 'right', wide: true },
    { header: 'BROKEN', value: pool => pool.broken, wide: true },
  ],
};

/** A route with its place: the first one whose pattern matches a key decides. */
export interface PlacedRoute extends Route {
  place: number;
}

export const routeNoun: Noun<PlacedRoute> = {
  kind: 'Route',
  columns: [
    { header: 'PATTERN', value: route => route.glob },
    { header: 'GROUP', value: route => route.group },
    { header: 'PLACE', value: route => route.place, align: 'right' },
  ],
};

/** Something that happened in a pool; `type` says what, and a record of it starts with that. */
export const poolEventNoun: Noun<LedgerEntry> = {
  kind: 'PoolEvent',
  columns: [
    { header: 'ID', value: entry => entry.id, wide: true },
    { header: 'TIME', value: entry => formatTime(entry.atMs) },
    { header: 'EVENT', value: entry => entry.type },
    { header: 'KEY', value: entry => entry.key },
    { header: 'WORKER', value: entry => entry.worker },
    { header: 'TOKEN', value: entry => entry.token, align: 'right', wide: true },
    { header: 'DETAIL', value: entry => entry.detail, text: entry => entry.detail || '-' },
  ],
  line: entry =>
    [formatTime(entry.atMs), entry.type.padEnd(10), entry.key, entry.worker && `on ${entry.worker}`, entry.detail]
      .filter(Boolean)
      .join('  '),
};
