import type { RedisLink } from '../redis/link.ts';
import { readRoutes } from './place.ts';
import type { PoolReading } from './pool-reading.ts';

/**
 * The worker groups of a pool that have a worker, or a job that waits, or a route, by name. The pool remembers every group
 * whose jobs ever waited. Costs nothing where each of these has a worker.
 */
export async function groupsInUse(link: RedisLink, reading: PoolReading): Promise<string[]> {
  const used = new Set(reading.members.map(({ info }) => info.group));
  const unused = () => reading.groups.filter(group => !used.has(group));
  if (reading.queuedCount > 0) {
    const groups = unused();
    const counts = await Promise.all(groups.map(group => countWaiting(link, reading, group)));
    groups.forEach((group, at) => {
      if (counts[at]) used.add(group);
    });
  }
  const rest = new Set(unused());
  if (rest.size > 0) {
    for (const { group } of (await readRoutes(link, reading.name)).list()) if (rest.has(group)) used.add(group);
  }
  return [...used].sort();
}

async function countWaiting(link: RedisLink, { name, shardCount }: PoolReading, group: string): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: shardCount }, (_, shard) =>
      link.commands.call('ZCARD', link.keys.pool(name, shard).pending(group)),
    ),
  );
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}
