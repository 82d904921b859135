/**
 * Runs the handlers of a module in a process of their own, one for a worker and all its jobs. Strict, as child processes of
 * `createExecHandler` are: a handler that blocks its event loop, leaks or does not listen cannot outlive the lease, because
 * a watchdog kills the process at the deadline, whatever happens to the worker's. And a handler that blocks does not keep
 * the worker from renewing its lease.
 *
 * What the jobs share is that process: a crash, or the kill that one of them needs, fails the attempts of all. One needs
 * it that does not stop in time, also when somebody asked for the stop, or its worker leaves.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Clock, systemClock } from '../../core/clock.ts';
import { HandlerError } from '../../core/errors.ts';
import { resolveOptions } from '../../core/options.ts';
import type { Job, JobLease, ServiceHandler, TaskHandler, WorkerLease } from '../handler.ts';
import { workerOptions } from '../options.ts';
import { findProgram } from '../program.ts';
import { type RemoteJob, thrownFor } from './remote-job.ts';
import { Supervisor } from './supervisor.ts';

const isolateOptions = { stopBudgetMs: workerOptions.stopBudgetMs };

export interface IsolatedHandlerOptions {
  /**
   * The module, as a URL or a path. It exports `start`, with `stop` and `notify` if it wants them, for services, or `run`
   * for tasks; TypeScript where Node loads it. What `attach` and `detach` it exports are not called.
   */
  module: URL | string;
  /** What messages call the module; default where it is. */
  name?: string | undefined;
  /** Environment of the host process; default that of this process. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** How long a job that is stopped, moved or drained has for it; default 5 s. A lost lease allows less. */
  stopBudgetMs?: number | undefined;
  /** What becomes of the host's output; default `inherit`. */
  output?: 'inherit' | 'stderr' | 'ignore' | undefined;
  /**
   * Gets errors that no code in the host caught; the host goes on. Left out, they end the host as they end any process,
   * and the attempts of its jobs fail.
   */
  onUnhandled?: ((error: unknown) => void) | undefined;
  /** Programs of the host and of the watchdog; default those that come with this module. */
  hostFile?: string | undefined;
  watchdogFile?: string | undefined;
  clock?: Clock | undefined;
}

/**
 * A handler for a worker; its host process runs from now until the worker ends, or this process does. In a pool of several
 * shards there is a host for each, because each has a lease of its own.
 * @throws OptionError when the host does not start, the module does not load or exports no handler.
 */
export async function createIsolatedHandler(options: IsolatedHandlerOptions): Promise<ServiceHandler | TaskHandler> {
  const { module, name = String(module), env, output = 'inherit', onUnhandled } = options;
  const { hostFile, watchdogFile, clock = systemClock } = options;
  const { stopBudgetMs } = resolveOptions('createIsolatedHandler', isolateOptions, {
    stopBudgetMs: options.stopBudgetMs,
  });
  const supervisorOptions = {
    program: {
      url: (typeof module === 'string' ? pathToFileURL(resolve(module)) : module).href,
      name,
      file: hostFile ?? findProgram('isolate/host'),
      env,
      output,
      tellsUnhandled: onUnhandled !== undefined,
    },
    watchdogFile,
    clock,
    stopBudgetMs,
    onUnhandled,
  };
  // The first one shows what the module is; it serves the first lease.
  let spare: Supervisor | undefined = new Supervisor(supervisorOptions);
  const { isTask, takesNotes } = await spare.open();
  const supervisors = new Map<JobLease, Supervisor>();
  const supervisorOf = (job: Job) => {
    const supervisor = supervisors.get(job.lease);
    if (!supervisor) throw new HandlerError('an isolated handler is used before a worker attached it');
    return supervisor;
  };
  const hooks = {
    async attach(lease: WorkerLease) {
      const supervisor = spare ?? new Supervisor(supervisorOptions);
      if (spare) spare = undefined;
      else await supervisor.open();
      supervisor.attach(lease);
      supervisors.set(lease, supervisor);
    },
    prepare: async (lease: WorkerLease) => supervisors.get(lease)?.prepare(),
    async detach(lease: WorkerLease) {
      const supervisor = supervisors.get(lease) ?? spare;
      supervisors.delete(lease);
      await supervisor?.close();
    },
    stop: (job: Job) => supervisorOf(job).ended(job),
    ...(takesNotes ? { notify: (job: Job, payload: Buffer) => supervisorOf(job).notify(job, payload) } : {}),
  };
  const outcome = async ({ job, over }: RemoteJob) => {
    const end = await over;
    if (end.kind === 'completed') return end.result;
    // The host knows the deadline, too, and may reach it a moment before the worker does.
    if (end.kind === 'stopped' && (await supervisorOf(job).wasStopped(job))) throw job.signal.reason;
    throw thrownFor(end);
  };
  if (isTask) {
    return { ...hooks, run: async job => outcome(await supervisorOf(job).begin(job)) };
  }
  return {
    ...hooks,
    async start(job) {
      const remote = await supervisorOf(job).begin(job);
      const ended = outcome(remote);
      if (!(await remote.up)) return job.complete(await ended);
      ended.then(
        result => job.complete(result),
        error => job.fail(error),
      );
    },
  };
}
