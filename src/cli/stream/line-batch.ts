import type { ByteSink } from '../byte-sink.ts';

const BATCH_LINES = 1000;

/** Writes the lines of one turn of the event loop together: a write for each of many short lines costs more than they do. */
export class LineBatch {
  readonly #sink: ByteSink;
  #lines: string[] = [];
  #scheduled = false;
  #failure: unknown;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** @throws what an earlier write failed with. */
  async add(line: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lines.push(line);
    if (this.#lines.length >= BATCH_LINES) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush().catch((error: unknown) => {
        this.#failure = error;
      });
    });
  }

  async flush(): Promise<void> {
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    await this.#sink.write(`${lines.join('\n')}\n`);
  }
}
