/**
 * The jobs in a worker's hands, and what becomes of each: begun, told started, and when its handler has ended, in this
 * order: handler stopped, then recorded (settled, failed, released), then forgotten here. A key stands in the table until
 * that is recorded, so it is never begun twice. A new assignment of a key that is still ending waits for the end.
 */
import { byteLength } from '../core/bytes.ts';
import type { Emitter } from '../core/emitter.ts';
import { describeError, HandlerError } from '../core/errors.ts';
import { decodeText } from '../core/text.ts';
import type { JobHandler, StopReason } from './handler.ts';
import { jobKeyBytes } from './job-key.ts';
import { type Assignment, JobRun, type RunContext, type RunEnd } from './job-run.ts';
import type { Lease } from './lease.ts';
import { NoteDelivery } from './notes.ts';
import { type PersistOptions, persistSurely } from './persist.ts';
import { Recovery } from './recovery.ts';
import { Reports, type StartedState } from './reports.ts';
import type { ReleaseTarget, Shard } from './shard.ts';
import { tracedRun } from './tracing.ts';
import type { WorkerEvents } from './worker-events.ts';

export interface JobTableOptions {
  shard: Shard;
  worker: string;
  group: string;
  handler: JobHandler;
  lease: Lease;
  persist: PersistOptions;
  events: Emitter<WorkerEvents>;
  random: () => number;
  maxPayloadBytes: number;
  /** A job was told to stop while the lease stands; `lost`: it is not this worker's any more. */
  onStopping: (run: JobRun, lost: boolean) => void;
  /** Who takes a job that this worker gives up; undefined leaves it waiting. */
  heir: (run: JobRun, reason: 'move' | 'drain') => ReleaseTarget | undefined;
  /** There is room again, or a job ended without being given up: look at what is recorded. */
  onVacancy: (mustSync: boolean) => void;
}

export class JobTable {
  readonly #options: JobTableOptions;
  readonly #runs = new Map<string, JobRun>();
  readonly #waiting = new Map<string, Assignment>();
  #highestToken = 0;
  /** Of a job that has ended: settles when that is recorded and the job forgotten. */
  readonly #done = new Map<JobRun, Promise<void>>();
  /** Said to be no longer ours, maybe while they were ending anyway: their keys may be recorded here again by now. */
  readonly #lost = new Set<JobRun>();
  readonly #reports: Reports;
  readonly #notes: NoteDelivery | undefined;
  readonly #context: RunContext;
  readonly #recovery: Recovery;
  /** While leaving, what is still assigned is handed on and not begun, as is what belongs to another group. */
  leaving = false;

