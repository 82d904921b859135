import { MapClient } from '../maps/map-client.ts';
import type { JobLocation } from '../pool/client.ts';
import { shardIndex } from '../pool/hash.ts';
import { jobKeyForm } from '../pool/job-key.ts';
import { Placement } from '../pool/placement.ts';
import { parseRoutes, ROUTES_MAP } from '../pool/route-map.ts';
import { RouteTable } from '../pool/routes.ts';
import type { RedisLink } from '../redis/link.ts';
import { requirePool } from './pool-reading.ts';

/**
 * Where the job of a key is, or where it would go by the members and routes of now. As `PoolClient.where`, but only reads.
 * @throws NotFoundError when there is no such pool; ArgumentError, TooLargeError on a bad key.
 */
export async function locateJob(link: RedisLink, pool: string, key: string): Promise<JobLocation> {
  const { bytes, hash } = jobKeyForm(key);
  const [{ members, shardCount }, routes] = await Promise.all([requirePool(link, pool), readRoutes(link, pool)]);
  const { job } = link.keys.pool(pool, shardIndex(hash, shardCount));
  const record = await link.commands.call('HMGET', job(bytes), 'state', 'worker', 'group');
  const [state, worker, recordedGroup] = record as (Buffer | null)[];
  const group = state ? String(recordedGroup) : routes.groupOf(key);
  const seats = members
    .filter(member => member.state !== 'STALE')
    .map(({ id, state, info }) => ({ ...info, id, draining: state === 'DRAINING', owned: 0, proven: true }));
  const preferred = new Placement(seats).pick(hash, group)?.id ?? null;
  const owner = worker && worker.length > 0 ? String(worker) : preferred;
  return { worker: owner, preferred, group, recorded: Boolean(state) };
}

/** The routes of now. */
export async function readRoutes(link: RedisLink, pool: string): Promise<RouteTable> {
  const map = await MapClient.open(link, ROUTES_MAP);
  try {
    return new RouteTable(parseRoutes(await map.getFresh(pool)));
  } finally {
    await map.close();
  }
}
