/** Ends everything a pool does, in good order: no new jobs, then none at all. The pool itself and its workers stay. */

import { newId } from '../core/ids.ts';
import { checkName } from '../core/names.ts';
import { listJobKeys, listJobs } from '../inspect/jobs.ts';
import type { JobSnapshot } from '../inspect/snapshots.ts';
import { Shard } from '../pool/shard.ts';
import type { RedisLink } from '../redis/link.ts';
import { actInBatches } from './batches.ts';
import { lookUntil, type WaitForOptions } from './fleet.ts';

/** Refuses new jobs from here on; those that are there go on. Legal more than once. @throws NotFoundError */
export async function closePool(link: RedisLink, pool: string): Promise<void> {
  for (const shard of await Shard.findAll(link, checkName('pool', pool))) await shard.gate(false);
}

/** Admits jobs again. Legal more than once. @throws NotFoundError */
export async function openPool(link: RedisLink, pool: string): Promise<void> {
  for (const shard of await Shard.findAll(link, checkName('pool', pool))) await shard.gate(true);
}

/**
 * Closes the pool and stops every job: one that waits is gone at once, the worker of another is told and the request
 * survives its crash. Gives what had not stopped when the time was over; it still will.
 * @throws NotFoundError
 */
export async function shutDownPool(
  link: RedisLink,
  pool: string,
  { timeoutMs, onProgress }: WaitForOptions<number>,
): Promise<JobSnapshot[]> {
  await closePool(link, pool);
  const asked = new Set<string>();
  const look = async () => {
    const keys = (await listJobKeys(link, pool)).map(({ key }) => key);
    // Some may come late: dispatched just before, or on their way from one place to another.
    const others = keys.filter(key => !asked.has(key));
    await stopJobs(link, pool, others);
    for (const key of others) asked.add(key);
    return keys.length;
  };
  await lookUntil(link, { timeoutMs, onProgress }, look, count => count === 0);
  return listJobs(link, pool);
}

async function stopJobs(link: RedisLink, pool: string, keys: readonly string[]): Promise<void> {
  const stopAll = (shard: Shard, batch: readonly { bytes: Uint8Array | string }[]) =>
    Promise.all(batch.map(({ bytes }) => shard.stop(newId(), bytes, '')));
  await actInBatches(
    link,
    pool,
    keys.map(key => ({ key })),
    stopAll,
    () => {},
  );
}
