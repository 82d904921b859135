import { backoffMs } from '../core/backoff.ts';
import { type Clock, sleep } from '../core/clock.ts';
import { ClosedError } from '../core/errors.ts';

export interface BackgroundHost {
  /** Reported, and tried again. */
  failed(error: unknown): void;
  ended(): void;
}

const RETRY = { baseMs: 50, maxMs: 2000 };

/** What is done until it works, however long Redis is away, while other things go on. */
export class Background {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #host: BackgroundHost;
  readonly #work = new Set<Promise<void>>();

  /** Nothing is tried again once `signal` aborts. */
  constructor(clock: Clock, signal: AbortSignal, host: BackgroundHost) {
    this.#clock = clock;
    this.#signal = signal;
    this.#host = host;
  }

  get size(): number {
    return this.#work.size;
  }

  persist(act: () => Promise<void>): void {
    const tracked = this.#untilDone(act).finally(() => {
      this.#work.delete(tracked);
      this.#host.ended();
    });
    this.#work.add(tracked);
  }

  /** Resolves when everything that is under way has ended. */
  async flush(): Promise<void> {
    await Promise.all(this.#work);
  }

  async #untilDone(act: () => Promise<void>): Promise<void> {
    for (let failures = 1; !this.#signal.aborted; failures++) {
      try {
        return await act();
      } catch (error) {
        this.#host.failed(error);
        if (error instanceof ClosedError) return;
        await sleep(this.#clock, backoffMs(failures, RETRY), this.#signal);
      }
    }
  }
}
