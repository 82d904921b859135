/**
 * What a supervisor and its host process say to each other, over the channel that Node gives a child process, as
 * structured clones: bytes stay bytes, and a key of any bytes stays that key. `id` is one begin of one job.
 */
import { inspect } from 'node:util';
import type { Bytes } from '../../core/bytes.ts';
import { PonosError } from '../../core/errors.ts';
import type { StopReason } from '../handler.ts';
import type { Assignment } from '../job-run.ts';
import type { Moment } from '../moment.ts';

export type ToHost =
  | { kind: 'load'; url: string; name: string; tellsUnhandled: boolean }
  /** Until then the jobs are owned. */
  | { kind: 'deadline'; deadline: Moment }
  /** The lease is over. */
  | { kind: 'fence' }
  | { kind: 'begin'; id: number; assignment: Assignment; group: string; pool: string }
  | { kind: 'stop'; id: number; reason: StopReason }
  | { kind: 'note'; id: number; note: number; payload: Buffer };

export type FromHost =
  | { kind: 'loaded'; isTask: boolean; takesNotes: boolean }
  | { kind: 'refused'; message: string; hint: string | undefined }
  | { kind: 'running'; id: number }
  | { kind: 'ended'; id: number; end: HostEnd }
  | { kind: 'noted'; note: number; failure: Failure | undefined }
  /** `stop` of the handler threw. */
  | { kind: 'stopFailed'; id: number; failure: Failure }
  | { kind: 'unhandled'; failure: Failure };

export type HostEnd =
  | { kind: 'completed'; result: Bytes | undefined }
  | { kind: 'failed'; failure: Failure }
  | { kind: 'stopped'; reason: StopReason };

/** Anything thrown, as it can be told to another process. */
export type Failure = string | { name: string; message: string; stack: string | undefined; code: string | undefined };

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : inspect(error);
  const { name, message, stack } = error;
  return { name, message, stack, code: error instanceof PonosError ? error.code : undefined };
}

/** As good as it was, but for its class. */
export function errorOf(failure: Failure): unknown {
  if (typeof failure === 'string') return failure;
  const { name, message, stack, code } = failure;
  const error = Object.assign(new Error(message), { name, ...(code === undefined ? {} : { code }) });
  if (stack !== undefined) error.stack = stack;
  return error;
}
