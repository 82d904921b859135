/**
 * This process's view of the members of a shard: refreshed by the hint of an epoch, by any reply that says the epoch is
 * another, and from time to time. A view may be old; every script that acts on it names its epoch or checks the lease.
 */
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { storedFields } from '../core/stored.ts';
import { Placement, type Seat } from './placement.ts';
import type { ProtocolRange } from './protocol.ts';
import type { MembersReply } from './scripts.gen.ts';

/** What a worker says of itself when it registers; shown to people, and what placement needs. */
export interface WorkerInfo {
  group: string;
  capacity: number;
  weight: number;
  node: string;
  host: string;
  pid: number;
  version: string;
  startedAtMs: number;
  /** Versions of the protocol its process speaks; absent: the first. */
  protocols?: ProtocolRange;
}

/** Of a worker that says nothing of itself. */
export const UNKNOWN_WORKER: WorkerInfo = {
  group: '',
  capacity: 0,
  weight: 0,
  node: '',
  host: '',
  pid: 0,
  version: '',
  startedAtMs: 0,
};

/** undefined when nothing can be placed by it: no worker of a release up to this one wrote it, or somebody damaged it. */
export function parseWorkerInfo(text: string): WorkerInfo | undefined {
  const info = { ...UNKNOWN_WORKER, ...storedFields(text, UNKNOWN_WORKER) };
  const { group, capacity, weight } = info;
  return group !== '' && capacity >= 1 && weight > 0 && Number.isFinite(weight) ? info : undefined;
}

type Members = Extract<MembersReply, { status: 'MEMBERS' }>;

export class Membership {
  readonly events = new Emitter<{ changed: undefined }>();
  readonly #clock: Clock;
  readonly #infos = new Map<string, WorkerInfo>();
  #epoch = 0;
  #placement = new Placement([]);
  #changedAtMs: number;
  #wantedEpoch = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#changedAtMs = clock.monotonicMs();
  }

  get epoch(): number {
    return this.#epoch;
  }

  get placement(): Placement {
    return this.#placement;
  }

  /** How long the membership has not changed, as seen from here. */
  get quietMs(): number {
    return this.#clock.monotonicMs() - this.#changedAtMs;
  }

  /** True when an epoch was heard of that the view does not have. */
  get stale(): boolean {
    return this.#wantedEpoch > this.#epoch;
  }

  /** Takes note of an epoch heard of. */
  heard(epoch: number): boolean {
    if (epoch <= this.#wantedEpoch && epoch <= this.#epoch) return false;
    this.#wantedEpoch = Math.max(this.#wantedEpoch, epoch);
    return this.stale;
  }

  /** Forgets everything: the shard is another one now. */
  reset(): void {
    this.#epoch = 0;
    this.#wantedEpoch = 0;
    this.#infos.clear();
    this.#placement = new Placement([]);
    this.#changedAtMs = this.#clock.monotonicMs();
    this.events.emit('changed', undefined);
  }

  /** Replies may overtake each other: one of an older epoch is dropped. */
  apply(reply: Members): void {
    if (reply.epoch < this.#epoch) return;
    const rows = reply.list as [Buffer, number, number, Buffer, number][];
    const newEpoch = reply.epoch !== this.#epoch;
    if (newEpoch) this.#infos.clear();
    const seats: Seat[] = [];
    for (const [idBytes, owned, draining, text, proven] of rows) {
      const id = String(idBytes);
      const told = text.length > 0 && parseWorkerInfo(String(text));
      if (told) this.#infos.set(id, told);
      const info = this.#infos.get(id);
      // Nobody can tell what belongs to it: it gets nothing, and what it has stays.
      if (!info) continue;
      const { group, capacity, weight } = info;
      seats.push({ id, group, capacity, weight, draining: draining === 1, owned, proven: proven === 1 });
    }
    const before = new Set([...this.#placement.seats].map(seat => seat.id));
    const sameSeats = before.size === seats.length && seats.every(seat => before.has(seat.id));
    this.#epoch = reply.epoch;
    if (!newEpoch && sameSeats) {
      for (const { id, owned, proven } of seats) {
        const seat = this.#placement.seat(id);
        if (seat) Object.assign(seat, { owned, proven });
      }
      return;
    }
    this.#placement = new Placement(seats);
    this.#changedAtMs = this.#clock.monotonicMs();
    this.events.emit('changed', undefined);
  }
}
