import { shardIndex } from '../pool/hash.ts';
import { jobKeyForm } from '../pool/job-key.ts';
import { type HeldJob, type Move, Placement, planMoves } from '../pool/placement.ts';
import type { RedisLink } from '../redis/link.ts';
import { eachJob } from './jobs.ts';
import { requirePool } from './pool-reading.ts';
import { listWorkers } from './pools.ts';
import type { WorkerSnapshot } from './snapshots.ts';

export interface WorkerBalance {
  worker: string;
  group: string;
  jobCount: number;
  leavingCount: number;
  comingCount: number;
}

/** What running services would move by themselves, by the members of now. */
export interface RebalancePlan {
  moves: Move[];
  workers: WorkerBalance[];
}

/** What a plan needs of one shard, which counts its workers' jobs for itself. */
interface ShardHoldings {
  services: HeldJob[];
  /** Jobs of any kind by worker. */
  counts: Map<string, number>;
}

/**
 * Computed from Redis alone, with the same rules as the workers': each shard by itself, as capacities are per shard. Tasks
 * are not moved, and neither is what is to stop.
 * @throws NotFoundError
 */
export async function planRebalance(link: RedisLink, pool: string): Promise<RebalancePlan> {
  const { shardCount } = await requirePool(link, pool);
  const workers = await listWorkers(link, pool);
  const shards = Array.from({ length: shardCount }, (): ShardHoldings => ({ services: [], counts: new Map() }));
  for await (const { key, state, worker, group, kind } of eachJob(link, pool, {})) {
    if (worker === null) continue;
    const { hash } = jobKeyForm(key);
    const { services, counts } = shards[shardIndex(hash, shardCount)] as ShardHoldings;
    counts.set(worker, (counts.get(worker) ?? 0) + 1);
    if (state !== 'STOPPING' && kind !== 'task') services.push({ key, hash, group, holder: worker });
  }
  const moves = shards.flatMap(({ services, counts }) => planMoves(placementOf(workers, counts), services));
  const count = (id: string, side: 'from' | 'to') => moves.filter(move => move[side] === id).length;
  const balances = workers.map(({ id, group, jobCount }) => ({
    worker: id,
    group,
    jobCount,
    leavingCount: count(id, 'from'),
    comingCount: count(id, 'to'),
  }));
  return { moves, workers: balances };
}

function placementOf(workers: readonly WorkerSnapshot[], counts: ReadonlyMap<string, number>): Placement {
  return new Placement(
    workers
      .filter(({ state }) => state !== 'STALE')
      .map(({ id, group, capacity, weight, state }) => {
        return {
          id,
          group,
          capacity,
          weight,
          draining: state === 'DRAINING',
          owned: counts.get(id) ?? 0,
          proven: true,
        };
      }),
  );
}
