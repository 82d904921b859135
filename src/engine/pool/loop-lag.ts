import type { Clock, Timer } from '../core/clock.ts';

const EVERY_MS = 100;
const SAMPLE_COUNT = 100;
/** Fewer say little: the start of a process is always late. */
const ENOUGH_COUNT = 10;

/**
 * How late timers run in this process, which is how long something kept its event loop: a few samples a second, none while
 * nobody works. A long block counts for each sample it swallowed, as those would have waited, too.
 */
export class LoopLag {
  readonly #clock: Clock;
  readonly #isBusy: () => boolean;
  #samples: number[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, isBusy: () => boolean) {
    this.#clock = clock;
    this.#isBusy = isBusy;
  }

  /** Somebody may work now. */
  wake(): void {
    if (this.#timer || !this.#isBusy()) return;
    this.#samples = [];
    this.#arm();
  }

  /** 99th percentile of the last seconds, in ms; 0 when there is nothing to measure. */
  get p99Ms(): number {
    const { length } = this.#samples;
    if (length < ENOUGH_COUNT) return 0;
    const sorted = this.#samples.toSorted((a, b) => a - b);
    return Math.round(sorted[Math.ceil(length * 0.99) - 1] ?? 0);
  }

  #arm(): void {
    const dueMs = this.#clock.monotonicMs() + EVERY_MS;
    this.#timer = this.#clock.after(EVERY_MS, () => this.#take(this.#clock.monotonicMs() - dueMs), { ref: false });
  }

  #take(lateMs: number): void {
    const swallowed = Math.min(SAMPLE_COUNT, Math.floor(Math.max(0, lateMs) / EVERY_MS) + 1);
    for (let i = 0; i < swallowed; i++) this.#samples.push(Math.max(0, lateMs - i * EVERY_MS));
    this.#samples = this.#samples.slice(-SAMPLE_COUNT);
    if (this.#isBusy()) this.#arm();
    else {
      this.#timer = undefined;
      this.#samples = [];
    }
  }
}
