import { type Clock, within } from '../core/clock.ts';
import type { JobRun } from './job-run.ts';

/**
 * Handlers that were told to stop, had their time for it, and are at work all the same. Nothing but the end of the process
 * helps; until then their keys are not begun here again, and jobs that are still this worker's are not given up.
 */
export class Zombies {
  readonly #clock: Clock;
  readonly #onFound: (keys: string[]) => void;
  readonly #runs = new Set<JobRun>();

  constructor(clock: Clock, onFound: (keys: string[]) => void) {
    this.#clock = clock;
    this.#onFound = onFound;
  }

  get count(): number {
    return this.#runs.size;
  }

  /** They were told to stop: resolves when all have ended, or their time is over. */
  async watch(told: Iterable<JobRun>, budgetMs: number): Promise<void> {
    const runs = [...told];
    const ended = Promise.all(runs.map(run => run.ended));
    await within(this.#clock, budgetMs, ended, () => this.#find(runs));
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
