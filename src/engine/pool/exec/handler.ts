/**
 * Runs a command for each job: one child process per job, in any language. Always strict: the children are in the care of
 * a watchdog, a process of its own, which kills them when the worker's lease is over and was not renewed, or when the
 * worker dies. So a job never runs beside its next owner's, whatever happens to this process. Out of reach is what leaves
 * the process group of its child (`setsid`, a daemon).
 */
import { type Clock, systemClock } from '../../core/clock.ts';
import { HandlerError, OptionError } from '../../core/errors.ts';
import { type OptionInput, type OptionTable, resolveOptions } from '../../core/options.ts';
import type { Job, JobLease, ServiceHandler, StopReason, TaskHandler, WorkerLease } from '../handler.ts';
import { workerOptions } from '../options.ts';
import { type ChildExit, ChildJob, type ExecOutput } from './child-job.ts';
import { fenceBudgetMs, Guard } from './guard.ts';

export const execOptions = {
  stopBudgetMs: {
    ...workerOptions.stopBudgetMs,
    doc: 'Time between SIGTERM and SIGKILL when a job is stopped. A lost lease allows less.',
  },
  kind: {
    kind: 'choice',
    default: 'service',
    choices: ['service', 'task'],
    doc: 'A service is kept alive and moves with the fleet; a task is run to its end where it is.',
  },
} as const satisfies OptionTable;

export interface ExecHandlerOptions extends OptionInput<typeof execOptions> {
  /** A command line for `sh -c`, or a program and its arguments. */
  command: string | readonly string[];
  /** Environment of the children, to which the job's variables are added. */
  env: Readonly<Record<string, string | undefined>>;
  cwd?: string | undefined;
  /** What becomes of the children's output; default `inherit`. */
  output?: ExecOutput | undefined;
  /** Program of the watchdog; default the one that comes with this module. */
  watchdogFile?: string | undefined;
  clock?: Clock | undefined;
}

/**
 * A handler for a worker. Exit code 0 completes the job; anything else fails the attempt, of a service too.
 * @throws OptionError on a bad option, or when the program of the watchdog is missing.
 */
export function createExecHandler(options: ExecHandlerOptions): ServiceHandler | TaskHandler {
  const { command, env, cwd, output = 'inherit', watchdogFile, clock = systemClock, ...rest } = options;
  const settings = resolveOptions('createExecHandler', execOptions, rest);
  if (command.length === 0) throw new OptionError('the command to run is empty');
  const supervisor = new Supervisor({ command, env, cwd, output, watchdogFile, clock, ...settings });
  const hooks = {
    attach: (lease: WorkerLease) => supervisor.attach(lease),
    prepare: (lease: WorkerLease) => supervisor.prepare(lease),
    detach: (lease: WorkerLease) => supervisor.detach(lease),
    stop: (job: Job, reason: StopReason) => supervisor.stop(job, reason),
  };
  if (settings.kind === 'task') {
    return {
      ...hooks,
      async run(job) {
        const child = await supervisor.start(job);
        const failure = failureOf(await child.exited);
        // Many programs exit with 0 on SIGTERM: that does not make the task done.
        if (job.signal.aborted) throw job.signal.reason;
        if (failure) throw failure;
      },
    };
  }
  return {
    ...hooks,
    async start(job) {
      const child = await supervisor.start(job);
      const ended = child.exited.then(exit => {
        const failure = failureOf(exit);
        if (failure) job.fail(failure);
        else job.complete();
      });
      ended.catch(error => job.fail(error));
    },
  };
}

interface SupervisorOptions {
  command: string | readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  cwd: string | undefined;
  output: ExecOutput;
  watchdogFile: string | undefined;
  clock: Clock;
  stopBudgetMs: number;
}

/** The watchdog of the jobs under one lease. */
interface Watch {
  guard: Guard;
  lease: WorkerLease;
  off: () => void;
}

class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children = new Map<Job, ChildJob>();
  readonly #watches = new Map<JobLease, Watch>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  async attach(lease: WorkerLease): Promise<void> {
    const { clock, watchdogFile } = this.#options;
    const guard = new Guard({
      clock,
      watchdogFile,
      graceMs: fenceBudgetMs(lease),
      onTrouble: error => lease.report(error),
      onOutage: () => lease.lose('there is no watchdog for its jobs'),
    });
    await guard.open();
    // A watchdog that is gone is replaced, and told again.
    const off = lease.onRenewed(() => guard.extend(lease).catch(() => {}));
    this.#watches.set(lease, { guard, lease, off });
  }

  async prepare(lease: WorkerLease): Promise<void> {
    await this.#watches.get(lease)?.guard.ready();
  }

  detach(lease: WorkerLease): void {
    const watch = this.#watches.get(lease);
    this.#watches.delete(lease);
    watch?.off();
    watch?.guard.close();
  }

  async start(job: Job): Promise<ChildJob> {
    const { command, env, cwd, output, clock } = this.#options;
    const watch = this.#watches.get(job.lease);
    if (!watch) throw new HandlerError('an exec handler is used before a worker attached it');
    const child = await ChildJob.start(job, { command, env, cwd, output, clock, guard: watch.guard });
    this.#children.set(job, child);
    child.exited.then(() => this.#children.delete(job)).catch(() => {});
    return child;
  }

  async stop(job: Job, reason: StopReason): Promise<void> {
    const { stopBudgetMs } = this.#options;
    const lost = reason === 'fenced' || reason === 'lost';
    const watch = this.#watches.get(job.lease);
    const budgetMs = lost && watch ? Math.min(stopBudgetMs, fenceBudgetMs(watch.lease)) : stopBudgetMs;
    await this.#children.get(job)?.terminate(budgetMs);
  }
}

function failureOf({ code, signal }: ChildExit): HandlerError | undefined {
  if (code === 0) return undefined;
  return new HandlerError(signal ? `the command was ended by ${signal}` : `the command exited with code ${code}`);
}
