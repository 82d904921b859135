import { HandlerError } from '../../core/errors.ts';
import type { Job, StopReason } from '../handler.ts';
import type { HostProcess } from './host-process.ts';
import { errorOf, type HostEnd } from './messages.ts';

/** One begin of a job in a host process, as the worker sees it. */
export class RemoteJob {
  readonly id: number;
  readonly job: Job;
  readonly host: HostProcess;
  /** True when the job is up; false when it was over before. */
  readonly up: Promise<boolean>;
  /** Settles when nothing of the job is at work any more. */
  readonly over: Promise<HostEnd | { kind: 'died'; error: HandlerError }>;
  /** What `stop` of the handler threw. */
  stopFailure: unknown;
  #isUp!: (running: boolean) => void;
  #isOver!: (end: Awaited<RemoteJob['over']>) => void;

  constructor(id: number, job: Job, host: HostProcess) {
    this.id = id;
    this.job = job;
    this.host = host;
    this.up = new Promise(resolve => {
      this.#isUp = resolve;
    });
    this.over = new Promise(resolve => {
      this.#isOver = resolve;
    });
  }

  running(): void {
    this.#isUp(true);
  }

  ended(end: Awaited<RemoteJob['over']>): void {
    this.#isOver(end);
    this.#isUp(false);
  }
}

/** What a handler throws for a job that ended so; undefined when it was completed. */
export function thrownFor(end: Awaited<RemoteJob['over']>): unknown {
  switch (end.kind) {
    case 'completed':
      return undefined;
    case 'failed':
      return errorOf(end.failure);
    case 'died':
      return end.error;
    case 'stopped':
      return new HandlerError('its host process did not hear of the renewal of the lease in time');
  }
}

/** Why a job must end while the lease stands, from what its signal aborted with. */
export function reasonOf(aborted: unknown): StopReason {
  switch ((aborted as { code?: unknown }).code) {
    case 'JOB_STOPPED':
      return 'stop';
    case 'JOB_MOVED':
      return 'move';
    case 'JOB_DRAINED':
      return 'drain';
    default:
      return 'lost';
  }
}
