import type { Clock, Timer } from '../../core/clock.ts';
import { LeaseLostError } from '../../core/errors.ts';

/** Extends a claim until `end`. `lost` aborts when it is somebody else's, or may be: nobody answered for its whole time. */
export class ClaimKeeper {
  readonly #lost = new AbortController();
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #extend: () => Promise<{ status: string }>;
  #next: Timer | undefined;
  #deadline: Timer | undefined;
  #ended = false;

  /** For a claim just made. */
  constructor(clock: Clock, leaseMs: number, extend: () => Promise<{ status: string }>) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#extend = extend;
    this.#held(clock.monotonicMs());
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  end(): void {
    this.#ended = true;
    this.#next?.cancel();
    this.#deadline?.cancel();
  }

  #held(sinceMs: number): void {
    this.#deadline?.cancel();
    const leftMs = sinceMs + this.#leaseMs - this.#clock.monotonicMs();
    this.#deadline = this.#clock.after(Math.max(0, leftMs), () => this.#lose());
    this.#extendLater();
  }

  #extendLater(): void {
    this.#next = this.#clock.after(this.#leaseMs / 3, () => {
      const sentMs = this.#clock.monotonicMs();
      this.#extend().then(
        ({ status }) => {
          if (this.#ended) return;
          if (status === 'CLAIMED') this.#held(sentMs);
          else this.#lose();
        },
        () => {
          if (!this.#ended) this.#extendLater();
        },
      );
    });
  }

  #lose(): void {
    this.end();
    this.#lost.abort(new LeaseLostError('another node may run this tick again'));
  }
}
