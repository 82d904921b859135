import type { JobRun } from './job-run.ts';
import type { JobTable } from './job-table.ts';
import type { Membership } from './membership.ts';
import { hasRoom, type Seat } from './placement.ts';
import type { ReleaseTarget, Shard } from './shard.ts';

export interface MoverOptions {
  shard: Shard;
  worker: string;
  group: string;
  membership: Membership;
  table: JobTable;
  maxMoves: number;
  settleMs: number;
  onError: (error: unknown) => void;
}

/**
 * Sends running services to their owner when the membership changed and has been quiet since, and only to workers that have
 * proven themselves, so that one that joins and dies in a loop moves nothing. At most `maxMoves` jobs are on their way at
 * once. Tasks stay until they end. A service of another worker group leaves also when nobody can take it: it waits in that
 * group's queue. In quarantine nothing moves: the members are not all back yet.
 */
export class Mover {
  readonly #options: MoverOptions;
  /** Jobs on their way, and who has a place kept for each: two that leave at once must not count on the same one. */
  readonly #moving = new Map<JobRun, string | undefined>();
  /** Those found to belong elsewhere by the last look at all. */
  #leaving: JobRun[] = [];
  #planned = '';
  #lookAgain = false;

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Every job is to be looked at again, whether or not the membership changed. */
  replan(): void {
    this.#lookAgain = true;
  }

  /** Ms until it may move something, or undefined when there is nothing to do. */
  plan(): number | undefined {
    const { shard, membership, table, settleMs } = this.#options;
    if (shard.quarantineMs > 0) return shard.quarantineMs;
    const situation = this.#situation();
    if (situation !== this.#planned || this.#lookAgain) {
      const waitMs = settleMs - membership.quietMs;
      if (waitMs > 0) return waitMs;
      const leaving = [...table.runs()].filter(run => this.#mustLeave(run));
      // One that is starting moves once it is up.
      this.#lookAgain = leaving.some(run => run.starting);
      this.#leaving = leaving.filter(run => run.running);
      this.#planned = situation;
    }
    this.#send();
    return undefined;
  }

  /** Who takes a job that this worker gives up. Counts it there, so that the next one finds less room. */
  takeHeir(run: JobRun, reason: 'move' | 'drain'): ReleaseTarget | undefined {
    if (this.#moving.has(run)) this.#moving.set(run, undefined);
    const seat = this.#heirOf(run, reason);
    if (!seat) return undefined;
    seat.owned++;
    return { worker: seat.id, epoch: this.#options.membership.epoch, capacity: seat.capacity };
  }

  #send(): void {
    const { table, maxMoves, onError } = this.#options;
    while (this.#moving.size < maxMoves && this.#situation() === this.#planned) {
      const run = this.#leaving.pop();
      if (!run) return;
      if (!run.running || !this.#mustLeave(run)) {
        // The places may all be kept for others, who may not come.
        this.#lookAgain ||= this.#moving.size > 0;
        continue;
      }
      this.#moving.set(run, this.#heirOf(run, 'move')?.id);
      table
        .give(run, 'move')
        .catch(onError)
        .finally(() => {
          this.#moving.delete(run);
          this.#send();
        });
    }
  }

  #mustLeave(run: JobRun): boolean {
    const { membership, worker, group } = this.#options;
    if (run.isTask || !(run.running || run.starting) || this.#moving.has(run)) return false;
    const owner = membership.placement.ownerOf(run.hash, run.group, worker, this.#isSteady);
    return owner?.id !== worker && (owner !== undefined || run.group !== group);
  }

  #heirOf(run: JobRun, reason: 'move' | 'drain'): Seat | undefined {
    const { membership, worker } = this.#options;
    // Who leaves hands on to anybody alive.
    const takes = reason === 'move' ? this.#isSteady : this.#hasPlace;
    return membership.placement.heirOf(run.hash, run.group, worker, takes);
  }

  /** Has room, and has shown that it stays. */
  readonly #isSteady = (seat: Seat): boolean => seat.proven && this.#hasPlace(seat);

  readonly #hasPlace = (seat: Seat): boolean => {
    let coming = 0;
    for (const id of this.#moving.values()) if (id === seat.id) coming++;
    return seat.owned + coming < seat.capacity;
  };

  /** Looking at every job costs something for every job: only when what decides it has changed. */
  #situation(): string {
    const { membership } = this.#options;
    const passedOver = [...membership.placement.seats]
      .filter(seat => !(seat.proven && hasRoom(seat)))
      .map(seat => seat.id);
    return `${membership.epoch} ${passedOver.join(' ')}`;
  }
}
