import type { JobRun } from './job-run.ts';
import type { JobTable } from './job-table.ts';
import type { Membership } from './membership.ts';
import { hasRoom, type Seat } from './placement.ts';
import type { ReleaseTarget } from './shard.ts';

export interface MoverOptions {
  worker: string;
  group: string;
  membership: Membership;
  table: JobTable;
  maxMoves: number;
  settleMs: number;
  onError: (error: unknown) => void;
}

/**
 * Sends running services to their owner when the membership changed and has been quiet since, so that a worker that joins
 * and dies in a loop moves nothing. At most `maxMoves` jobs are on their way at once. Tasks stay until they end. A service
 * of another worker group leaves also when nobody can take it: it waits in that group's queue.
 */
export class Mover {
  readonly #options: MoverOptions;
  readonly #moving = new Set<JobRun>();
  #planned = '';

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Every job is to be looked at again, whether or not the membership changed. */
  replan(): void {
    this.#planned = '';
  }

  /** Ms until it may move something, or undefined when there is nothing to do. */
  plan(): number | undefined {
    const { membership, table, group, maxMoves, settleMs, onError } = this.#options;
    const situation = this.#situation();
    if (situation === this.#planned && this.#moving.size === 0) return undefined;
    const waitMs = settleMs - membership.quietMs;
    if (waitMs > 0) return waitMs;
    let complete = true;
    for (const run of table.runs()) {
      if (run.isTask || !(run.running || run.starting) || this.#moving.has(run)) continue;
      if (this.ownerOf(run)?.id === this.#options.worker) continue;
      if (run.group === group && !this.heirOf(run)) continue;
      if (run.starting) {
        // It moves once it is up.
        complete = false;
        continue;
      }
      if (this.#moving.size >= maxMoves) {
        complete = false;
        break;
      }
      this.#moving.add(run);
      table
        .give(run, 'move')
        .catch(onError)
        .finally(() => {
          this.#moving.delete(run);
          this.plan();
        });
    }
    if (complete) this.#planned = situation;
    return undefined;
  }

  /** Who takes a job that this worker gives up. Counts it there, so that the next one finds less room. */
  takeHeir(run: JobRun): ReleaseTarget | undefined {
    const seat = this.heirOf(run);
    if (!seat) return undefined;
    seat.owned++;
    return { worker: seat.id, epoch: this.#options.membership.epoch, capacity: seat.capacity };
  }

  heirOf(run: JobRun): Seat | undefined {
    const { membership, worker } = this.#options;
    return membership.placement.heirOf(run.hash, run.group, worker);
  }

  ownerOf(run: JobRun): Seat | undefined {
    const { membership, worker } = this.#options;
    return membership.placement.ownerOf(run.hash, run.group, worker);
  }

  /** Looking at every job costs something for every job: only when what decides it has changed. */
  #situation(): string {
    const { membership } = this.#options;
    const full = [...membership.placement.seats].filter(seat => !hasRoom(seat)).map(seat => seat.id);
    return `${membership.epoch} ${full.join(' ')}`;
  }
}
