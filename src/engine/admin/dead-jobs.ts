/** What an operator does with jobs that failed at their last attempt. */
import { ConflictError, NotFoundError, PonosError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { readRoutes } from '../inspect/place.ts';
import { requireAdmitted } from '../pool/admission.ts';
import type { Shard } from '../pool/shard.ts';
import type { KeyBytes } from '../redis/keys.ts';
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

/**
 * Makes dead jobs wait again, with their payloads and all their attempts before them, in the groups that the routes say.
 * `onRetried` is told of each, with why it was not: NotFoundError, ExistsError when the key has another job by now,
 * FullError POOL_FULL, ConflictError POOL_CLOSED, or RECORD_BROKEN when it lacks what a job needs.
 * @throws NotFoundError when there is no such pool; ArgumentError, TooLargeError on a bad key.
 */
export async function retryJobs(
  link: RedisLink,
  pool: string,
  keys: readonly string[],
  onRetried: (key: string, error: PonosError | undefined) => void,
): Promise<void> {
  const routes = await readRoutes(link, pool);
  const retry = async (shard: Shard, { key, bytes }: { key: string; bytes: KeyBytes }) => {
    const id = newId();
    const reply = await shard.retry(id, bytes, routes.groupOf(key));
    if (reply.status === 'ABSENT') throw new NotFoundError('dead job', key);
    if (reply.status === 'BROKEN') {
      throw new ConflictError(`the record of dead job "${key}" is broken: without its payload or its terms`, {
        code: 'RECORD_BROKEN',
        hint: `"ponos job purge" removes it.`,
      });
    }
    requireAdmitted(pool, key, id, reply);
  };
  await actInBatches(
    link,
    pool,
    keys.map(key => ({ key })),
    (shard, batch) => Promise.allSettled(batch.map(job => retry(shard, job))),
    (batch, results) => {
      for (const [at, { key }] of batch.entries()) {
        const result = results[at];
        if (result?.status !== 'rejected') onRetried(key, undefined);
        else if (result.reason instanceof PonosError) onRetried(key, result.reason);
        else throw result.reason;
      }
    },
  );
}
