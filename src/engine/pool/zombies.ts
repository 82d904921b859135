import { type Clock, within } from '../core/clock.ts';
import type { JobRun } from './job-run.ts';

/**
 * Handlers that were told that their job is not this worker's any more, had their time to stop, and are at work all the
 * same. Nothing but the end of the process helps; until then their keys are not begun here again.
 */
export class Zombies {
  readonly #clock: Clock;
  readonly #budgetMs: () => number;
  readonly #onFound: (keys: string[]) => void;
  readonly #runs = new Set<JobRun>();

  constructor(clock: Clock, budgetMs: () => number, onFound: (keys: string[]) => void) {
    this.#clock = clock;
    this.#budgetMs = budgetMs;
    this.#onFound = onFound;
  }

  get count(): number {
    return this.#runs.size;
  }

  /** Jobs were lost: resolves when all have ended, or their time is over. */
  async watch(lost: Iterable<JobRun>): Promise<void> {
    const runs = [...lost];
    const ended = Promise.all(runs.map(run => run.ended));
    await within(this.#clock, this.#budgetMs(), ended, () => this.#find(runs));
  }

  #find(runs: JobRun[]): void {
    const found = runs.filter(run => !run.over && !this.#runs.has(run));
    if (found.length === 0) return;
    for (const run of found) {
      this.#runs.add(run);
      // `ended` never rejects.
      run.ended.then(() => this.#runs.delete(run)).catch(() => {});
    }
    this.#onFound(found.map(run => run.key));
  }
}
