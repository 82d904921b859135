import { planRoutes } from '../inspect/route-plan.ts';
import type { RedisLink } from '../redis/link.ts';
import { actInBatches } from './batches.ts';

export interface RegroupProgress {
  /** Jobs whose group is another by the routes. */
  totalCount: number;
  /** Waited, and wait in their new group now. */
  queuedCount: number;
  /** Their workers have been told: services move at once, tasks when they are next released or tried again. */
  askedCount: number;
  /** Ended, were to stop, or had been given to that group meanwhile. */
  skippedCount: number;
}

export interface ApplyRoutesOptions {
  onProgress?: ((progress: RegroupProgress) => void) | undefined;
}

/**
 * Gives each job the group its key belongs to by the routes of now. Resolves when that is recorded; a job that runs is then
 * moved by its worker, or by whoever takes over from that. Legal more than once.
 * @throws NotFoundError when there is no such pool.
 */
export async function applyRoutes(
  link: RedisLink,
  pool: string,
  { onProgress }: ApplyRoutesOptions = {},
): Promise<RegroupProgress> {
  const plan = await planRoutes(link, pool);
  const progress = { totalCount: plan.length, queuedCount: 0, askedCount: 0, skippedCount: 0 };
  await actInBatches(
    link,
    pool,
    plan,
    async (shard, batch) => (await shard.regroup(batch.flatMap(({ bytes, to }) => [bytes, to]))).states.map(String),
    (_, states) => {
      for (const state of states) {
        if (state === 'queued') progress.queuedCount++;
        else if (state === 'asked') progress.askedCount++;
        else progress.skippedCount++;
      }
      onProgress?.({ ...progress });
    },
  );
  return progress;
}
