/** Holds back a source while what came from it and is still in use is over a size: a bound for large things in flight. */
export class ByteCredits {
  readonly #limitBytes: number;
  #usedBytes = 0;
  #wake: (() => void) | undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The same things, each when there is room for it. A single one over the limit passes alone. */
  async *admit<T extends { sizeBytes: number }>(source: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const thing of source) {
      while (this.#usedBytes > 0 && this.#usedBytes + thing.sizeBytes > this.#limitBytes) {
        await new Promise<void>(resolve => {
          this.#wake = resolve;
        });
      }
      this.#usedBytes += thing.sizeBytes;
      yield thing;
    }
  }

  /** Something of that size is no longer in use. */
  give(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    this.#wake?.();
  }
}
