import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteSink } from '../byte-sink.ts';

/** Lines that wait while others are written. */
const MOST_WAITING = 1000;

/** Writes the lines of one turn of the event loop together: a write for each of many short lines costs more than they do. */
export class LineBatch {
  readonly #sink: ByteSink;
  #lines: string[] = [];
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /**
   * Resolves when there is room for more.
   * @throws what an earlier write failed with.
   */
  async add(line: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lines.push(line);
    this.#writing ??= this.#write();
    if (this.#lines.length >= MOST_WAITING) await this.#writing;
  }

  /** Resolves when all is handed over. @throws what a write failed with. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #write(): Promise<void> {
    await nextTurn();
    try {
      while (this.#lines.length > 0) {
        const lines = this.#lines;
        this.#lines = [];
        await this.#sink.write(`${lines.join('\n')}\n`);
      }
    } catch (error) {
      this.#failure = error;
      this.#lines = [];
    }
    this.#writing = undefined;
  }
}
