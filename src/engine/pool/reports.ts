/**
 * Tells Redis that jobs started or ended, in batches: what happens in one tick leaves in one script. A batch whose reply
 * was lost is sent again; the token makes the repetition harmless. A job that ended before its start was told is only
 * told ended.
 */
import type { Bytes } from '../core/bytes.ts';
import { sleep } from '../core/clock.ts';
import type { Argument } from '../redis/script.ts';
import { jobKeyBytes } from './job-key.ts';
import type { JobRun } from './job-run.ts';
import { type PersistOptions, persist, UNSURE_RETRY_MS } from './persist.ts';
import type { SettleOutcome, Shard } from './shard.ts';

/** What `started` answers about one job. */
export type StartedState =
  | { kind: 'gone' }
  | { kind: 'unknown' }
  | { kind: 'stopping' }
  | { kind: 'running'; noteCount: number };

interface Ending {
  run: JobRun;
  outcome: SettleOutcome;
  result: Bytes;
  resolve: (known: boolean) => void;
}

/** Bounds the time one script holds Redis. */
const MAX_BATCH = 200;

export interface ReportsOptions extends PersistOptions {
  shard: Shard;
  worker: string;
  /** After a service ran so long its failed attempts are forgotten. */
  stableMs: () => number;
  /** The handler wants notifications. */
  takesNotes: boolean;
  onStarted: (run: JobRun, state: StartedState) => void;
}

export class Reports {
  readonly #options: ReportsOptions;
  #starts: JobRun[] = [];
  #endings: Ending[] = [];
  #planned = false;
  readonly #sending = new Set<Promise<void>>();

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  started(run: JobRun): void {
    this.#starts.push(run);
    this.#plan();
  }

  /** Resolves when recorded: false when the job was not this worker's any more. */
  ended(run: JobRun, outcome: SettleOutcome, result: Bytes): Promise<boolean> {
    return new Promise(resolve => {
      this.#endings.push({ run, outcome, result, resolve });
      this.#plan();
    });
  }

  /** Resolves when everything told so far is recorded, or the signal aborted. */
  async idle(): Promise<void> {
    while (this.#planned || this.#sending.size > 0) {
      if (this.#sending.size > 0) await Promise.all(this.#sending);
      else await new Promise<void>(resolve => process.nextTick(resolve));
    }
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    process.nextTick(() => {
      this.#planned = false;
      const starts = this.#starts.filter(run => !run.over);
      const endings = this.#endings;
      this.#starts = [];
      this.#endings = [];
      for (let at = 0; at < starts.length; at += MAX_BATCH)
        this.#track(this.#sendStarts(starts.slice(at, at + MAX_BATCH)));
      for (let at = 0; at < endings.length; at += MAX_BATCH) {
        this.#track(this.#sendEndings(endings.slice(at, at + MAX_BATCH)));
      }
    });
  }

  #track(sending: Promise<void>): void {
    this.#sending.add(sending);
    sending.finally(() => this.#sending.delete(sending)).catch(this.#options.onError);
  }

  async #sendStarts(runs: JobRun[]): Promise<void> {
    const { shard, worker, stableMs, takesNotes, onStarted } = this.#options;
    const stable = stableMs();
    const items: Argument[] = [];
    for (const run of runs) items.push(jobKeyBytes(run.key), run.token, run.isTask ? '' : stable);
    const reply = await persist(this.#options, () => shard.started(worker, items, takesNotes));
    reply?.states.forEach((state, index) => {
      onStarted(runs[index] as JobRun, startedState(state));
    });
  }

  async #sendEndings(endings: Ending[]): Promise<void> {
    const { shard, worker } = this.#options;
    const items: Argument[] = [];
    for (const { run, outcome, result } of endings) items.push(jobKeyBytes(run.key), run.token, outcome, result);
    const reply = await persist(this.#options, () => shard.settle(worker, items));
    const unsure: Ending[] = [];
    endings.forEach((ending, index) => {
      const state = String(reply?.states[index]);
      if (state === 'unknown') unsure.push(ending);
      else ending.resolve(state === 'ended');
    });
    if (unsure.length === 0) return;
    // In quarantine: the worker asserts first what it holds.
    await sleep(this.#options.clock, UNSURE_RETRY_MS, this.#options.signal);
    await this.#sendEndings(unsure);
  }
}

function startedState(state: unknown): StartedState {
  if (typeof state === 'number') return { kind: 'running', noteCount: state };
  const kind = String(state);
  return { kind: kind === 'stopping' || kind === 'unknown' ? kind : 'gone' };
}
