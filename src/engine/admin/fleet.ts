/** What an operator asks of all workers of a pool, or of a group of them. */
import { sleep } from '../core/clock.ts';
import { NotFoundError } from '../core/errors.ts';
import { listWorkers } from '../inspect/pools.ts';
import { planRebalance, type RebalancePlan } from '../inspect/rebalance-plan.ts';
import type { WorkerSnapshot } from '../inspect/snapshots.ts';
import { Shard } from '../pool/shard.ts';
import type { RedisLink } from '../redis/link.ts';
import { drainWorker } from './pools.ts';

export interface WaitForOptions<Progress> {
  /** Longest wait; 0 does not wait at all. */
  timeoutMs: number;
  /** Called after each look. */
  onProgress?: ((left: Progress) => void) | undefined;
}

const LOOK_EVERY_MS = 300;
/** A look at many jobs takes long: at most this share of the time is spent looking. */
const LOOKING_SHARE = 0.2;

/**
 * Makes every worker look at its jobs again, and waits until none of them would move one. Workers do so by themselves
 * when the members change; this is for the time after something else did. What is left at the end is in the plan given.
 * @throws NotFoundError
 */
export async function rebalancePool(
  link: RedisLink,
  pool: string,
  options: WaitForOptions<RebalancePlan>,
): Promise<RebalancePlan> {
  for (const shard of await Shard.findAll(link, pool)) await shard.rebalance();
  return lookUntil(
    link,
    options,
    () => planRebalance(link, pool),
    plan => plan.moves.length === 0,
  );
}

/**
 * Tells all workers, or those of a group, to leave in good order, and waits until they have. Gives those still there.
 * @throws NotFoundError when there is no such pool, or nobody to tell.
 */
export async function drainWorkersOf(
  link: RedisLink,
  pool: string,
  group: string | undefined,
  options: WaitForOptions<WorkerSnapshot[]>,
): Promise<WorkerSnapshot[]> {
  const workers = await workersOf(link, pool, group);
  if (workers.length === 0)
    throw new NotFoundError('worker group', group ?? pool, { hint: 'No worker is alive there.' });
  const told = new Set(workers.map(({ id }) => id));
  await Promise.all(
    [...told].map(id =>
      drainWorker(link, pool, id).catch(error => {
        // It left by itself meanwhile.
        if (!(error instanceof NotFoundError)) throw error;
      }),
    ),
  );
  const left = async () => (await listWorkers(link, pool)).filter(({ id }) => told.has(id));
  return lookUntil(link, options, left, still => still.length === 0);
}

/** The live workers of a group, or all. @throws NotFoundError when there is no such pool. */
export async function workersOf(link: RedisLink, pool: string, group: string | undefined): Promise<WorkerSnapshot[]> {
  return (await listWorkers(link, pool, { group })).filter(({ state }) => state !== 'STALE');
}

/** Looks until what it sees is `done`, or the time is over; gives what it saw last. */
export async function lookUntil<T>(
  { clock }: RedisLink,
  { timeoutMs, onProgress }: WaitForOptions<T>,
  look: () => Promise<T>,
  done: (seen: T) => boolean,
): Promise<T> {
  const startMs = clock.monotonicMs();
  for (;;) {
    const lookMs = clock.monotonicMs();
    const seen = await look();
    onProgress?.(seen);
    const nowMs = clock.monotonicMs();
    const leftMs = startMs + timeoutMs - nowMs;
    if (done(seen) || leftMs <= 0) return seen;
    const pauseMs = Math.max(LOOK_EVERY_MS, (nowMs - lookMs) / LOOKING_SHARE);
    await sleep(clock, Math.min(pauseMs, leftMs));
  }
}
