import type { StopReason } from './handler.ts';

/** What a worker tells while it works. None of it is needed for correctness. */
export interface WorkerEvents {
  /** It is a member now; `incarnation` counts up after every fence. */
  registered: { incarnation: number };
  started: { key: string; token: number; attempt: number };
  completed: { key: string; token: number };
  /** The handler has ended the job. */
  stopped: { key: string; token: number; reason: StopReason };
  /** The job was given up: to a worker, or back to the queue. */
  moved: { key: string; token: number; to: string | null };
  /** An attempt failed; `dead` when it was the last. */
  failed: { key: string; token: number; error: unknown; dead: boolean };
  /** The lease is over: every handler was told to stop. */
  fenced: { incarnation: number; jobCount: number };
  /**
   * Handlers that were told to stop, did not within their budget, and are at work all the same. A job that is still the
   * worker's stays so until its handler has stopped.
   */
  zombies: { keys: string[] };
  /** The event loop runs so late that the lease is at risk: something blocks it. `p99Ms` is the 99th percentile. */
  lagging: { p99Ms: number; limitMs: number };
  /** A `stop` or `notify` of the handler threw. */
  handlerError: { key: string; error: unknown };
  /** It takes no jobs any more. */
  draining: undefined;
  left: undefined;
  /** A step in the background failed; it is tried again. */
  error: unknown;
}

/** Each shard tells them of itself. */
export const SHARD_EVENTS = [
  'registered',
  'started',
  'completed',
  'stopped',
  'moved',
  'failed',
  'fenced',
  'zombies',
  'lagging',
  'handlerError',
  'error',
] as const satisfies readonly (keyof WorkerEvents)[];

/** They concern the worker as a whole, and are told once. */
const WHOLE_EVENTS = ['draining', 'left'] as const satisfies readonly Exclude<
  keyof WorkerEvents,
  (typeof SHARD_EVENTS)[number]
>[];

/** The name of every event of a worker. */
export const workerEventNames: readonly (keyof WorkerEvents)[] = [...SHARD_EVENTS, ...WHOLE_EVENTS];