  constructor(options: JobTableOptions) {
    this.#options = options;
    const { shard, worker, handler, lease, group, events } = options;
    this.#context = {
      handler,
      lease,
      group,
      pool: shard.pool,
      around: (run, act) => tracedRun(shard.link.tracer, worker, run, act),
      onHandlerError: (run, error) => events.emit('handlerError', { key: run.key, error }),
    };
    const stableMs = () => shard.terms.leaseMs;
    this.#recovery = new Recovery({ shard, clock: options.persist.clock, worker, stableMs });
    this.#reports = new Reports({
      ...options.persist,
      shard,
      worker,
      stableMs,
      takesNotes: handler.notify !== undefined,
      onStarted: (run, state) => this.#told(run, state),
    });
    if (handler.notify) {
      this.#notes = new NoteDelivery(shard, options.persist, async (run, payload) => {
        try {
          await handler.notify?.(run.job, payload);
        } catch (error) {
          events.emit('handlerError', { key: run.key, error });
        }
      });
    }
  }

  /** Of all that were given to this worker. */
  get highestToken(): number {
    return this.#highestToken;
  }

  get size(): number {
    return this.#runs.size;
  }

  get(key: string): JobRun | undefined {
    return this.#runs.get(key);
  }

  runs(): Iterable<JobRun> {
    return this.#runs.values();
  }

  /** Begins an assigned job. Does nothing without a lease: what is recorded is claimed after the next registration. */
  begin(assignment: Assignment): void {
    const { key, token } = assignment;
    this.#highestToken = Math.max(this.#highestToken, token);
    if (!this.#options.lease.check()) return;
    const present = this.#runs.get(key);
    if (present) {
      if (token <= present.token) return;
      this.#waiting.set(key, assignment);
      this.#end(present, 'lost');
      return;
    }
    const run = new JobRun(assignment, this.#context);
    this.#runs.set(key, run);
    if (this.leaving || run.group !== this.#options.group) {
      this.#track(run, this.#handOn(run));
      return;
    }
    run.begin(
      () => {
        this.#options.events.emit('started', { key, token, attempt: assignment.attempt });
        this.#reports.started(run);
      },
      end => this.#track(run, this.#conclude(run, end)),
    );
  }

  /** Somebody asked the job to stop, or it is not ours any more. `token` names the assignment that is meant. */
  stop(key: string, reason: StopReason, token?: number): void {
    const run = this.#runs.get(key);
    if (run && (token === undefined || run.token === token)) this.#end(run, reason);
  }

  /** Ends the job in order and gives it up; resolves when that is recorded. */
  async give(run: JobRun, reason: 'move' | 'drain'): Promise<void> {
    this.#end(run, reason);
    await this.#settled(run);
  }

  /** The job belongs to another worker group now. False when there is no such job under that token. */
  regroup(key: string, token: number, group: string): boolean {
    const run = this.#runs.get(key);
    if (run?.token !== token) return false;
    run.group = group;
    return true;
  }

  /** There may be notifications for the job. */
  note(key: string): void {
    const run = this.#runs.get(key);
    if (run?.running) this.#notes?.wake(run);
  }

  /** Tells every handler that the lease is over. */
  fence(): void {
    this.#waiting.clear();
    for (const run of this.#runs.values()) {
      if (!run.over) this.#recovery.fenced(run);
      this.#end(run, 'fenced');
    }
  }

  /**
   * Redis may have lost something: says what is held here, and what ended of late. False when the lease is over in Redis.
   */
  reassert(incarnation: string): Promise<boolean> {
    const held = [...this.#runs.values()].filter(({ stopReason }) => stopReason !== 'fenced' && stopReason !== 'lost');
    return this.#recovery.assert(incarnation, held, (run, reason) => this.stop(run.key, reason, run.token));
  }

  /** Redis may have lost something, and the lease is over: what had to stop waits for somebody. */
  async putBack(incarnation: string): Promise<void> {
    await this.#recovery.assert(incarnation, [], () => {});
  }

  /** Redis is the one it was. */
  confirmed(): void {
    this.#recovery.confirmed();
  }

  /** Resolves when every job has ended and is recorded. */
  async idle(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all([...this.#runs.values()].map(run => this.#settled(run)));
    await this.#reports.idle();
  }

  async #settled(run: JobRun): Promise<void> {
    if (!this.#done.has(run)) await run.ended;
    await this.#done.get(run);
  }

  #end(run: JobRun, reason: StopReason): void {
    if (reason === 'lost' && !this.#lost.has(run)) {
      this.#lost.add(run);
      this.#options.onStopping(run, true);
    } else if (reason !== 'fenced' && !run.over && run.stopReason === undefined) this.#options.onStopping(run, false);
    run.stop(reason).catch(this.#options.persist.onError);
  }

  #track(run: JobRun, work: Promise<void>): void {
    const done = work.catch(this.#options.persist.onError).finally(() => this.#done.delete(run));
    this.#done.set(run, done);
  }

  #told(run: JobRun, state: StartedState): void {
    if (state.kind === 'gone') this.stop(run.key, 'lost', run.token);
    else if (state.kind === 'stopping') this.stop(run.key, 'stop', run.token);
    else if (state.kind === 'running' && state.noteCount > 0) this.note(run.key);
  }

  async #conclude(run: JobRun, end: RunEnd): Promise<void> {
    try {
      await this.#record(run, end);
    } finally {
      this.#forget(run, end.kind === 'stopped' && end.reason === 'fenced');
    }
  }

  async #record(run: JobRun, end: RunEnd): Promise<void> {
    const { events } = this.#options;
    const { key, token } = run;
    if (end.kind === 'completed') {
      const result = end.result ?? '';
      if (byteLength(result) > this.#options.maxPayloadBytes) {
        return this.#fail(run, new HandlerError(`result of ${byteLength(result)} bytes is over the limit`));
      }
      if (!(await this.#reports.ended(run, 'completed', result))) return;
      this.#recovery.ended(run, 'completed', result);
      events.emit('completed', { key, token });
      return;
    }
    if (end.kind === 'failed') return this.#fail(run, end.error);
    events.emit('stopped', { key, token, reason: end.reason });
    if (end.reason === 'stop') {
      if (await this.#reports.ended(run, 'stopped', '')) this.#recovery.ended(run, 'stopped');
    } else if (end.reason === 'move' || end.reason === 'drain') await this.#release(run, end.reason);
  }

  async #fail(run: JobRun, error: unknown): Promise<void> {
    const { shard, worker, random, events } = this.#options;
    const { key, token } = run;
    const failure = describeError(error);
    const reply = await persistSurely(this.#options.persist, () =>
      shard.fail(worker, jobKeyBytes(key), token, failure, random(), false),
    );
    if (reply?.status === 'RETRY') this.#recovery.gaveUp(run, reply.attempt);
    else if (reply?.status === 'DEAD') this.#recovery.ended(run, 'dead', failure, reply.attempt);
    else if (reply?.status === 'STOPPED') this.#recovery.ended(run, 'stopped');
    if (reply) events.emit('failed', { key, token, error, dead: reply.status === 'DEAD' });
  }

  async #release(run: JobRun, reason: 'move' | 'drain'): Promise<void> {
    const { shard, worker, heir, events } = this.#options;
    let target: ReleaseTarget | undefined;
    const reply = await persistSurely(this.#options.persist, () => {
      target = heir(run, reason);
      return shard.release(worker, jobKeyBytes(run.key), run.token, target, reason);
    });
    if (reply?.status === 'STOPPED') this.#recovery.ended(run, 'stopped');
    if (reply?.status !== 'ASSIGNED' && reply?.status !== 'PENDING') return;
    this.#recovery.gaveUp(run, run.assignment.attempt - 1);
    const to = reply.status === 'ASSIGNED' ? (target?.worker ?? null) : null;
    events.emit('moved', { key: run.key, token: run.token, to });
  }

  async #handOn(run: JobRun): Promise<void> {
    await this.#release(run, this.leaving ? 'drain' : 'move');
    this.#forget(run, false);
  }

  #forget(run: JobRun, fenced: boolean): void {
    const { key } = run;
    const lost = this.#lost.delete(run);
    if (this.#runs.get(key) === run) this.#runs.delete(key);
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (waiting) this.begin(waiting);
    this.#options.onVacancy(fenced || lost);
  }
}

/** A row of the lists that `claim` and `assign` answer with. */
export function assignmentOf(row: readonly unknown[]): Assignment {
  const [key, token, attempt, payload, dispatch, terms, group] = row as [
    Buffer,
    Buffer,
    number,
    Buffer,
    Buffer,
    Buffer,
    Buffer?,
  ];
  const assignment = {
    key: decodeText(key),
    token: Number(String(token)),
    attempt,
    payload,
    dispatch: String(dispatch),
    terms: String(terms),
  };
  return group ? { ...assignment, group: String(group) } : assignment;
}
