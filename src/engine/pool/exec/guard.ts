import { type ChildProcess, spawn } from 'node:child_process';
import { type Clock, within } from '../../core/clock.ts';
import { ClosedError, OptionError } from '../../core/errors.ts';
import type { WorkerLease } from '../handler.ts';
import { momentIn } from '../moment.ts';
import { findProgram } from '../program.ts';
import { signalGroup } from './process-group.ts';

export interface GuardOptions {
  clock: Clock;
  /** The program; default the one beside this module. */
  watchdogFile: string | undefined;
  /** Between SIGTERM and SIGKILL when this process dies. */
  graceMs: number;
}

const START_LIMIT_MS = 10_000;
/** Share of the stop budget of the lease after which what still runs is killed. */
const FENCE_SHARE = 0.6;

/** How long after the deadline of a lease what runs under it may still be ending. */
export function fenceBudgetMs(lease: WorkerLease): number {
  return lease.stopBudgetMs * FENCE_SHARE;
}

/** The worker's end of the watchdog: says which process groups to guard and until when. */
export class Guard {
  readonly #options: GuardOptions;
  readonly #file: string;
  readonly #groups = new Set<number>();
  #process: ChildProcess | undefined;
  #deadline = '';
  #closed = false;

  /** @throws OptionError when there is no such program. */
  constructor(options: GuardOptions) {
    this.#options = options;
    this.#file = options.watchdogFile ?? findProgram('exec/watchdog');
  }

  /** @throws OptionError when the watchdog does not start. */
  async open(): Promise<void> {
    await this.#start();
  }

  /**
   * Resolves when the watchdog knows of the group, or will whatever becomes of this process: what is written to a pipe
   * outlives its writer.
   */
  guard(pid: number): Promise<void> {
    this.#groups.add(pid);
    return this.#tell(`{"guard":${pid}}\n`);
  }

  release(pid: number): void {
    this.#groups.delete(pid);
    this.#tell(`{"release":${pid}}\n`).catch(() => {});
  }

  /** Soon after the deadline of the lease nothing guarded may be alive. Resolves when the watchdog is sure to know. */
  extend(lease: WorkerLease): Promise<void> {
    return this.#limit(JSON.stringify(momentIn(() => lease.leftMs() + fenceBudgetMs(lease))));
  }

  /** Nothing guarded is at work: it may outlive the lease, but not this process. */
  lift(): Promise<void> {
    return this.#limit('null');
  }

  close(): void {
    this.#closed = true;
    this.#process?.stdin?.end();
  }

  async #start(): Promise<void> {
    const child = spawn(process.execPath, [this.#file, String(this.#options.graceMs)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // A group of its own, so that what ends the worker's group does not end the watchdog.
      detached: true,
    });
    this.#process = child;
    child.stdin.on('error', () => {});
    child.once('exit', () => this.#ended(child));
    const ready = new Promise<boolean>(resolve => {
      child.stdout.once('data', () => resolve(true));
      child.once('error', () => resolve(false));
      child.once('exit', () => resolve(false));
    });
    const started = await within(this.#options.clock, START_LIMIT_MS, ready, () => false);
    if (!started) {
      child.kill('SIGKILL');
      throw new OptionError(`the watchdog does not start: ${this.#file}`);
    }
    child.stdout.destroy();
    // It must not keep this process alive.
    child.unref();
    (child.stdin as unknown as { unref?(): void }).unref?.();
  }

  /** Somebody killed the watchdog. Nothing may run unguarded: a new one takes over, or everything ends. */
  #ended(child: ChildProcess): void {
    if (this.#closed || this.#process !== child) return;
    this.#process = undefined;
    this.#start()
      .then(async () => {
        if (this.#deadline !== '') await this.#tell(this.#deadline);
        for (const pid of this.#groups) await this.#tell(`{"guard":${pid}}\n`);
      })
      .catch(() => {
        for (const pid of this.#groups) signalGroup(pid, 'SIGKILL');
      });
  }

  #limit(deadline: string): Promise<void> {
    this.#deadline = `{"deadline":${deadline}}\n`;
    return this.#tell(this.#deadline);
  }

  #tell(line: string): Promise<void> {
    const pipe = this.#process?.stdin;
    if (!pipe?.writable) return Promise.reject(new ClosedError('watchdog'));
    return new Promise((resolve, reject) => {
      pipe.write(line, error => (error ? reject(new ClosedError('watchdog', { cause: error })) : resolve()));
    });
  }
}
