import type { Noun } from '../present/columns.ts';
import { formatCount } from '../present/human.ts';
import { safeText } from '../present/safe-text.ts';
import { type Failure, failureOf, throwFailures } from './failures.ts';
import type { Output } from './output.ts';

/** More than that are counted, not told one by one. */
const MAX_TOLD = 20;

export interface ActRow {
  /** What was done, or `failed`. */
  status: string;
  error: Failure | null;
}

/** Collects what became of each of many things that were acted on, tells it, and in the end whether all went well. */
export class ActResults<Row extends ActRow> {
  readonly #output: Output;
  readonly #noun: Noun<Row>;
  readonly #words: { done: string; thing: string };
  readonly #rows: Row[] = [];
  #failedCount = 0;
  #firstError: unknown;

  /** `words` make a sentence: `purged 12 jobs`. */
  constructor(output: Output, noun: Noun<Row>, words: { done: string; thing: string }) {
    this.#output = output;
    this.#noun = noun;
    this.#words = words;
  }

  /** `error` undefined: it was done. */
  add(row: Row, error?: unknown): void {
    if (error === undefined) {
      this.#rows.push(row);
      return;
    }
    if (this.#failedCount++ === 0) this.#firstError = error;
    this.#rows.push({ ...row, status: 'failed', error: failureOf(error) });
  }

  /** @throws as `throwFailures` */
  async tell(): Promise<void> {
    const doneCount = this.#rows.length - this.#failedCount;
    const failures = this.#rows.filter(({ error }) => error !== null);
    // The first is told by the error.
    for (const { error } of failures.slice(1, MAX_TOLD)) await this.#output.note(safeText(error?.message ?? ''));
    if (doneCount > 0 || this.#failedCount === 0) {
      await this.#output.note(`${this.#words.done} ${formatCount(doneCount, this.#words.thing)}`);
    }
    if (this.#output.looks.format !== 'table') await this.#output.list(this.#noun, this.#rows);
    throwFailures({ doneCount, failedCount: this.#failedCount, firstError: this.#firstError });
  }
}
