import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { backoffMs } from '../../core/backoff.ts';
import { type Clock, sleep, within } from '../../core/clock.ts';
import { ClosedError, HandlerError, OptionError } from '../../core/errors.ts';
import type { WorkerLease } from '../handler.ts';
import { momentIn } from '../moment.ts';
import { findProgram } from '../program.ts';

export interface GuardOptions {
  clock: Clock;
  /** The program; default the one beside this module. */
  watchdogFile: string | undefined;
  /** Between SIGTERM and SIGKILL when this process dies. */
  graceMs: number;
  /** A watchdog ended by itself, or could not be started again. */
  onTrouble: (error: unknown) => void;
  /** There is no watchdog for a while: nothing that needs one may go on. */
  onOutage: () => void;
}

const START_LIMIT_MS = 10_000;
/** Of one that takes over: until then only the worker itself ends what is at work. */
const TAKE_OVER_LIMIT_MS = 2000;
/** After the second failure. A watchdog that lived so long did not fail by itself. */
const RETRY = { baseMs: 200, maxMs: 30_000 };
const OLD_MS = 10_000;
/** How long `ready` waits. */
const READY_LIMIT_MS = 5000;
/** Share of the stop budget of the lease after which what still runs is killed. */
const FENCE_SHARE = 0.6;

/** How long after the deadline of a lease what runs under it may still be ending. */
export function fenceBudgetMs(lease: WorkerLease): number {
  return lease.stopBudgetMs * FENCE_SHARE;
}

/**
 * The worker's end of the watchdog: says which process groups to guard and until when. A watchdog that ends by itself is
 * replaced. What is at work meanwhile goes on, ended by the worker alone, and nothing new begins; when its successor does
 * not start in time, or ends as soon as it is up, there is an outage: the owner must end everything until `ready`.
 */
export class Guard {
  readonly #options: GuardOptions;
  readonly #file: string;
  readonly #groups = new Set<number>();
  readonly #closing = new AbortController();
  #process: ChildProcess | undefined;
  #startedAtMs = 0;
  /** Watchdogs that ended young or did not start, one after the other. */
  #failures = 0;
  /** The first attempt to replace one. */
  #replacing: Promise<void> | undefined;
  /** The attempts after it. */
  #trying: Promise<void> | undefined;
  #deadline = '';

  /** @throws OptionError when there is no such program. */
  constructor(options: GuardOptions) {
    this.#options = options;
    this.#file = options.watchdogFile ?? findProgram('exec/watchdog');
  }

  /** @throws OptionError when the watchdog does not start. */
  async open(): Promise<void> {
    await this.#start(START_LIMIT_MS);
  }

  /** @throws HandlerError when there is no watchdog for a while. */
  async ready(): Promise<void> {
    await this.#replacing?.catch(() => {});
    if (this.#trying) await within(this.#options.clock, READY_LIMIT_MS, this.#trying, () => {});
    if (!this.#process) throw new HandlerError('there is no watchdog: no job can be begun');
  }

  /**
   * Resolves when the watchdog knows of the group, or will whatever becomes of this process: what is written to a pipe
   * outlives its writer.
   */
  async guard(pid: number): Promise<void> {
    this.#groups.add(pid);
    try {
      await this.#replacing;
      await this.#guardWith(this.#process, pid);
    } catch (error) {
      // Again, for the lease may have been taken up since: that there is no watchdog is no fault of the job.
      if (!this.#process) this.#options.onOutage();
      throw error;
    }
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
    this.#closing.abort();
    this.#process?.stdin?.end();
  }

  async #start(limitMs: number): Promise<void> {
    const { clock, graceMs } = this.#options;
    const child = spawn(process.execPath, [this.#file, String(graceMs)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // A group of its own, so that what ends the worker's group does not end the watchdog.
      detached: true,
    });
    child.stdin.on('error', () => {});
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
    const ready = new Promise<boolean>(resolve => {
      child.stdout.once('data', () => resolve(true));
      child.once('error', () => resolve(false));
      child.once('exit', () => resolve(false));
    });
    const started = await within(clock, limitMs, ready, () => false);
    if (!started || child.exitCode !== null || child.signalCode !== null) {
      child.kill('SIGKILL');
      throw new OptionError(`the watchdog does not start: ${this.#file}`);
    }
    child.stdout.destroy();
    // It must not keep this process alive.
    child.unref();
    (child.stdin as unknown as { unref?(): void }).unref?.();
    if (this.#closing.signal.aborted) {
      child.stdin.end();
      throw new ClosedError('watchdog');
    }
    this.#process = child;
    this.#startedAtMs = clock.monotonicMs();
    if (this.#deadline !== '') await this.#tell(this.#deadline);
    for (const pid of this.#groups) await this.#tell(`{"guard":${pid}}\n`);
  }

  /** Somebody killed the watchdog, or it cannot live here. */
  #ended(child: ChildProcess, why: string): void {
    if (this.#closing.signal.aborted || this.#process !== child) return;
    const { clock, onTrouble } = this.#options;
    this.#process = undefined;
    this.#failures = clock.monotonicMs() - this.#startedAtMs >= OLD_MS ? 1 : this.#failures + 1;
    onTrouble(new HandlerError(`the watchdog of the jobs ended (${why}) and is started again`));
    this.#replacing = this.#replace().finally(() => {
      this.#replacing = undefined;
    });
    this.#replacing.catch(() => {});
  }

  /** @throws when there is an outage */
  async #replace(): Promise<void> {
    try {
      if (this.#failures > 1) throw new HandlerError('the watchdog of the jobs does not stay up');
      await this.#start(TAKE_OVER_LIMIT_MS);
    } catch (error) {
      if (this.#closing.signal.aborted) throw error;
      this.#failures++;
      this.#trying ??= this.#tryAgain().finally(() => {
        this.#trying = undefined;
      });
      this.#options.onTrouble(error);
      this.#options.onOutage();
      throw error;
    }
  }

  async #tryAgain(): Promise<void> {
    while (!this.#process && !this.#closing.signal.aborted) {
      await sleep(this.#options.clock, backoffMs(this.#failures - 1, RETRY), this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      await this.#start(TAKE_OVER_LIMIT_MS).catch(error => {
        this.#failures++;
        this.#options.onTrouble(error);
      });
    }
  }

  async #guardWith(watchdog: ChildProcess | undefined, pid: number): Promise<void> {
    try {
      await this.#tell(`{"guard":${pid}}\n`);
    } catch (error) {
      // It has just ended: its successor is told of every group.
      if (watchdog?.exitCode === null && watchdog.signalCode === null) await once(watchdog, 'exit');
      await this.#replacing;
      if (!this.#process) throw error;
    }
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
