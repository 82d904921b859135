/**
 * How many entries a sink asks Redis for. Pure.
 *
 * An entry that was read and waits here is kept from other consumers, so a sink reads what it can run soon: as many as
 * its handlers finished in a short time lately, at least its concurrency. Fast handlers get large batches, which is what
 * makes reading fast; a handler that takes a second gets one event at a time. It asks again when half of that is free, so
 * that the next batch is under way while this one is handled.
 */
export interface IntakeLimits {
  concurrency: number;
  /** Most entries held at once: waiting and being handled. */
  maxInFlight: number;
  /** Bytes of one batch that are aimed at. */
  maxBatchBytes: number;
}

/** Work to hold in advance, in ms of handling. */
const AHEAD_MS = 50;
/** Weight of the newest measurement. */
const SMOOTHING = 0.5;
/** More than this in one read gains nothing. */
export const MAX_COUNT = 500;
/** A read of a filtered stream, or of lanes that are taken, asks for more than can run; by how much at most. */
const MAX_OVERREAD = 100;
/** A batch smaller than this says little about how many pass the filter. */
const TELLING_BATCH = 8;

export class Intake {
  readonly #limits: IntakeLimits;
  #perMs = 0;
  #finished = 0;
  #busyMs = 0;
  #passing = 1;
  #entryBytes = 0;

  constructor(limits: IntakeLimits) {
    this.#limits = limits;
  }

  /**
   * Entries to have at work at once, at the present speed. What waits `inLanes` takes room and is not at work: a lane that
   * stands still holds up nobody but itself.
   */
  limit(inLanes = 0): number {
    const { concurrency, maxInFlight } = this.#limits;
    return Math.min(maxInFlight - inLanes, Math.ceil(concurrency + this.#perMs * AHEAD_MS));
  }

  /** How many to ask for while `atWork` are held, and others `inLanes`; 0 means wait. */
  count(atWork: number, inLanes = 0): number {
    const limit = this.limit(inLanes);
    const free = limit - atWork;
    if (free <= 0 || (atWork > this.#limits.concurrency && free < limit / 2)) return 0;
    const wanted = Math.ceil(free / Math.max(this.#passing, 1 / MAX_OVERREAD));
    const byBytes = this.#entryBytes > 0 ? Math.floor(this.#limits.maxBatchBytes / this.#entryBytes) : MAX_COUNT;
    const room = inLanes > 0 ? this.#limits.maxInFlight - inLanes - atWork : MAX_COUNT;
    return Math.max(1, Math.min(wanted, byBytes, room, MAX_COUNT));
  }

  /** A batch arrived, of which `passed` may start: they pass the filter, and their lanes are free. */
  noteBatch(entries: number, passed: number, bytes: number): void {
    if (entries === 0) return;
    // The largest size counts at once and is forgotten slowly: a batch too large costs more than one too small.
    const mean = bytes / entries;
    this.#entryBytes = mean > this.#entryBytes ? mean : blend(this.#entryBytes, mean);
    if (entries >= TELLING_BATCH) this.#passing = blend(this.#passing, passed / entries);
    else if (passed === 0) this.#passing = Math.max(0.5 / TELLING_BATCH, this.#passing / 2);
  }

  /** Handlers ended `finished` events in `busyMs` during which at least one was running. */
  noteWork(finished: number, busyMs: number): void {
    this.#finished += finished;
    this.#busyMs += busyMs;
    // Too little to tell the speed: kept for the next time, unless it took long.
    if (this.#finished < TELLING_BATCH && this.#busyMs < 1) return;
    const measured = this.#finished / Math.max(this.#busyMs, 0.05);
    this.#perMs = this.#perMs === 0 ? measured : blend(this.#perMs, measured);
    this.#finished = 0;
    this.#busyMs = 0;
  }
}

function blend(old: number, fresh: number): number {
  return old * (1 - SMOOTHING) + fresh * SMOOTHING;
}
