/**
 * One job in the hands of a handler. States: starting, running, ended; a stop may come in any of them and takes effect in
 * good order: the signal aborts at once, a service that is still starting is stopped once it is up, a task is waited for.
 * `ended` settles when nothing of the job is at work any more, and never rejects. User code runs under no lock.
 */
import type { Bytes } from '../core/bytes.ts';
import { LeaseLostError, StopRequestedError } from '../core/errors.ts';
import {
  isTaskHandler,
  type Job,
  type JobHandler,
  type JobLease,
  type StopReason,
  type TaskHandler,
} from './handler.ts';
import { type Hash64, hash64 } from './hash.ts';
import { jobKeyBytes } from './job-key.ts';

export interface Assignment {
  readonly key: string;
  readonly payload: Buffer;
  readonly token: number;
  readonly attempt: number;
  /** Worker group it is recorded for, where that may be another than the worker's. */
  readonly group?: string;
  /** Id of the dispatch, and what it asked for: to write the record again should Redis lose it. */
  readonly dispatch: string;
  readonly terms: string;
}

export type RunEnd =
  | { kind: 'completed'; result: Bytes | undefined }
  | { kind: 'failed'; error: unknown }
  | { kind: 'stopped'; reason: StopReason };

export interface RunContext {
  readonly handler: JobHandler;
  readonly lease: JobLease & {
    /** As `owned`; gives the lease up when it is over. */
    check(): boolean;
  };
  readonly group: string;
  readonly pool: string;
  /** Calls the handler's `run` or `start`; default just that. */
  around?<T>(run: JobRun, act: () => T): T;
  /** A handler's `stop` threw: told, and the job counts as stopped. */
  onHandlerError(run: JobRun, error: unknown): void;
}

export class JobRun {
  readonly assignment: Assignment;
  readonly isTask: boolean;
  /** Worker group the job belongs to; another than its worker's once somebody gave it to that. */
  group: string;
  readonly job: Job;
  readonly #context: RunContext;
  #state: 'starting' | 'running' | 'ended' = 'starting';
  #reason: StopReason | undefined;
  #controller: AbortController | undefined;
  #end: RunEnd | undefined;
  /** Made when asked for: most jobs run for long with nobody waiting for their end. */
  #ended: PromiseWithResolvers<RunEnd> | undefined;
  #onEnded: ((end: RunEnd) => void) | undefined;
  #startSettled: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #hash: Hash64 | undefined;

  constructor(assignment: Assignment, context: RunContext) {
    this.assignment = assignment;
    this.#context = context;
    this.isTask = isTaskHandler(context.handler);
    this.group = assignment.group ?? context.group;
    this.job = new RunningJob(this, context);
  }

  get key(): string {
    return this.assignment.key;
  }

  get token(): number {
    return this.assignment.token;
  }

  /** Place of the key in the hash space. */
  get hash(): Hash64 {
    this.#hash ??= hash64(jobKeyBytes(this.key));
    return this.#hash;
  }

  get running(): boolean {
    return this.#state === 'running' && this.#reason === undefined;
  }

  get starting(): boolean {
    return this.#state === 'starting' && this.#reason === undefined;
  }

  get over(): boolean {
    return this.#state === 'ended';
  }

  get stopReason(): StopReason | undefined {
    return this.#reason;
  }

