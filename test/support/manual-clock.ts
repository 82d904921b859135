import type { Clock, Timer } from '../../src/engine/core/clock.ts';

/** A clock that stands still until it is told how much time passes, and how much of it the wall shows. */
export class ManualClock implements Clock {
  #monotonicMs = 1000;
  #wallMs = 1_700_000_000_000;
  #timers: { atMs: number; call: () => void }[] = [];

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, call: () => void): Timer {
    const timer = { atMs: this.#monotonicMs + delayMs, call };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter(other => other !== timer);
      },
    };
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  /** The wall clock is set by somebody. */
  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  /** The machine sleeps: only the wall clock goes on, and no timer runs. */
  suspend(ms: number): void {
    this.#wallMs += ms;
  }

  /** Time passes and no timer runs: something keeps the event loop. */
  block(ms: number): void {
    this.#pass(ms);
  }

  /** Time passes; timers that fall due run in order, with what they await. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > endMs) break;
      this.#pass(Math.max(0, next.atMs - this.#monotonicMs));
      this.#timers = this.#timers.filter(timer => timer !== next);
      next.call();
      await settle();
    }
    this.#pass(endMs - this.#monotonicMs);
  }

  #pass(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
