/** A standard stream written with back-pressure; a reader that goes away is an ordinary end, not a failure. */
import type { Writable } from 'node:stream';
import { OutputClosedError } from './errors.ts';

export class ByteSink {
  readonly #stream: Writable & { isTTY?: boolean; columns?: number };
  readonly #closed = new AbortController();

  constructor(stream: Writable & { isTTY?: boolean; columns?: number }) {
    this.#stream = stream;
    stream.on('error', () => this.#closed.abort(new OutputClosedError()));
    stream.on('close', () => this.#closed.abort(new OutputClosedError()));
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Columns of the terminal; undefined when it is none. */
  get columns(): number | undefined {
    return this.isTerminal ? this.#stream.columns || 80 : undefined;
  }

  /** Aborted when nobody reads any more: what produces should stop. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * Resolves when the stream takes more.
   * @throws OutputClosedError when nobody reads any more.
   */
  async write(chunk: string | Uint8Array): Promise<void> {
    if (this.#closed.signal.aborted) throw new OutputClosedError();
    if (!this.#stream.write(chunk)) await this.#drained();
    // A closed pipe is told on the next turn.
    if (this.#closed.signal.aborted) throw new OutputClosedError();
  }

  /** Resolves when all is handed over, or nobody reads any more. */
  async flush(): Promise<void> {
    while (!this.#closed.signal.aborted && this.#stream.writableLength > 0) {
      await new Promise<void>(resolve => {
        const done = () => resolve();
        this.#closed.signal.addEventListener('abort', done, { once: true });
        this.#stream.write('', done);
      });
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#stream.off('drain', onDrain);
        this.#closed.signal.removeEventListener('abort', onClosed);
        act();
      };
      const onDrain = () => settle(resolve);
      const onClosed = () => settle(() => reject(new OutputClosedError()));
      this.#stream.once('drain', onDrain);
      this.#closed.signal.addEventListener('abort', onClosed, { once: true });
    });
  }
}
