/**
 * A bounded queue from one producer side to one consumer, pulled with `for await`.
 * `push` answers false when the channel is full or closed, so that the producer decides what a slow consumer costs.
 */
export class Channel<T> implements AsyncIterableIterator<T, undefined> {
  readonly #items: T[] = [];
  readonly #capacity: number;
  readonly #onDrain: (() => void) | undefined;
  readonly #onReturn: (() => void) | undefined;
  #waiting: { resolve: (result: IteratorResult<T, undefined>) => void; reject: (error: unknown) => void } | undefined;
  #closed = false;
  #error: unknown;

  constructor(options: { capacity: number; onDrain?: () => void; onReturn?: () => void }) {
    this.#capacity = options.capacity;
    this.#onDrain = options.onDrain;
    this.#onReturn = options.onReturn;
  }

  get size(): number {
    return this.#items.length;
  }

  get free(): number {
    return this.#closed ? 0 : Math.max(0, this.#capacity - this.#items.length);
  }

  get closed(): boolean {
    return this.#closed;
  }

  push(item: T): boolean {
    if (this.#closed || (this.#items.length >= this.#capacity && !this.#waiting)) return false;
    if (this.#waiting) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve({ value: item, done: false });
    } else this.#items.push(item);
    return true;
  }

  /** Ends the channel. What is queued is still delivered; then the consumer ends, or throws `error`. */
  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) return;
    if (error === undefined) waiting.resolve({ value: undefined, done: true });
    else {
      this.#error = undefined;
      waiting.reject(error);
    }
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift() as T;
      if (!this.#closed) this.#onDrain?.();
      return Promise.resolve({ value, done: false });
    }
    if (this.#closed) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
    }
    if (this.#waiting) return Promise.reject(new TypeError('a channel has one consumer'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#onDrain?.();
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#items.length = 0;
    this.close();
    this.#onReturn?.();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
