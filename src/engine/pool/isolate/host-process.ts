import { type ChildProcess, fork } from 'node:child_process';
import { type Clock, within } from '../../core/clock.ts';
import { OptionError } from '../../core/errors.ts';
import type { Guard } from '../exec/guard.ts';
import { signalGroup } from '../exec/process-group.ts';
import type { FromHost, ToHost } from './messages.ts';

export interface HostProgram {
  /** Module of the handler, and what messages call it. */
  url: string;
  name: string;
  file: string;
  env: Readonly<Record<string, string | undefined>> | undefined;
  output: 'inherit' | 'stderr' | 'ignore';
  tellsUnhandled: boolean;
}

export interface HostListener {
  message(message: FromHost, host: HostProcess): void;
  /** Nothing of it is at work any more. `why` ends a sentence that begins with "the host process of the handler". */
  exit(host: HostProcess, why: string): void;
}

type Loaded = Extract<FromHost, { kind: 'loaded' }>;

const START_LIMIT_MS = 30_000;
const STDERR = 2;

/** The worker's end of one host process, which is in a process group of its own and in the care of the watchdog. */
export class HostProcess {
  readonly pid: number;
  readonly exited: Promise<void>;
  readonly #process: ChildProcess;
  #why = '';

  private constructor(child: ChildProcess, pid: number, guard: Guard, listener: HostListener) {
    this.#process = child;
    this.pid = pid;
    child.on('message', message => listener.message(message as FromHost, this));
    // A message to one that is ending: its end is told.
    child.on('error', () => {});
    this.exited = new Promise(resolve => {
      child.once('exit', (code, signal) => {
        // What its handlers started ends with it.
        signalGroup(pid, 'SIGKILL');
        guard.release(pid);
        const finish = () => {
          listener.exit(this, this.#why || (signal ? `was ended by ${signal}` : `exited with code ${code}`));
          resolve();
        };
        // What it told last may not be read yet.
        if (child.connected) child.once('disconnect', finish);
        else finish();
      });
    });
  }

  /**
   * Resolves when the module is loaded. The watchdog knows of the process before it loads anything.
   * @throws OptionError when the process or the module does not start.
   */
  static async start(
    program: HostProgram,
    guard: Guard,
    clock: Clock,
    listener: HostListener,
  ): Promise<{ host: HostProcess; loaded: Loaded }> {
    const { file, env, output, url, name, tellsUnhandled } = program;
    const stream = output === 'stderr' ? STDERR : output;
    const child = fork(file, [], {
      serialization: 'advanced',
      detached: true,
      stdio: ['ignore', stream, stream, 'ipc'],
      // A debugger is attached to one process only.
      execArgv: process.execArgv.filter(flag => !flag.startsWith('--inspect')),
      ...(env ? { env: { ...env } } : {}),
    });
    // It must not keep this process alive.
    child.unref();
    child.channel?.unref();
    const { pid } = child;
    if (pid === undefined) {
      const error = await new Promise<Error>(resolve => child.once('error', resolve));
      throw new OptionError(`the host process of the handler does not start: ${error.message}`, { cause: error });
    }
    const answer = new Promise<FromHost | undefined>(resolve => {
      child.on('message', message => {
        const told = message as FromHost;
        if (told.kind === 'loaded' || told.kind === 'refused') resolve(told);
      });
      child.once('exit', () => resolve(undefined));
    });
    const host = new HostProcess(child, pid, guard, listener);
    try {
      await guard.guard(pid);
      host.send({ kind: 'load', url, name, tellsUnhandled });
      const loaded = await within(clock, START_LIMIT_MS, answer, () => {
        throw new OptionError(`${name} is not loaded within ${START_LIMIT_MS / 1000} s`);
      });
      if (loaded?.kind === 'refused') throw new OptionError(loaded.message, loaded.hint ? { hint: loaded.hint } : {});
      if (loaded?.kind !== 'loaded') throw new OptionError(`${name} does not load: its process ended`);
      return { host, loaded };
    } catch (error) {
      host.kill('did not start');
      throw error;
    }
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  send(message: ToHost): void {
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  kill(why: string): void {
    this.#why ||= why;
    signalGroup(this.pid, 'SIGKILL');
  }

  /** Asks it to end; it is killed when it has not after `budgetMs`. Resolves when it is gone. */
  async end(clock: Clock, budgetMs: number): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await within(clock, budgetMs, this.exited, () => this.kill('was ended'));
    await this.exited;
  }
}