  /** Settles when nothing of the job is at work any more; never rejects. */
  get ended(): Promise<RunEnd> {
    if (!this.#ended) {
      this.#ended = Promise.withResolvers();
      if (this.#end) this.#ended.resolve(this.#end);
    }
    return this.#ended.promise;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Calls the handler. `onRunning` is called once the job is up, `onEnded` before `ended` settles. */
  begin(onRunning: () => void, onEnded: (end: RunEnd) => void): void {
    const { handler } = this.#context;
    this.#onEnded = onEnded;
    if (isTaskHandler(handler)) {
      this.#state = 'running';
      onRunning();
      this.#startSettled = this.#runTask(() => this.#call(() => handler.run(this.job, this.job.signal)));
    } else this.#startSettled = this.#startService(() => this.#call(() => handler.start(this.job)), onRunning);
  }

  /** Ends the job. Legal at any time and more than once; the first reason stands, a lost lease overrides. */
  stop(reason: StopReason): Promise<RunEnd> {
    if (this.#state === 'ended') return this.ended;
    const ownershipLost = reason === 'fenced' || reason === 'lost';
    if (this.#reason === undefined || ownershipLost) this.#reason = reason;
    if (this.#stopping === undefined) {
      if (!this.#controller?.signal.aborted) this.#abort(reason);
      this.#stopping = this.#stop();
    }
    return this.ended;
  }

  #call<T>(act: () => T): T {
    return this.#context.around ? this.#context.around(this, act) : act();
  }

  async #runTask(run: () => ReturnType<TaskHandler['run']>): Promise<void> {
    try {
      const result = await run();
      // Told to stop, many return early: without a result that does not count as done.
      if (this.#reason && result === undefined) this.#finish({ kind: 'stopped', reason: this.#reason });
      else this.#finish({ kind: 'completed', result: result ?? undefined });
    } catch (error) {
      this.#finish(this.#reason ? { kind: 'stopped', reason: this.#reason } : { kind: 'failed', error });
    }
  }

  async #startService(start: () => Promise<void> | void, onRunning: () => void): Promise<void> {
    try {
      const starting = start();
      if (starting instanceof Promise) await starting;
    } catch (error) {
      this.#finish(this.#reason ? { kind: 'stopped', reason: this.#reason } : { kind: 'failed', error });
      return;
    }
    if (this.#state !== 'starting') return;
    this.#state = 'running';
    if (this.#reason === undefined) onRunning();
  }

  async #stop(): Promise<void> {
    const { handler } = this.#context;
    if (!this.isTask) await this.#startSettled;
    if (this.over) return;
    try {
      await handler.stop?.(this.job, this.#reason ?? 'stop');
    } catch (error) {
      this.#context.onHandlerError(this, error);
    }
    // A task ends when its promise does: only then is nothing of it at work.
    if (!this.isTask) this.#finish({ kind: 'stopped', reason: this.#reason ?? 'stop' });
  }

  #finish(end: RunEnd): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#end = end;
    this.#onEnded?.(end);
    this.#ended?.resolve(end);
  }

  /** A service says so itself. */
  endByItself(end: RunEnd): void {
    if (!this.isTask && this.#reason === undefined) this.#finish(end);
  }

  /** @throws LeaseLostError */
  assertOwned(): void {
    const ours = !this.over && this.#reason !== 'lost' && this.#reason !== 'fenced';
    if (ours && this.#context.lease.check()) return;
    throw new LeaseLostError(`job "${this.key}" is not this worker's any more`);
  }

  #abort(reason: StopReason): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(stopError(reason, this.key));
  }
}

/** What the handler sees of a run. A class, because a worker may hold tens of thousands. */
class RunningJob implements Job {
  readonly key: string;
  readonly payload: Buffer;
  readonly token: number;
  readonly attempt: number;
  readonly group: string;
  readonly lease: JobLease;
  readonly pool: string;
  readonly #run: JobRun;

  constructor(run: JobRun, { group, lease, pool }: RunContext) {
    const { key, payload, token, attempt } = run.assignment;
    this.key = key;
    this.payload = payload;
    this.token = token;
    this.attempt = attempt;
    this.group = group;
    this.lease = lease;
    this.pool = pool;
    this.#run = run;
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  assertOwned(): void {
    this.#run.assertOwned();
  }

  complete(result?: Bytes): void {
    this.#run.endByItself({ kind: 'completed', result });
  }

  fail(error: unknown): void {
    this.#run.endByItself({ kind: 'failed', error });
  }
}

function stopError(reason: StopReason, key: string): Error {
  switch (reason) {
    case 'stop':
      return new StopRequestedError('JOB_STOPPED', `job "${key}" was asked to stop`);
    case 'move':
      return new StopRequestedError('JOB_MOVED', `job "${key}" moves to another worker`);
    case 'drain':
      return new StopRequestedError('JOB_DRAINED', `job "${key}" leaves with its worker`);
    case 'fenced':
      return new LeaseLostError(`the lease of the worker of job "${key}" is over`);
    case 'lost':
      return new LeaseLostError(`job "${key}" is not this worker's any more`);
  }
}
