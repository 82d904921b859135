/**
 * Who should own a job: weighted rendezvous hashing over the workers of its group. Every process computes the same owner
 * from the same members, and a worker that joins or leaves changes the owner of its own share of the jobs and of no other.
 * Source: D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", 1998; weights: J. Resch, 2015.
 */
import { finish32, type Hash64, hash64 } from './hash.ts';

/** A live worker, as far as placement cares. */
export interface Seat {
  readonly id: string;
  readonly group: string;
  readonly capacity: number;
  readonly weight: number;
  readonly draining: boolean;
  /** Jobs recorded to it when last seen. */
  owned: number;
  /** It has renewed its lease since it joined: running jobs move to it. */
  proven: boolean;
}

interface RankedSeat {
  seat: Seat;
  hash: Hash64;
}

export class Placement {
  readonly #groups = new Map<string, RankedSeat[]>();
  readonly #seats = new Map<string, Seat>();

  constructor(seats: Iterable<Seat>) {
    for (const seat of seats) {
      this.#seats.set(seat.id, seat);
      if (seat.draining) continue;
      const group = this.#groups.get(seat.group) ?? [];
      this.#groups.set(seat.group, group);
      group.push({ seat, hash: hash64(seat.id) });
    }
  }

  seat(id: string): Seat | undefined {
    return this.#seats.get(id);
  }

  get seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  /** The highest-ranked worker of the group that `takes`; undefined when there is none. */
  pick(job: Hash64, group: string, takes: (seat: Seat) => boolean = anySeat): Seat | undefined {
    let best: Seat | undefined;
    let bestScore = -1;
    for (const { seat, hash } of this.#groups.get(group) ?? []) {
      const score = rendezvousScore(job, hash, seat.weight);
      const wins = score > bestScore || (score === bestScore && best !== undefined && seat.id < best.id);
      if (wins && takes(seat)) {
        best = seat;
        bestScore = score;
      }
    }
    return best;
  }

  /** Who should have a job that `holder` has, for which the holder's own capacity does not count. */
  ownerOf(job: Hash64, group: string, holder: string, takes = hasRoom): Seat | undefined {
    return this.pick(job, group, seat => seat.id === holder || takes(seat));
  }

  /** Who takes a job when `holder` gives it up. */
  heirOf(job: Hash64, group: string, holder: string, takes = hasRoom): Seat | undefined {
    return this.pick(job, group, seat => seat.id !== holder && takes(seat));
  }
}

/** A job that a worker has. */
export interface HeldJob {
  readonly key: string;
  readonly hash: Hash64;
  /** The one it belongs to. */
  readonly group: string;
  readonly holder: string;
}

export interface Move {
  readonly key: string;
  readonly from: string;
  /** null: it will wait in the queue of its group. */
  readonly to: string | null;
  readonly group: string;
}

/** What the workers would do by themselves: as each decides for its own jobs, one job after the other. Counts in the seats. */
export function planMoves(placement: Placement, jobs: Iterable<HeldJob>): Move[] {
  const moves: Move[] = [];
  for (const { key, hash, group, holder } of jobs) {
    const owner = placement.ownerOf(hash, group, holder);
    const seat = placement.seat(holder);
    if (owner?.id === holder || (!owner && seat?.group === group)) continue;
    if (owner) owner.owned++;
    if (seat) seat.owned--;
    moves.push({ key, from: holder, to: owner?.id ?? null, group });
  }
  return moves;
}

export function hasRoom(seat: Seat): boolean {
  return seat.owned < seat.capacity;
}

function anySeat(): boolean {
  return true;
}

/** weight / -ln(u), with u uniform in (0, 1) from both hashes: a worker's share of the jobs is its share of the weight. */
function rendezvousScore(job: Hash64, worker: Hash64, weight: number): number {
  const low = finish32(job.low ^ worker.low);
  const high = finish32((job.high ^ worker.high) + low);
  const uniform = ((high >>> 5) * 67_108_864 + (low >>> 6) + 0.5) / 9_007_199_254_740_992;
  return weight / -Math.log(uniform);
}
