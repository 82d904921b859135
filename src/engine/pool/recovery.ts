/**
 * What a worker says after Redis lost something: a failover to a replica that missed the last seconds, a restart, a flush.
 * It asserts the jobs it holds, and those it had to stop meanwhile, so that none is forgotten, and ends again those it ended
 * in the last minute, so that none comes back. The scripts decide: the highest token wins, and only in quarantine.
 */
import { byteLength } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import type { Argument } from '../redis/script.ts';
import { jobKeyBytes } from './job-key.ts';
import type { Assignment, JobRun } from './job-run.ts';
import type { SettleOutcome, Shard } from './shard.ts';

const REMEMBERED_MS = 60_000;
const REMEMBERED_COUNT = 10_000;
const ITEMS_AT_ONCE = 100;
/** Bounds what one script is sent. */
const BYTES_AT_ONCE = 1_048_576;

/** A job that ended, without its payload. */
interface Ended {
  readonly key: string;
  readonly dispatch: string;
  readonly token: number;
  readonly outcome: SettleOutcome;
  readonly atMs: number;
}

interface Claim {
  readonly assignment: Assignment;
  readonly state: 'assigned' | 'running' | 'pending';
  readonly run: JobRun | undefined;
}

export interface RecoveryOptions {
  shard: Shard;
  clock: Clock;
  worker: string;
  group: string;
  /** After so long a service has its failed attempts behind it. */
  stableMs: () => number;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  /** Jobs ended in the last minute, by token, oldest first. */
  readonly #ended = new Map<number, Ended>();
  /** Jobs stopped because the lease was over, until Redis is known to have them. */
  readonly #stopped = new Map<string, Assignment>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  ended({ key, token, assignment }: JobRun, outcome: SettleOutcome): void {
    const atMs = this.#options.clock.monotonicMs();
    this.#ended.set(token, { key, dispatch: assignment.dispatch, token, outcome, atMs });
    for (const old of this.#ended.values()) {
      if (this.#ended.size <= REMEMBERED_COUNT && atMs - old.atMs <= REMEMBERED_MS) return;
      this.#ended.delete(old.token);
    }
  }

  fenced(run: JobRun): void {
    this.#stopped.set(run.key, run.assignment);
  }

  /** Redis is the one it was: what was stopped is recorded there. */
  confirmed(): void {
    this.#stopped.clear();
  }

  /** Asserts `held` and what was stopped, ends again what had ended. False when the lease is over in Redis. */
  async assert(incarnation: number, held: Iterable<JobRun>, onStale: (run: JobRun) => void): Promise<boolean> {
    const { shard, worker } = this.#options;
    const claims: Claim[] = [];
    for (const run of held) {
      claims.push({ assignment: run.assignment, state: run.starting ? 'assigned' : 'running', run });
      this.#stopped.delete(run.key);
    }
    for (const assignment of this.#stopped.values()) claims.push({ assignment, state: 'pending', run: undefined });
    for (const batch of batches(claims, ({ assignment }) => byteLength(assignment.payload))) {
      const items = batch.flatMap(claim => this.#item(claim));
      const reply = await shard.reassert(worker, incarnation, items);
      if (reply.status === 'EXPIRED') return false;
      batch.forEach(({ run }, index) => {
        if (run && String(reply.states[index]) === 'stale') onStale(run);
      });
    }
    for (const batch of batches([...this.#ended.values()], () => 0)) {
      await shard.resettle(
        batch.flatMap(({ key, dispatch, token, outcome }): Argument[] => [
          jobKeyBytes(key),
          dispatch,
          token,
          outcome,
          '',
        ]),
      );
    }
    this.#stopped.clear();
    return true;
  }

  #item({ assignment, state, run }: Claim): Argument[] {
    const { group, stableMs } = this.#options;
    const { key, token, dispatch, terms, payload } = assignment;
    // An attempt that did not come to its end does not count.
    const attempt = state === 'pending' ? Math.max(0, assignment.attempt - 1) : assignment.attempt;
    const stable = run && !run.isTask ? stableMs() : '';
    const belongsTo = run?.group ?? assignment.group ?? group;
    return [jobKeyBytes(key), token, state, attempt, stable, belongsTo, dispatch, terms, payload];
  }
}

function* batches<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    if (batch.length >= ITEMS_AT_ONCE || (batch.length > 0 && bytes + bytesOf(item) > BYTES_AT_ONCE)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += bytesOf(item);
  }
  if (batch.length > 0) yield batch;
}
