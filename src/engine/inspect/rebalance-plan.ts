import { jobKeyForm } from '../pool/job-key.ts';
import { type HeldJob, type Move, Placement, planMoves } from '../pool/placement.ts';
import type { RedisLink } from '../redis/link.ts';
import { eachJob } from './jobs.ts';
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

/**
 * Computed from Redis alone, with the same rules as the workers'. Tasks are not moved, and neither is what is to stop.
 * @throws NotFoundError
 */
export async function planRebalance(link: RedisLink, pool: string): Promise<RebalancePlan> {
  const workers = await listWorkers(link, pool);
  const held: HeldJob[] = [];
  for await (const { key, state, worker, group, kind } of eachJob(link, pool, {})) {
    if (worker === null || state === 'STOPPING' || kind === 'task') continue;
    held.push({ key, hash: jobKeyForm(key).hash, group, holder: worker });
  }
  const moves = planMoves(placementOf(workers), held);
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

function placementOf(workers: readonly WorkerSnapshot[]): Placement {
  return new Placement(
    workers
      .filter(({ state }) => state !== 'STALE')
      .map(({ id, group, capacity, weight, state, jobCount }) => {
        return { id, group, capacity, weight, draining: state === 'DRAINING', owned: jobCount, proven: true };
      }),
  );
}
