/**
 * What a worker says after Redis lost something: a failover to a replica that missed the last seconds, a restart, a flush.
 * It asserts the jobs it holds, and those it had to stop meanwhile, so that none is forgotten, and ends again those it ended
 * in the last minute, so that none comes back. The scripts decide: the highest token wins, and only in quarantine.
 */
import { type Bytes, byteLength } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import type { Argument } from '../redis/script.ts';
import { jobKeyBytes } from './job-key.ts';
import type { Assignment, JobRun } from './job-run.ts';
import type { SettleOutcome, Shard } from './shard.ts';
import { formatDigest, parseTerms } from './terms.ts';

const REMEMBERED_MS = 60_000;
const REMEMBERED_COUNT = 10_000;
/**
 * What was given up is remembered for less than the outcome of a job is (`lua/_end.lua`), so that one that has ended since,
 * elsewhere, is known to have.
 */
const GIVEN_UP_MS = 10_000;
const GIVEN_UP_BYTES = 32 * 1_048_576;
/** Of results; the oldest are forgotten, and that their jobs have ended with them: rather run again than say nothing. */
const RESULT_BYTES = 32 * 1_048_576;
const ITEMS_AT_ONCE = 100;
/** Bounds what one script is sent. */
const BYTES_AT_ONCE = 1_048_576;

/** A job that ended, without its payload. */
interface Ended {
  readonly key: string;
  readonly dispatch: string;
  readonly token: number;
  readonly outcome: SettleOutcome | 'dead';
  readonly digest: string;
  readonly keepMs: number | undefined;
  /** Of one that is dead, why; else empty unless it is kept. */
  readonly result: Bytes;
  readonly attempt: number;
  readonly atMs: number;
}

/** A job that went back to the queue or to another worker, who may never have heard of it. */
interface GivenUp {
  readonly assignment: Assignment;
  readonly group: string;
  /** Attempts behind it. */
  readonly attempts: number;
  readonly atMs: number;
}

interface Claim {
  readonly assignment: Assignment;
  readonly state: 'assigned' | 'running' | 'stopping' | 'pending';
  readonly attempts: number;
  readonly group: string;
  readonly run: JobRun | undefined;
}

