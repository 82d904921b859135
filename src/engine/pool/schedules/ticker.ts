/**
 * Runs a callback on one of the nodes that hold a ticker open, at each of its ticks, at least once. The record is that of
 * a schedule, and so are its ticks and what becomes of missed ones. Who takes a tick has it for a while and says again and
 * again that it still does; one that is gone loses it, and another node runs the same tick again.
 */
import type { Clock, Timer } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { describeError, StopRequestedError } from '../../core/errors.ts';
import { PeriodicTask } from '../../core/periodic.ts';
import { persist } from '../persist.ts';
import type { Shard } from '../shard.ts';
import { ClaimKeeper } from './claim-keeper.ts';
import { nextStep, type Step } from './misfire.ts';
import type { ScheduleRecord, Specification } from './record.ts';
import { nameTaken, ScheduleStore, tickId } from './store.ts';

export interface Tick {
  /** The same for every run of one tick. */
  readonly id: string;
  /** When it was to be. */
  readonly atMs: number;
  /** It comes later than the tolerance. */
  readonly late: boolean;
}

/**
 * What a ticker runs. The signal aborts when the node closes, or when another one may run the tick again. A tick whose
 * callback throws is over: the error is kept in the record and emitted.
 */
export type TickCallback = (tick: Tick, signal: AbortSignal) => Promise<unknown> | unknown;

export interface TickerEvents {
  /** A tick was run to its end here. */
  ticked: Tick;
  /** What a callback threw, or a step that failed and is tried again. */
  error: unknown;
  closed: undefined;
}

export interface TickerSetup {
  shard: Shard;
  name: string;
  specification: Specification;
  replace: boolean;
  callback: TickCallback;
  /** Name of the node. */
  holder: string;
  clock: Clock;
  random: () => number;
  intervalMs: number;
}

/** Holders look this far apart. */
const SPREAD_MS = 10;

export class Ticker {
  readonly name: string;
  readonly events = new Emitter<TickerEvents>();
  readonly #setup: TickerSetup;
  readonly #store: ScheduleStore;
  readonly #looking: PeriodicTask;
  readonly #closing = new AbortController();
  readonly #off: () => void;
  #timer: Timer | undefined;
  #lost = false;

  private constructor(setup: TickerSetup) {
    const { shard, name, clock, random, intervalMs } = setup;
    this.name = name;
    this.#setup = setup;
    this.#store = new ScheduleStore(shard);
    this.#looking = new PeriodicTask(
      clock,
      { intervalMs, jitter: 0.1, random },
      () => this.#look(),
      error => this.events.emit('error', error),
    );
    this.#off = shard.events.on('lost', () => {
      this.#lost = true;
      this.#looking.poke();
    });
  }

  /** @throws ConflictError when a schedule or another ticker has the name. */
  static async open(setup: TickerSetup): Promise<Ticker> {
    const ticker = new Ticker(setup);
    try {
      await ticker.#put(setup.replace);
    } catch (error) {
      await ticker.close();
      throw error;
    }
    ticker.#looking.start();
    ticker.#looking.poke();
    return ticker;
  }

  /** Looks now: the record was changed. */
  poke(): void {
    this.#looking.poke();
  }

  /** Holds it open no more. A callback that runs is told to stop, and waited for; another node runs its tick again. */
  async close(): Promise<void> {
    this.#closing.abort(new StopRequestedError('JOB_STOPPED', `ticker "${this.name}" is closing`));
    this.#off();
    this.#timer?.cancel();
    await this.#looking.stop();
    this.events.emit('closed', undefined);
  }

  async #put(replace: boolean): Promise<void> {
    const { name, specification } = this.#setup;
    const status = await this.#store.put(name, specification, replace);
    if (status === 'CONFLICT') throw nameTaken(name);
  }

  async #look(): Promise<void> {
    this.#timer?.cancel();
    if (this.#lost) {
      await this.#put(false);
      this.#lost = false;
    }
    while (!this.#closing.signal.aborted) {
      const { record, nowMs } = await this.#store.read(this.name);
      if (record?.nextMs === undefined || record.key) return;
      const ticks = record.ticks();
      const step = nextStep(ticks, record.nextMs, nowMs, record.terms);
      if (!step) return this.#lookIn(record.nextMs - nowMs);
      const reply = await this.#claim(record, '');
      // Whoever has it may be gone by then; and the next tick is anybody's.
      if (reply.status === 'TAKEN') return this.#lookIn(Math.min(reply.left_ms, (ticks.after(nowMs) ?? nowMs) - nowMs));
      if (reply.status === 'CLAIMED') await this.#run(record, step, reply.claim);
    }
  }

  #lookIn(delayMs: number): void {
    const { clock, random, intervalMs } = this.#setup;
    if (delayMs >= intervalMs || this.#closing.signal.aborted) return;
    this.#timer = clock.after(Math.max(1, delayMs) + random() * SPREAD_MS, () => this.#looking.poke());
  }

  #claim(record: ScheduleRecord, claim: string) {
    const { holder, shard } = this.#setup;
    return this.#store.claim(this.name, record, holder, claim, shard.terms.leaseMs);
  }

  async #run(record: ScheduleRecord, step: Step, claim: string): Promise<void> {
    const { clock } = this.#setup;
    const held = new ClaimKeeper(clock, this.#setup.shard.terms.leaseMs, () => this.#claim(record, claim));
    try {
      const failure = step.tickMs === undefined ? '' : await this.#call(step.tickMs, step.late, held.lost);
      // Told to stop before it was done: the tick is free for another node at once.
      if (failure !== '' && this.#closing.signal.aborted) await this.#store.claim(this.name, record, '', claim, 0);
      else await this.#finish(claim, step, failure, held.lost);
    } finally {
      held.end();
    }
  }

  /** Gives what the callback failed with, or nothing. */
  async #call(tickMs: number, late: boolean, lost: AbortSignal): Promise<string> {
    const tick = { id: tickId(this.name, tickMs), atMs: tickMs, late };
    const signal = AbortSignal.any([this.#closing.signal, lost]);
    try {
      await this.#setup.callback(tick, signal);
      this.events.emit('ticked', tick);
      return '';
    } catch (error) {
      if (!signal.aborted) this.events.emit('error', error);
      return describeError(error);
    }
  }

  async #finish(claim: string, step: Step, failure: string, signal: AbortSignal): Promise<void> {
    const onError = (error: unknown) => this.events.emit('error', error);
    const terms = { clock: this.#setup.clock, signal, onError };
    await persist(terms, () => this.#store.finish(this.name, claim, step, failure));
  }
}
