import { planRoutes, type Regrouping } from '../inspect/route-plan.ts';
import { shardIndex } from '../pool/hash.ts';
import { jobKeyForm } from '../pool/job-key.ts';
import { Shard } from '../pool/shard.ts';
import type { KeyBytes } from '../redis/keys.ts';
import type { RedisLink } from '../redis/link.ts';

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

/** Bounds the time one script holds Redis. */
const BATCH = 100;
const IN_FLIGHT = 4;

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
  const batches = batchesOf(await Shard.findAll(link, pool), plan);
  const progress = { totalCount: plan.length, queuedCount: 0, askedCount: 0, skippedCount: 0 };
  const lane = async () => {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      const { states } = await batch.shard.regroup(batch.items);
      for (const state of states.map(String)) {
        if (state === 'queued') progress.queuedCount++;
        else if (state === 'asked') progress.askedCount++;
        else progress.skippedCount++;
      }
      onProgress?.({ ...progress });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return progress;
}

function batchesOf(shards: Shard[], plan: Regrouping[]): { shard: Shard; items: KeyBytes[] }[] {
  const perShard: KeyBytes[][] = shards.map(() => []);
  for (const { key, to } of plan) {
    const { bytes, hash } = jobKeyForm(key);
    perShard[shardIndex(hash, shards.length)]?.push(bytes, to);
  }
  return shards.flatMap((shard, index) => {
    const items = perShard[index] as KeyBytes[];
    const count = Math.ceil(items.length / (2 * BATCH));
    return Array.from({ length: count }, (_, at) => ({
      shard,
      items: items.slice(at * 2 * BATCH, (at + 1) * 2 * BATCH),
    }));
  });
}
