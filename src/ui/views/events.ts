import { cliCommand } from '../cli-command.ts';
import type { LedgerEntry } from '../model.ts';
import type { Role } from '../paint/theme.ts';
import { tableView } from '../table/table.ts';
import { formatTimeOfDay } from '../text/format.ts';
import type { Location } from '../view.ts';
import { emptyWhenRead } from './nodes.ts';

const BAD = new Set(['expired', 'failed', 'dead', 'broken', 'fenced', 'zombie']);

export const eventsView = tableView<LedgerEntry>({
  id: 'events',
  noun: 'event',
  crumb: at => `events(${at.pool || 'no pool'})`,
  rows: (snapshot, at) => {
    if (!at.pool) return emptyWhenRead(snapshot.pools);
    return snapshot.events?.pool === at.pool ? newestFirst(snapshot.events.rows) : null;
  },
  identity: entry => entry.id,
  empty: 'nothing happened yet',
  sort: null,
  columns: [
    { title: 'TIME', min: 8, ideal: 8, priority: 99, text: entry => formatTimeOfDay(entry.atMs) },
    {
      title: 'TYPE',
      min: 10,
      ideal: 11,
      priority: 95,
      text: entry => entry.type,
      role: entry => roleOf(entry.type),
    },
    {
      title: 'KEY',
      min: 12,
      ideal: 24,
      grow: 1,
      priority: 90,
      cut: 'middle',
      text: (entry, { glyphs }) => entry.key ?? glyphs.none,
    },
    {
      title: 'WORKER',
      min: 16,
      ideal: 18,
      grow: 0.5,
      priority: 80,
      cut: 'middle',
      text: (entry, { glyphs }) => entry.worker ?? glyphs.none,
    },
    {
      title: 'TOKEN',
      min: 8,
      ideal: 16,
      cut: 'start',
      priority: 40,
      align: 'right',
      text: entry => (entry.token === null ? '' : String(entry.token)),
    },
    { title: 'DETAIL', min: 10, ideal: 20, grow: 1, priority: 60, text: entry => entry.detail ?? '' },
  ],
  isProblem: entry => BAD.has(entry.type),
  item: (entry, _scene, at) => {
    const open = subjectOf(entry, at.pool ?? '');
    return {
      noun: 'event',
      name: entry.key ?? entry.worker ?? entry.id,
      ...(open ? { open } : {}),
      command: cliCommand('pool', 'events', [at.pool ?? '']),
      offers: [],
    };
  },
  command: at => cliCommand('pool', 'events', [at.pool ?? '']),
  focus: ({ at }) => (at.pool ? { view: 'events', pool: at.pool } : { view: 'overview' }),
});

function newestFirst(rows: readonly LedgerEntry[]): LedgerEntry[] {
  return [...rows].reverse();
}

function roleOf(type: string): Role {
  if (BAD.has(type)) return 'bad';
  return type === 'started' || type === 'joined' ? 'ok' : 'plain';
}

function subjectOf(entry: LedgerEntry, pool: string): Location | undefined {
  if (entry.key !== null) return { view: 'job', pool, key: entry.key };
  return entry.worker === null ? undefined : { view: 'jobs', pool, worker: entry.worker };
}
