import { formatCount } from '../../present/human.ts';
import { type DeadJobResult, deadJobNoun } from '../../present/nouns/dead-jobs.ts';
import { safeText } from '../../present/safe-text.ts';
import { failureOf, throwFailures } from '../failures.ts';
import type { Output } from '../output.ts';

/** More than that are counted, not told one by one. */
const MAX_TOLD = 20;

/** Collects what became of each job, tells it, and in the end whether all went well. */
export class DeadResults {
  readonly #output: Output;
  readonly #done: string;
  readonly #rows: DeadJobResult[] = [];
  #failedCount = 0;
  #firstError: unknown;

  constructor(output: Output, done: 'purged' | 'retried') {
    this.#output = output;
    this.#done = done;
  }

  /** `error` undefined: it was done. */
  add(key: string, error?: unknown): void {
    if (error === undefined) {
      this.#rows.push({ key, status: this.#done, error: null });
      return;
    }
    if (this.#failedCount++ === 0) this.#firstError = error;
    this.#rows.push({ key, status: 'failed', error: failureOf(error) });
  }

  /** @throws as `throwFailures` */
  async tell(): Promise<void> {
    const doneCount = this.#rows.length - this.#failedCount;
    const failures = this.#rows.filter(({ error }) => error !== null);
    for (const { error } of failures.slice(0, MAX_TOLD)) await this.#output.note(safeText(error?.message ?? ''));
    await this.#output.note(`${this.#done} ${formatCount(doneCount, 'job')}`);
    if (this.#output.looks.format !== 'table') await this.#output.list(deadJobNoun, this.#rows);
    throwFailures({ doneCount, failedCount: this.#failedCount, firstError: this.#firstError });
  }
}