export interface RecoveryOptions {
  shard: Shard;
  clock: Clock;
  worker: string;
  /** After so long a service has its failed attempts behind it. */
  stableMs: () => number;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  /** Jobs ended in the last minute, by token, oldest first. */
  readonly #ended = new Map<number, Ended>();
  /** Bytes of their results, where there are any, by token, oldest first. */
  readonly #results = new Map<number, number>();
  #resultBytes = 0;
  /** Jobs given up in the last seconds, by key, oldest first. */
  readonly #givenUp = new Map<string, GivenUp>();
  #givenUpBytes = 0;
  /** Jobs stopped because the lease was over, until Redis is known to have them. */
  readonly #stopped = new Map<string, GivenUp>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** `attempt`: how many it took, as Redis counts them. */
  ended(
    { key, token, assignment }: JobRun,
    outcome: Ended['outcome'],
    result: Bytes = '',
    attempt = assignment.attempt,
  ): void {
    const atMs = this.#options.clock.monotonicMs();
    const { digest, keepMs } = parseTerms(assignment.terms);
    const kept = keepMs === undefined && outcome !== 'dead' ? '' : copyOf(result);
    this.#ended.set(token, {
      key,
      dispatch: assignment.dispatch,
      token,
      outcome,
      digest: formatDigest(digest),
      keepMs,
      result: kept,
      attempt,
      atMs,
    });
    const bytes = byteLength(kept);
    if (bytes > 0) this.#results.set(token, bytes);
    this.#resultBytes += bytes;
    for (const oldest of this.#results.keys()) {
      if (this.#resultBytes <= RESULT_BYTES) break;
      this.#forgetEnded(oldest);
    }
    for (const old of this.#ended.values()) {
      if (this.#ended.size <= REMEMBERED_COUNT && atMs - old.atMs <= REMEMBERED_MS) return;
      this.#forgetEnded(old.token);
    }
  }

  /** Told while the reason to stop is still the one of before: one that was asked to stop has ended by that. */
  fenced(run: JobRun): void {
    if (run.stopReason === 'stop') this.ended(run, 'stopped');
    else this.#stopped.set(run.key, this.#givenUpBy(run, run.assignment.attempt - 1));
  }

  /** Released, or failed with attempts left; `attempts` are behind it. */
  gaveUp(run: JobRun, attempts: number): void {
    this.#forget(run.key);
    const given = this.#givenUpBy(run, attempts);
    this.#givenUp.set(run.key, given);
    this.#givenUpBytes += byteLength(given.assignment.payload);
    for (const [key, old] of this.#givenUp) {
      const kept = given.atMs - old.atMs <= GIVEN_UP_MS && this.#givenUpBytes <= GIVEN_UP_BYTES;
      if (kept && this.#givenUp.size <= REMEMBERED_COUNT) return;
      this.#forget(key);
    }
  }

  /** Redis is the one it was: what was stopped is recorded there. */
  confirmed(): void {
    this.#stopped.clear();
  }

  /**
   * Asserts `held` and what was stopped, ends again what had ended. `onOver` is told of those held that are to end: somebody
   * asked for it (`stop`), or they are not this worker's any more (`lost`). False when the lease is over in Redis.
   */
  async assert(
    incarnation: string,
    held: Iterable<JobRun>,
    onOver: (run: JobRun, reason: 'stop' | 'lost') => void,
  ): Promise<boolean> {
    const { shard, worker } = this.#options;
    const claims: Claim[] = [];
    const waiting = new Map([...this.#recentlyGivenUp(), ...this.#stopped]);
    for (const run of held) {
      const { assignment, group } = run;
      claims.push({ assignment, state: stateOf(run), attempts: assignment.attempt, group, run });
      waiting.delete(run.key);
    }
    for (const given of waiting.values()) claims.push({ ...given, state: 'pending', run: undefined });
    for (const batch of batches(claims, ({ assignment }) => byteLength(assignment.payload))) {
      const items = batch.flatMap(claim => this.#item(claim));
      const reply = await shard.reassert(worker, incarnation, items);
      if (reply.status === 'EXPIRED') return false;
      batch.forEach(({ run }, index) => {
        const state = String(reply.states[index]);
        if (run && state === 'stale') onOver(run, 'lost');
        else if (run && state === 'stopping') onOver(run, 'stop');
      });
    }
    for (const batch of batches([...this.#ended.values()], ({ result }) => byteLength(result))) {
      await shard.resettle(
        batch.flatMap(({ key, dispatch, token, outcome, digest, keepMs, result, attempt }): Argument[] => [
          jobKeyBytes(key),
          dispatch,
          token,
          outcome,
          digest,
          keepMs ?? '',
          result,
          attempt,
        ]),
      );
    }
    this.#stopped.clear();
    return true;
  }

  #item({ assignment, state, attempts, group, run }: Claim): Argument[] {
    const { key, token, dispatch, terms, payload } = assignment;
    const stable = run && !run.isTask ? this.#options.stableMs() : '';
    return [jobKeyBytes(key), token, state, Math.max(0, attempts), stable, group, dispatch, terms, payload];
  }

  #givenUpBy({ assignment, group }: JobRun, attempts: number): GivenUp {
    return { assignment, group, attempts, atMs: this.#options.clock.monotonicMs() };
  }

  #recentlyGivenUp(): [string, GivenUp][] {
    const sinceMs = this.#options.clock.monotonicMs() - GIVEN_UP_MS;
    return [...this.#givenUp].filter(([, { atMs }]) => atMs >= sinceMs);
  }

  #forgetEnded(token: number): void {
    this.#ended.delete(token);
    this.#resultBytes -= this.#results.get(token) ?? 0;
    this.#results.delete(token);
  }

  #forget(key: string): void {
    const old = this.#givenUp.get(key);
    if (!old) return;
    this.#givenUp.delete(key);
    this.#givenUpBytes -= byteLength(old.assignment.payload);
  }
}

/** The caller's own may change under way to the next loss. */
function copyOf(bytes: Bytes): Bytes {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes);
}

function stateOf(run: JobRun): 'assigned' | 'running' | 'stopping' {
  if (run.stopReason === 'stop') return 'stopping';
  return run.starting ? 'assigned' : 'running';
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
