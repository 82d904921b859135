/** What a worker runs. The presence of `run` makes a handler one of tasks, that of `start` one of services. */
import type { Bytes } from '../core/bytes.ts';

/**
 * Why a handler must end a job: somebody asked for it (`stop`), its owner is another worker now (`move`), the worker
 * leaves (`drain`), the worker's lease is over (`fenced`), or the job is not the worker's any more (`lost`).
 */
export type StopReason = 'stop' | 'move' | 'drain' | 'fenced' | 'lost';

/** The lease a job is run under. */
export interface JobLease {
  /** False from the deadline on. */
  readonly owned: boolean;
  /** Time to the deadline, in ms; negative after it. */
  leftMs(): number;
}

export interface Job {
  readonly key: string;
  readonly payload: Buffer;
  /** Strictly increasing with every assignment: a resource that remembers the highest can refuse an older owner. */
  readonly token: number;
  /** 1 for the first. */
  readonly attempt: number;
  readonly group: string;
  readonly pool: string;
  /** The lease the job is run under: that of its worker in the shard of the job. */
  readonly lease: JobLease;
  /**
   * Aborts when the job must end. Its reason is a `StopRequestedError` (stop, move, drain: the job is still ours until the
   * handler has stopped) or a `LeaseLostError` (fenced, lost: it is not).
   */
  readonly signal: AbortSignal;
  /**
   * To be called before a side effect; answers from the local clock, without I/O.
   * @throws LeaseLostError when the job is not this worker's any more.
   */
  assertOwned(): void;
  /** For services that end by themselves: the job is done. */
  complete(result?: Bytes): void;
  /** For services that break by themselves: the attempt failed. */
  fail(error: unknown): void;
}

/** A worker's lease, for handlers whose work outlives the event loop, such as child processes. */
export interface WorkerLease extends JobLease {
  readonly stopBudgetMs: number;
  /** Calls after each renewal; the returned function ends that. */
  onRenewed(listener: () => void): () => void;
  /** Calls when the lease is over, before the handlers are told; the returned function ends that. */
  onLost(listener: () => void): () => void;
  /** Gives the lease up: the handler cannot be trusted to end what it runs. Its jobs stop, and are others' after the lease. */
  lose(why: string): void;
  /** Tells something by the `error` event of the worker. */
  report(error: unknown): void;
}

interface HandlerHooks {
  /** Called with the worker's lease before its first job; in a pool of several shards, once for the lease of each. */
  attach?(lease: WorkerLease): Promise<void> | void;
  /**
   * Called before the worker takes jobs again after it lost the lease. While it throws, the worker stays away, and asks
   * again.
   */
  prepare?(lease: WorkerLease): Promise<void> | void;
  /** Called after the last job under that lease. */
  detach?(lease: WorkerLease): Promise<void> | void;
  /** Ends the job; when the promise settles nothing of it may be at work any more. */
  stop?(job: Job, reason: StopReason): Promise<void> | void;
  /** Notifications of one job, one after the other, in order. */
  notify?(job: Job, payload: Buffer): Promise<void> | void;
}

/** `start` settles once the job is up; it then runs until stopped, and moves with the fleet. */
export interface ServiceHandler extends HandlerHooks {
  start(job: Job): Promise<void> | void;
}

/**
 * The promise of `run` settling ends the job; what it gives is the result. A running task is not moved when the fleet
 * changes. One that was told to stop and gives nothing counts as not done: unless somebody asked for the stop, it runs again.
 */
export interface TaskHandler extends HandlerHooks {
  // biome-ignore lint/suspicious/noConfusingVoidType: an async function that gives nothing is a Promise<void>
  run(job: Job, signal: AbortSignal): Promise<Bytes | void> | Bytes | void;
}

export type JobHandler = ServiceHandler | TaskHandler;

export function isTaskHandler(handler: JobHandler): handler is TaskHandler {
  return typeof (handler as TaskHandler).run === 'function';
}
