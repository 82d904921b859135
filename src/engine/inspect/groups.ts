import type { RedisLink } from '../redis/link.ts';
import { readRoutes } from './place.ts';
import type { PoolReading } from './pool-reading.ts';
import type { GroupWait, PoolSnapshot } from './snapshots.ts';

/**
 * The worker groups of a pool that have a worker, or a job that waits, or a route, by name, and those of them in which jobs
 * wait for nobody. The pool remembers every group whose jobs ever waited. Costs nothing where each of these has a worker that
 * takes jobs: one that is draining takes no more.
 */
export async function readGroups(
  link: RedisLink,
  reading: PoolReading,
): Promise<Pick<PoolSnapshot, 'groups' | 'unserved'>> {
  const { members } = reading;
  const served = new Set(members.filter(({ state }) => state === 'ALIVE').map(({ info }) => info.group));
  const waits = await readWaits(
    link,
    reading,
    reading.groups.filter(group => !served.has(group)),
  );
  const used = new Set([...members.map(({ info }) => info.group), ...waits.map(({ group }) => group)]);
  const rest = new Set(reading.groups.filter(group => !used.has(group)));
  if (rest.size > 0) {
    for (const { group } of (await readRoutes(link, reading.name)).list()) if (rest.has(group)) used.add(group);
  }
  // Without any worker at all the pool as a whole says so.
  const isManned = members.some(({ state }) => state !== 'STALE');
  return { groups: [...used].sort(), unserved: isManned ? waits : [] };
}

/** Jobs in the queue of a group, in all shards. */
export async function countWaiting(link: RedisLink, pool: PoolReading, group: string): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: pool.shardCount }, (_, shard) =>
      link.commands.call('ZCARD', link.keys.pool(pool.name, shard).pending(group)),
    ),
  );
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}

/** Of these groups those in which jobs wait, by name. */
async function readWaits(link: RedisLink, reading: PoolReading, groups: readonly string[]): Promise<GroupWait[]> {
  if (reading.queuedCount === 0) return [];
  const waits = groups.map(async group => ({ group, waitingCount: await countWaiting(link, reading, group) }));
  return (await Promise.all(waits))
    .filter(({ waitingCount }) => waitingCount > 0)
    .sort((a, b) => (a.group < b.group ? -1 : 1));
}
