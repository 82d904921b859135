import { backoffMs } from '../core/backoff.ts';
import type { Clock } from '../core/clock.ts';
import { hash64 } from './hash.ts';
import type { Assignment } from './job-run.ts';
import { assignmentOf } from './job-table.ts';
import type { Membership } from './membership.ts';
import type { Shard } from './shard.ts';

export interface PullerOptions {
  shard: Shard;
  membership: Membership;
  clock: Clock;
  worker: () => { id: string; incarnation: string; group: string; capacity: number };
  /** How many more jobs the worker takes now. */
  room: () => number;
  begin: (assignment: Assignment) => void;
  /** The membership is another than the view's. */
  onStale: (epoch: number) => void;
  /** A reply was lost: jobs may be recorded to the worker that it does not know of. */
  onDoubt: () => void;
}

const PAGE = 500;
const ASSIGN_AT_ONCE = 50;
/** Bounds what one look costs; the next look goes on where this one ended. */
const MAX_PAGES = 5;
/** After a pull that failed: whatever pokes meanwhile, what made it fail is most likely still there. */
const RETRY = { baseMs: 50, maxMs: 2000 };

/**
 * Takes waiting jobs of the worker's group that are this worker's by placement. Each worker takes its own, so that nobody
 * has to be told. A worker without room is passed over: the next in rank takes the job.
 */
export class Puller {
  readonly #options: PullerOptions;
  #offset = 0;
  #failures = 0;
  #resumeMs = 0;

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  async pull(): Promise<void> {
    const { shard, clock } = this.#options;
    if (shard.quarantineMs > 0 || clock.monotonicMs() < this.#resumeMs) return;
    try {
      await this.#pullPages();
      this.#failures = 0;
    } catch (error) {
      this.#resumeMs = clock.monotonicMs() + backoffMs(++this.#failures, RETRY);
      throw error;
    }
  }

  async #pullPages(): Promise<void> {
    for (let page = 0; page < MAX_PAGES && this.#options.room() > 0; page++) {
      const last = await this.#pullPage();
      if (last) return;
    }
  }

  /** True when there is nothing more to look at now. */
  async #pullPage(): Promise<boolean> {
    const { shard, membership, worker, onStale } = this.#options;
    const { id, group } = worker();
    const reply = await shard.due(group, this.#offset, PAGE);
    if (reply.epoch !== membership.epoch) {
      onStale(reply.epoch);
      return true;
    }
    const loads = new Map((reply.loads as [Buffer, number][]).map(([name, owned]) => [String(name), owned]));
    const { placement } = membership;
    for (const [name, owned] of loads) {
      const seat = placement.seat(name);
      if (seat) seat.owned = owned;
    }
    const keys = reply.keys as Buffer[];
    const mine = keys.filter(key => {
      const seat = placement.pick(hash64(key), group, ({ id: name, capacity }) => {
        return name === id || (loads.get(name) ?? capacity) < capacity;
      });
      return seat?.id === id;
    });
    const taken = await this.#take(mine);
    const whole = keys.length < PAGE;
    this.#offset = whole ? 0 : this.#offset + keys.length - taken;
    return whole;
  }

  async #take(keys: Buffer[]): Promise<number> {
    const { shard, membership, worker, room, begin, onStale, onDoubt } = this.#options;
    let taken = 0;
    for (let at = 0; at < keys.length && room() > 0; at += ASSIGN_AT_ONCE) {
      const wanted = keys.slice(at, at + Math.min(ASSIGN_AT_ONCE, room()));
      const reply = await shard.assign(worker(), membership.epoch, wanted).catch(error => {
        onDoubt();
        throw error;
      });
      if (reply.status === 'STALE') onStale(reply.epoch);
      if (reply.status !== 'ASSIGNED') return taken;
      const rows = reply.jobs as unknown[][];
      for (const row of rows) begin(assignmentOf(row));
      taken += rows.length;
    }
    return taken;
  }
}
