import { type Clock, sleep } from '../core/clock.ts';
import type { JobRun } from './job-run.ts';
import type { JobTable } from './job-table.ts';
import type { Membership } from './membership.ts';
import { type PersistOptions, persist } from './persist.ts';
import type { Shard } from './shard.ts';

export interface DepartureOptions {
  shard: Shard;
  membership: Membership;
  clock: Clock;
  worker: string;
  group: string;
  incarnation: () => string;
  table: JobTable;
  maxMoves: number;
  drainTimeoutMs: number;
  /** Its signal aborts when the lease is over: what is left to do is the reaper's then. */
  persist: PersistOptions;
  /** Aborts when tasks are not waited for any more. */
  hurry: AbortSignal;
  /** Jobs may still be recorded that are not in the table. */
  onDoubt: () => void;
}

const LEAVE_RETRY_MS = 50;

/**
 * How a worker leaves: it tells everybody first, because otherwise the others would send its jobs straight back; then it
 * gives up every service, at most `maxMoves` at once, lets tasks finish for a time, and ends the membership when nothing
 * is recorded to it any more.
 */
export async function depart(options: DepartureOptions): Promise<void> {
  const { shard, membership, clock, worker, group, table, hurry } = options;
  table.leaving = true;
  await persist(options.persist, () => shard.drain(worker, options.incarnation()));
  const members = await persist(options.persist, () => shard.members(worker, group, 0));
  if (members) membership.apply(members);
  const runs = [...table.runs()];
  await giveAll(
    options,
    runs.filter(run => !run.isTask),
  );
  const tasks = runs.filter(run => run.isTask && !run.over);
  if (tasks.length > 0 && !hurry.aborted) {
    await Promise.race([Promise.all(tasks.map(run => run.ended)), sleep(clock, options.drainTimeoutMs, hurry)]);
  }
  await giveAll(
    options,
    tasks.filter(run => !run.over),
  );
  await table.idle();
  for (;;) {
    const reply = await persist(options.persist, () => shard.leave(worker, options.incarnation()));
    if (reply?.status !== 'OWNS') return;
    // An assignment was under way when the drain was told: it is read and handed on.
    options.onDoubt();
    await sleep(clock, LEAVE_RETRY_MS, options.persist.signal);
    await table.idle();
  }
}

async function giveAll({ table, maxMoves }: DepartureOptions, runs: JobRun[]): Promise<void> {
  const queue = [...runs];
  const lane = async () => {
    for (let run = queue.pop(); run; run = queue.pop()) await table.give(run, 'drain');
  };
  await Promise.all(Array.from({ length: Math.min(maxMoves, queue.length) }, lane));
}
