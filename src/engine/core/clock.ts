/**
 * Time is injected: nothing in the engine reads `Date` or sets a timer but through a `Clock`, so that a test can hold it.
 * Wall time is for people and for Redis ids; monotonic time is for deadlines and intervals.
 */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970, as the host believes. May step. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start. Never goes back; may stand still while the machine is suspended. */
  monotonicMs(): number;
  /** Calls once after `delayMs`. The timer does not keep the process alive unless `ref` is true. */
  after(delayMs: number, call: () => void, options?: { ref?: boolean }): Timer;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, call, options) {
    const handle = setTimeout(call, delayMs);
    if (options?.ref === false) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or as soon as `signal` aborts. Never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Resolves with `promise`, or with `onTimeout()` after `limitMs`, whichever is first. */
export function within<T, U>(clock: Clock, limitMs: number, promise: Promise<T>, onTimeout: () => U): Promise<T | U> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, () => {
      try {
        resolve(onTimeout());
      } catch (error) {
        reject(error);
      }
    });
    promise.then(
      value => {
        timer.cancel();
        resolve(value);
      },
      error => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/**
 * A clock for deadlines that counts suspension: the larger of the monotonic and the wall delta since its start.
 * Monotonic alone stops while a machine sleeps; wall alone can be set back.
 */
export class LeaseClock {
  readonly #clock: Clock;
  readonly #monotonicStart: number;
  readonly #wallStart: number;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#monotonicStart = clock.monotonicMs();
    this.#wallStart = clock.wallMs();
  }

  /** Milliseconds since construction; never goes back. */
  nowMs(): number {
    const monotonic = this.#clock.monotonicMs() - this.#monotonicStart;
    const wall = this.#clock.wallMs() - this.#wallStart;
    this.#last = Math.max(this.#last, monotonic, wall);
    return this.#last;
  }
}
