import type { Clock } from '../core/clock.ts';
import type { LossCause } from './shard-attachment.ts';

/**
 * Every shard notices by itself that Redis lost something. What others tell of the same cause within a lease of the first is
 * the same loss; from a shard that has told already it is another one.
 */
export class LossNews {
  readonly #clock: Clock;
  readonly #leaseMs: () => number;
  readonly #told = new Set<number>();
  #cause: LossCause | undefined;
  #untilMs = 0;

  constructor(clock: Clock, leaseMs: () => number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** True when it is to be told. */
  isNew(shard: number, cause: LossCause): boolean {
    const nowMs = this.#clock.monotonicMs();
    const known = cause === this.#cause && nowMs < this.#untilMs && !this.#told.has(shard);
    if (!known) {
      this.#told.clear();
      this.#cause = cause;
      this.#untilMs = nowMs + this.#leaseMs();
    }
    this.#told.add(shard);
    return !known;
  }
}
