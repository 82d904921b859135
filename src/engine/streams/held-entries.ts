import type { Clock, Timer } from '../core/clock.ts';
import { Delivery } from './delivery.ts';

/** An entry that waits for an answer of Redis, or for its time. */
interface Parked {
  /** As of a delivery. */
  oursAtMs: number;
  readonly needsBeat: boolean;
  timer: Timer | undefined;
}

/** Stands for every entry that only waits for the confirmation that it is acknowledged. */
const SETTLED: Parked = { oursAtMs: 0, needsBeat: false, timer: undefined };

/**
 * This process's copy of its part of the pending list: what is with a handler, what is put off, and what was settled but
 * not confirmed. An entry that Redis says is ours and that is not here never arrived.
 */
export class HeldEntries {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Delivery | Parked>();
  #delayedCount = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get delayedCount(): number {
    return this.#delayedCount;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  add(delivery: Delivery): void {
    this.#entries.set(delivery.id, delivery);
  }

  delete(id: string): void {
    this.#entries.delete(id);
  }

  /** Keeps an entry that no handler gets until its acknowledgement is confirmed, or draining would find it again. */
  addSettled(id: string): void {
    this.#entries.set(id, SETTLED);
  }

  /** Keeps an entry without its contents, which may be large, until it is deleted. */
  park(id: string): void {
    this.#entries.set(id, { oursAtMs: this.#clock.monotonicMs(), needsBeat: true, timer: undefined });
  }

  /** Parks an entry and calls `due` after `delayMs`. */
  delay(id: string, delayMs: number, due: () => void): void {
    const parked: Parked = { oursAtMs: this.#clock.monotonicMs(), needsBeat: true, timer: undefined };
    this.#entries.set(id, parked);
    this.#delayedCount++;
    parked.timer = this.#clock.after(delayMs, () => {
      parked.timer = undefined;
      this.#delayedCount--;
      due();
    });
  }

  /** Those at work that were not confirmed to be ours after `beforeMs`. */
  atWork(beforeMs: number): string[] {
    const ids: string[] = [];
    for (const [id, entry] of this.#entries) if (entry.needsBeat && entry.oursAtMs <= beforeMs) ids.push(id);
    return ids;
  }

  /** Redis was asked about these at `askedMs`, and has them with us. */
  confirm(ids: readonly string[], askedMs: number): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry?.needsBeat) entry.oursAtMs = Math.max(entry.oursAtMs, askedMs);
    }
  }

  /**
   * Another consumer has it, or we are leaving: no handler's word counts any more.
   * @returns whether it was with a handler or waiting for one.
   */
  letGo(id: string, reason: unknown): boolean {
    const entry = this.#entries.get(id);
    // Settled, and merely not confirmed yet.
    if (!entry?.needsBeat) return false;
    this.#entries.delete(id);
    if (entry instanceof Delivery) {
      entry.abandon(reason);
      return true;
    }
    this.#cancel(entry);
    return false;
  }

  /** @returns their ids. */
  letGoOfAll(reason: unknown): string[] {
    const ids = [...this.#entries.keys()];
    for (const id of ids) this.letGo(id, reason);
    return ids;
  }

  cancelDelays(): void {
    for (const entry of this.#entries.values()) if (!(entry instanceof Delivery)) this.#cancel(entry);
  }

  #cancel(entry: Parked): void {
    if (!entry.timer) return;
    entry.timer.cancel();
    entry.timer = undefined;
    this.#delayedCount--;
  }
}
