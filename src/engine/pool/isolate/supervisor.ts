/**
 * Keeps one host process for a worker and hands it the worker's jobs. The watchdog guards the host from before it loads
 * anything; while it has jobs, it has the deadline of the lease too. What does not end within its budget, a shorter one when
 * the lease was lost, is killed with the host, and with it every other job there: their attempts fail. A host that died is started again when
 * a job asks for it, after a back-off that grows while they die young.
 */
import { backoffMs } from '../../core/backoff.ts';
import { type Clock, sleep, within } from '../../core/clock.ts';
import { ClosedError, HandlerError } from '../../core/errors.ts';
import { fenceBudgetMs, Guard } from '../exec/guard.ts';
import type { Job, WorkerLease } from '../handler.ts';
import { momentIn } from '../moment.ts';
import { HostProcess, type HostProgram } from './host-process.ts';
import { errorOf, type FromHost } from './messages.ts';
import { RemoteJob, reasonOf } from './remote-job.ts';

export interface SupervisorOptions {
  program: HostProgram;
  watchdogFile: string | undefined;
  clock: Clock;
  /** Of a job that is stopped while the lease stands. */
  stopBudgetMs: number;
  onUnhandled: ((error: unknown) => void) | undefined;
}

/** For a host that the worker left behind, or that is asked to end. */
const END_GRACE_MS = 500;
const RESTART = { baseMs: 100, maxMs: 5000 };
/** A host that lived so long did not die of its start. */
const OLD_MS = 10_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #guard: Guard;
  readonly #jobs = new Map<number, RemoteJob>();
  readonly #byJob = new WeakMap<Job, RemoteJob>();
  readonly #notes = new Map<number, { job: RemoteJob; settle: (failure: unknown) => void }>();
  readonly #closing = new AbortController();
  #host: HostProcess | undefined;
  #starting: Promise<HostProcess> | undefined;
  #startedAtMs = 0;
  #deaths = 0;
  #count = 0;
  #lease: WorkerLease | undefined;
  /** Settles when the watchdog knows the deadline of the jobs in the host. */
  #guarded: Promise<void> = Promise.resolve();
  #offs: (() => void)[] = [];

  constructor(options: SupervisorOptions) {
    const { clock, watchdogFile } = options;
    this.#options = options;
    this.#guard = new Guard({
      clock,
      watchdogFile,
      graceMs: END_GRACE_MS,
      onTrouble: error => this.#lease?.report(error),
      onOutage: () => this.#lease?.lose('there is no watchdog for its jobs'),
    });
  }

  /** Starts the first host; resolves with what its module exports. @throws OptionError when that fails. */
  async open(): Promise<{ isTask: boolean; takesNotes: boolean }> {
    try {
      await this.#guard.open();
      return await this.#start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  attach(lease: WorkerLease): void {
    this.#lease = lease;
    this.#offs = [lease.onRenewed(() => this.#renewed(lease)), lease.onLost(() => this.#fence())];
  }

  /** @throws HandlerError while there is no watchdog. */
  prepare(): Promise<void> {
    return this.#guard.ready();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const off of this.#offs) off();
    await this.#host?.end(this.#options.clock, END_GRACE_MS);
    this.#guard.close();
  }

  /** Begins the job in the host; resolves when it was told. */
  async begin(job: Job): Promise<RemoteJob> {
    const lease = this.#lease;
    if (!lease) throw new HandlerError('an isolated handler is used before a worker attached it');
    const host = await unlessAborted(this.#ready(), job.signal);
    const remote = new RemoteJob(++this.#count, job, host);
    this.#jobs.set(remote.id, remote);
    this.#byJob.set(job, remote);
    try {
      if (this.#jobs.size === 1) this.#guarded = this.#guard.extend(lease);
      await this.#guarded;
      job.assertOwned();
      job.signal.throwIfAborted();
    } catch (error) {
      this.#over(remote, { kind: 'failed', failure: 'it was not begun' });
      throw error;
    }
    const { key, payload, token, attempt, group, pool } = job;
    // The host records nothing: it needs no more of the assignment.
    const assignment = { key, payload, token, attempt, dispatch: '', terms: '' };
    host.send({ kind: 'begin', id: remote.id, assignment, group, pool });
    job.signal.addEventListener('abort', () => this.#stop(remote), { once: true });
    return remote;
  }

  /**
   * Resolves when the job, if it is in the host, has ended there. The abort of its signal told the host.
   * @throws what `stop` of the handler threw.
   */
  async ended(job: Job): Promise<void> {
    const remote = this.#byJob.get(job);
    await remote?.over;
    if (remote?.stopFailure !== undefined) throw remote.stopFailure;
  }

  async notify(job: Job, payload: Buffer): Promise<void> {
    const remote = this.#byJob.get(job);
    if (!remote || !this.#jobs.has(remote.id)) return;
    const note = ++this.#count;
    const failure = await new Promise<unknown>(resolve => {
      this.#notes.set(note, { job: remote, settle: resolve });
      remote.host.send({ kind: 'note', id: remote.id, note, payload });
    });
    if (failure !== undefined) throw failure;
  }

  /** True when the lease of the job was lost, or somebody asked it to stop; waits a little for word of that. */
  async wasStopped(job: Job): Promise<boolean> {
    const { clock } = this.#options;
    if (!job.signal.aborted && this.#lease) await sleep(clock, fenceBudgetMs(this.#lease), job.signal);
    return job.signal.aborted;
  }

  #stop(remote: RemoteJob): void {
    // The end of the lease was told once for all.
    const lease = this.#lease;
    if (!lease?.owned) return;
    const reason = reasonOf(remote.job.signal.reason);
    remote.host.send({ kind: 'stop', id: remote.id, reason });
    this.#killUnlessOver([remote], reason === 'lost' ? fenceBudgetMs(lease) : this.#options.stopBudgetMs);
  }

  #renewed(lease: WorkerLease): void {
    this.#tellDeadline();
    // A watchdog that is gone is replaced, and told again.
    if (this.#jobs.size > 0) this.#guard.extend(lease).catch(() => {});
  }

  #tellDeadline(): void {
    const lease = this.#lease;
    if (lease?.owned) this.#host?.send({ kind: 'deadline', deadline: momentIn(() => lease.leftMs()) });
  }

  #fence(): void {
    this.#host?.send({ kind: 'fence' });
    if (this.#lease) this.#killUnlessOver([...this.#jobs.values()], fenceBudgetMs(this.#lease));
  }

  #killUnlessOver(jobs: RemoteJob[], budgetMs: number): void {
    if (jobs.length === 0) return;
    const all = Promise.all(jobs.map(({ over }) => over));
    within(this.#options.clock, budgetMs, all, () => {
      for (const { id, host } of jobs)
        if (this.#jobs.has(id)) host.kill('was killed: a job in it did not stop in time');
    }).catch(() => {});
  }

  #over(remote: RemoteJob, end: Awaited<RemoteJob['over']>): void {
    if (!this.#jobs.delete(remote.id)) return;
    for (const [note, { job, settle }] of this.#notes) {
      if (job !== remote) continue;
      this.#notes.delete(note);
      settle(undefined);
    }
    if (this.#jobs.size === 0) this.#guard.lift().catch(() => {});
    remote.ended(end);
  }

  #ready(): Promise<HostProcess> {
    if (this.#host) return Promise.resolve(this.#host);
    this.#starting ??= this.#restart().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #restart(): Promise<HostProcess> {
    const { clock } = this.#options;
    await sleep(clock, backoffMs(this.#deaths, RESTART), this.#closing.signal);
    await this.#start();
    if (!this.#host) throw new HandlerError('the host process of the handler ended as soon as it had started');
    return this.#host;
  }

  async #start(): Promise<{ isTask: boolean; takesNotes: boolean }> {
    const { program, clock } = this.#options;
    if (this.#closing.signal.aborted) throw new ClosedError('the isolated handler');
    this.#startedAtMs = clock.monotonicMs();
    const { host, loaded } = await HostProcess.start(program, this.#guard, clock, {
      message: message => this.#hear(message),
      exit: (ended, why) => this.#died(ended, why),
    });
    if (this.#closing.signal.aborted) {
      await host.end(clock, END_GRACE_MS);
      throw new ClosedError('the isolated handler');
    }
    if (host.alive) this.#host = host;
    this.#tellDeadline();
    return loaded;
  }

  #died(host: HostProcess, why: string): void {
    const livedMs = this.#options.clock.monotonicMs() - this.#startedAtMs;
    this.#deaths = livedMs >= OLD_MS ? 1 : this.#deaths + 1;
    if (this.#host === host) this.#host = undefined;
    const error = new HandlerError(`the host process of the handler ${why}`);
    for (const remote of [...this.#jobs.values()])
      if (remote.host === host) this.#over(remote, { kind: 'died', error });
  }

  #hear(message: FromHost): void {
    switch (message.kind) {
      case 'running':
        this.#jobs.get(message.id)?.running();
        break;
      case 'ended': {
        const remote = this.#jobs.get(message.id);
        if (remote) this.#over(remote, message.end);
        break;
      }
      case 'stopFailed': {
        const remote = this.#jobs.get(message.id);
        if (remote) remote.stopFailure = errorOf(message.failure);
        break;
      }
      case 'noted': {
        const note = this.#notes.get(message.note);
        this.#notes.delete(message.note);
        note?.settle(message.failure === undefined ? undefined : errorOf(message.failure));
        break;
      }
      case 'unhandled':
        this.#options.onUnhandled?.(errorOf(message.failure));
    }
  }
}

/** @throws the signal's reason as soon as it aborts. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const given = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: given.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    given.abort();
  }
}
