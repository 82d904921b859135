import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { type Clock, within } from '../../core/clock.ts';
import { HandlerError } from '../../core/errors.ts';
import { encodeText } from '../../core/text.ts';
import type { Job } from '../handler.ts';
import type { Guard } from './guard.ts';
import { isGroupAtWork, signalGroup } from './process-group.ts';

/** `stderr`: both streams of the child go where errors of this process go. */
export type ExecOutput =
  | 'inherit'
  | 'stderr'
  | 'ignore'
  | ((job: Job, stream: 'stdout' | 'stderr', bytes: Buffer) => void);

export interface ChildJobOptions {
  /** A command line for `sh -c`, or a program and its arguments. */
  command: string | readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  cwd: string | undefined;
  output: ExecOutput;
  guard: Guard;
  clock: Clock;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const STDERR = 2;
/**
 * The child waits for a byte before it becomes the command: it is opened when the watchdog knows of the child. If the
 * worker dies in between, the pipe ends and so does the child; nothing ever runs unguarded.
 */
const GATE = 'read -r _ <&3 || exit 125; exec 3<&-; exec "$@"';

/** Between two looks whether a group is gone whose first process is. */
const GROUP_LOOK_MS = 20;

/** One child process for one job, in a process group of its own, payload on standard input. */
export class ChildJob {
  /** Settles when nothing of the group is at work any more. */
  readonly exited: Promise<ChildExit>;
  readonly #options: ChildJobOptions;
  readonly #process: ChildProcess;
  readonly #pid: number;
  #settle!: (exit: ChildExit) => void;
  #exit: (ChildExit & { atMs: number }) | undefined;
  /** The group was told to end and has time for it. */
  #ending = false;

  private constructor(child: ChildProcess, pid: number, options: ChildJobOptions) {
    this.#process = child;
    this.#pid = pid;
    this.#options = options;
    this.exited = new Promise(resolve => {
      this.#settle = resolve;
    });
    child.once('exit', (code, signal) => {
      this.#exit = { code, signal, atMs: options.clock.monotonicMs() };
      this.#look();
    });
  }

  /** @throws HandlerError when it cannot be started; LeaseLostError when the job is not ours any more by then. */
  static async start(job: Job, options: ChildJobOptions): Promise<ChildJob> {
    const { command, output, cwd } = options;
    const argv = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
    const stream = typeof output === 'function' ? 'pipe' : output === 'stderr' ? STDERR : output;
    let child: ChildProcess;
    try {
      child = spawn('/bin/sh', ['-c', GATE, 'ponos-job', ...argv], {
        cwd,
        env: { ...options.env, ...jobEnvironment(job) },
        detached: true,
        stdio: ['pipe', stream, stream, 'pipe'],
      });
    } catch (error) {
      throw new HandlerError('the command could not be started', { cause: error });
    }
    const failed = new Promise<never>((_, reject) => {
      child.once('error', error => reject(new HandlerError(`the command could not be started: ${error.message}`)));
    });
    const { pid } = child;
    if (pid === undefined) return failed;
    failed.catch(() => {});
    const childJob = new ChildJob(child, pid, options);
    childJob.#connect(job);
    try {
      await options.guard.guard(pid);
      job.assertOwned();
      if (job.signal.aborted) throw job.signal.reason;
    } catch (error) {
      signalGroup(pid, 'SIGKILL');
      throw error;
    }
    (child.stdio[3] as Writable).end('\n');
    return childJob;
  }

  /** SIGTERM to the group, SIGKILL after `budgetMs`; resolves when nothing of it is at work. */
  async terminate(budgetMs: number): Promise<ChildExit> {
    this.#ending = true;
    signalGroup(this.#pid, 'SIGTERM');
    const exit = await within(this.#options.clock, budgetMs, this.exited, () => undefined);
    if (exit) return exit;
    this.#ending = false;
    signalGroup(this.#pid, 'SIGKILL');
    this.#look();
    return this.exited;
  }

  /**
   * The first process of the group may be a shell around the command that a SIGTERM ends at once; the command still has
   * its time. What a command leaves behind that ends by itself is of the job, too, and ends with it.
   */
  #look(): void {
    if (!this.#exit) return;
    const { clock, guard } = this.#options;
    if (this.#ending && isGroupAtWork(this.#pid, clock.monotonicMs(), this.#exit.atMs)) {
      clock.after(GROUP_LOOK_MS, () => this.#look());
      return;
    }
    signalGroup(this.#pid, 'SIGKILL');
    guard.release(this.#pid);
    this.#settle(this.#exit);
  }

  #connect(job: Job): void {
    const { stdin, stdout, stderr, stdio } = this.#process;
    const { output } = this.#options;
    // A command that does not read its payload closes the pipe: that is its business.
    for (const pipe of [stdin, stdio[3]]) pipe?.on('error', () => {});
    stdin?.end(job.payload);
    if (typeof output !== 'function') return;
    const listen = (name: 'stdout' | 'stderr', pipe: Readable | null) => {
      pipe?.on('data', (bytes: Buffer) => output(job, name, bytes));
      pipe?.on('error', () => {});
    };
    listen('stdout', stdout);
    listen('stderr', stderr);
  }
}

/** Bytes that no environment variable can hold are in a second variable. */
function jobEnvironment(job: Job): Record<string, string> {
  const plain = job.key.isWellFormed() && !job.key.includes('\0');
  return {
    PONOS_JOB_KEY: plain ? job.key : job.key.replaceAll('\0', '\uFFFD').toWellFormed(),
    ...(plain ? {} : { PONOS_JOB_KEY_BASE64: encodeText(job.key).toString('base64') }),
    PONOS_JOB_TOKEN: String(job.token),
    PONOS_JOB_ATTEMPT: String(job.attempt),
    PONOS_JOB_GROUP: job.group,
    PONOS_POOL: job.pool,
  };
}
