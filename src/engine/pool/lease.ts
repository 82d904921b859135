/**
 * A worker's right to its jobs, judged by its own clock. Renewals go over a connection of their own each third of the
 * lease. The deadline counts from the moment before a renewal is *sent*, minus a margin, so that a reply that comes late
 * extends nothing beyond what Redis granted. At the deadline the worker gives itself up, before others may take over; the
 * question `owned` is answered by the clock and not by a timer, because a process that was stopped runs its timers late.
 */
import { type Clock, LeaseClock, type Timer, within } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { LeaseLostError, RedisUnavailableError } from '../core/errors.ts';
import type { WorkerLease } from './handler.ts';
import { type LeaseTerms, lagLimitMs } from './options.ts';

export interface LeaseEvents {
  renewed: undefined;
  lost: LeaseLostError;
  /** A renewal that failed, and the next one follows soon; or what a handler reports. */
  error: unknown;
}

export interface LeaseOptions {
  clock: Clock;
  terms: () => LeaseTerms;
  /** Longest time to the first renewal after a registration; default a third of the lease. */
  firstRenewalMs?: number | undefined;
  /** Asks Redis; false when the lease is over there. */
  renew: () => Promise<boolean>;
  /** Called when Redis does not answer in time: the socket may be dead. A reply that comes all the same still counts. */
  onSilence: () => void;
  random?: (() => number) | undefined;
  /** How late this process runs its timers. */
  lagMs?: (() => number) | undefined;
}

const RENEW_JITTER = 0.1;
const MAX_RETRY_MS = 500;

export class Lease implements WorkerLease {
  readonly events = new Emitter<LeaseEvents>();
  readonly #options: LeaseOptions;
  readonly #leaseClock: LeaseClock;
  #deadlineMs = 0;
  #held = false;
  /** Another one each time the lease begins or ends: what was asked for under one counts for no other. */
  #term = 0;
  #renewTimer: Timer | undefined;
  #deadlineTimer: Timer | undefined;
  readonly #renewing = new Set<Promise<void>>();
  #answerCount = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#leaseClock = new LeaseClock(options.clock);
  }

  /** Time for `begin`: to be read before the registration is sent. */
  nowMs(): number {
    return this.#leaseClock.nowMs();
  }

  get owned(): boolean {
    return this.#held && this.#leaseClock.nowMs() < this.#deadlineMs;
  }

  get stopBudgetMs(): number {
    return this.#options.terms().stopBudgetMs;
  }

  leftMs(): number {
    return this.#held ? this.#deadlineMs - this.#leaseClock.nowMs() : -1;
  }

  onRenewed(listener: () => void): () => void {
    return this.events.on('renewed', listener);
  }

  onLost(listener: () => void): () => void {
    return this.events.on('lost', listener);
  }

  /**
   * The worker was registered by a request sent at `sentMs`. False when the reply took so long that the lease is over, or
   * nearly so: registering again is cheaper than to be fenced at once.
   */
  begin(sentMs: number): boolean {
    if (this.#leaseClock.nowMs() - sentMs > this.#options.terms().leaseMs / 2) return false;
    this.#held = true;
    this.#term++;
    this.#deadlineMs = 0;
    this.#extend(sentMs);
    this.#armRenewal(sentMs, this.#options.firstRenewalMs);
    this.#armDeadline();
    this.events.emit('renewed', undefined);
    return true;
  }

  /** Gives the lease up, as at the deadline. */
  lose(why: string): void {
    if (!this.#held) return;
    this.#held = false;
    this.#cancel();
    this.events.emit('lost', new LeaseLostError(`the lease of the worker is over: ${why}`));
  }

  report(error: unknown): void {
    this.events.emit('error', error);
  }

  /** Whether the lease stands; gives it up when the clock says it does not, without waiting for the timer. */
  check(): boolean {
    if (this.owned) return true;
    this.lose('it was not renewed in time');
    return false;
  }

  /** Ends renewing, without a word. */
  async stop(): Promise<void> {
    this.#held = false;
    this.#cancel();
    await Promise.all(this.#renewing);
  }

  #cancel(): void {
    this.#renewTimer?.cancel();
    this.#deadlineTimer?.cancel();
  }

  #extend(sentMs: number): void {
    const { leaseMs, marginMs } = this.#options.terms();
    this.#deadlineMs = Math.max(this.#deadlineMs, sentMs + leaseMs - marginMs);
  }

  #armRenewal(sentMs: number, mostMs = Number.POSITIVE_INFINITY): void {
    const { random = Math.random, lagMs = () => 0, terms } = this.#options;
    const thirdMs = terms().leaseMs / 3;
    // What runs late sends late: that is made up for, as far as half of the time.
    const lag = lagMs();
    const earlierMs = lag > lagLimitMs(terms()) ? Math.min(lag, thirdMs / 2) : 0;
    const intervalMs = Math.min(mostMs, (thirdMs - earlierMs) * (1 + RENEW_JITTER * (2 * random() - 1)));
    this.#renewIn(sentMs + intervalMs - this.#leaseClock.nowMs());
  }

  #renewIn(delayMs: number): void {
    this.#renewTimer?.cancel();
    this.#renewTimer = this.#options.clock.after(Math.max(0, delayMs), () => {
      const renewing = this.#renew().finally(() => this.#renewing.delete(renewing));
      this.#renewing.add(renewing);
    });
  }

  /** Resolves when there is an answer, or has been none for long: then it is asked again, and either answer counts. */
  async #renew(): Promise<void> {
    const { clock, terms, renew, onSilence } = this.#options;
    const { leaseMs } = terms();
    const term = this.#term;
    const answerCount = this.#answerCount;
    const sentMs = this.#leaseClock.nowMs();
    let silent = false;
    const answered = renew().then(
      renewed => this.#answered(renewed, sentMs, term),
      (error: unknown) => {
        // It was told and asked again when it became silent; or another one has been answered since.
        if (!silent && answerCount === this.#answerCount) this.#failed(error, term);
      },
    );
    await within(clock, this.#patienceMs(leaseMs), answered, () => {
      silent = true;
      onSilence();
      this.#failed(new RedisUnavailableError('no answer to the renewal of the lease', { uncertain: true }), term);
    });
  }

  #answered(renewed: boolean, sentMs: number, term: number): void {
    if (!this.#held || term !== this.#term) return;
    this.#answerCount++;
    if (!renewed) this.lose('Redis says so');
    // A reply that comes after the deadline revives nothing: the handlers were told to stop.
    if (!this.check()) return;
    this.#extend(sentMs);
    this.events.emit('renewed', undefined);
    this.#armRenewal(sentMs);
  }

  #failed(error: unknown, term: number): void {
    if (!this.#held || term !== this.#term) return;
    this.events.emit('error', error);
    this.#renewIn(Math.min(MAX_RETRY_MS, this.#options.terms().leaseMs / 10));
  }

  /** How long to wait for a reply: as long as leaves time for another attempt on a new socket. */
  #patienceMs(leaseMs: number): number {
    return Math.max(leaseMs / 20, Math.min(leaseMs / 2, this.leftMs() - leaseMs / 6));
  }

  #armDeadline(): void {
    this.#deadlineTimer?.cancel();
    this.#deadlineTimer = this.#options.clock.after(Math.max(1, Math.ceil(this.leftMs())), () => {
      if (this.check()) this.#armDeadline();
    });
  }
}
