import { HandlerError } from '../../core/errors.ts';
import type { JobHandler } from '../handler.ts';
import { JobRun, type RunEnd } from '../job-run.ts';
import { HostLease } from './host-lease.ts';
import { type FromHost, failureOf, type HostEnd, type ToHost } from './messages.ts';

type Order = Exclude<ToHost, { kind: 'load' }>;

/** The jobs of a host process: they run as in a worker of this process, and what becomes of them is told. */
export class HostJobs {
  readonly #handler: JobHandler;
  readonly #tell: (message: FromHost) => void;
  readonly #lease: HostLease;
  readonly #runs = new Map<number, JobRun>();

  constructor(handler: JobHandler, tell: (message: FromHost) => void) {
    this.#handler = handler;
    this.#tell = tell;
    this.#lease = new HostLease(() => {
      for (const run of this.#runs.values()) ignore(run.stop('fenced'));
    });
  }

  obey(order: Order): void {
    switch (order.kind) {
      case 'deadline':
        this.#lease.extend(order.deadline);
        break;
      case 'fence':
        this.#lease.end();
        break;
      case 'begin':
        this.#begin(order);
        break;
      case 'stop': {
        const run = this.#runs.get(order.id);
        if (run) ignore(run.stop(order.reason));
        break;
      }
      case 'note':
        ignore(this.#note(order));
    }
  }

  /** Nobody supervises any more: ends everything; resolves when all have ended. */
  async leave(): Promise<void> {
    this.#lease.end();
    await Promise.all([...this.#runs.values()].map(run => run.ended));
  }

  #begin({ id, assignment, group, pool }: Extract<Order, { kind: 'begin' }>): void {
    const run = new JobRun(assignment, {
      handler: this.#handler,
      lease: this.#lease,
      group,
      pool,
      onHandlerError: (_run, error) => this.#tell({ kind: 'stopFailed', id, failure: failureOf(error) }),
    });
    this.#runs.set(id, run);
    run.begin(
      () => this.#tell({ kind: 'running', id }),
      end => {
        this.#runs.delete(id);
        this.#tell({ kind: 'ended', id, end: endOf(end) });
      },
    );
  }

  async #note({ id, note, payload }: Extract<Order, { kind: 'note' }>): Promise<void> {
    let failure: FromHost & { kind: 'noted' } = { kind: 'noted', note, failure: undefined };
    try {
      const run = this.#runs.get(id);
      if (run) await this.#handler.notify?.(run.job, payload);
    } catch (error) {
      failure = { ...failure, failure: failureOf(error) };
    }
    this.#tell(failure);
  }
}

function endOf(end: RunEnd): HostEnd {
  switch (end.kind) {
    case 'stopped':
      return end;
    case 'failed':
      return { kind: 'failed', failure: failureOf(end.error) };
    case 'completed': {
      const { result } = end;
      if (result === undefined || typeof result === 'string' || result instanceof Uint8Array) return end;
      return { kind: 'failed', failure: failureOf(new HandlerError('the result is neither text nor bytes')) };
    }
  }
}

/** What it gives is told elsewhere, and it never rejects. */
function ignore(promise: Promise<unknown>): void {
  promise.catch(() => {});
}
