/** What an operator does with jobs that failed at their last attempt. */
import type { RedisLink } from '../redis/link.ts';
import { actInBatches } from './batches.ts';

/**
 * Removes dead jobs for good, payloads included. `onPurged` is told of each: false when there was no such dead job.
 * @throws NotFoundError when there is no such pool; ArgumentError, TooLargeError on a bad key.
 */
export async function purgeJobs(
  link: RedisLink,
  pool: string,
  keys: readonly string[],
  onPurged: (key: string, purged: boolean) => void,
): Promise<void> {
  await actInBatches(
    link,
    pool,
    keys.map(key => ({ key })),
    async (shard, batch) => (await shard.purge(batch.map(({ bytes }) => bytes))).states.map(String),
    (batch, states) => {
      for (const [at, { key }] of batch.entries()) onPurged(key, states[at] === 'purged');
    },
  );
}
