import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Clock, within } from '../../core/clock.ts';
import { ClosedError, OptionError } from '../../core/errors.ts';
import { signalGroup } from './process-group.ts';

export interface GuardOptions {
  clock: Clock;
  /** The program; default the one beside this module. */
  watchdogFile: string | undefined;
  /** Between SIGTERM and SIGKILL when this process dies. */
  graceMs: number;
}

const START_LIMIT_MS = 10_000;
/** Where the program is, from a source tree and from the bundles of the build. */
const PLACES = [
  './watchdog.ts',
  './watchdog.js',
  './pool/exec/watchdog.js',
  '../engine/pool/exec/watchdog.js',
  '../../engine/pool/exec/watchdog.js',
];

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
    this.#file = options.watchdogFile ?? findWatchdog();
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

  /** In `leftMs` nothing guarded may be alive, unless told otherwise before. */
  extend(leftMs: number): void {
    // Points of time and not a span: a message that is read late must not extend anything. The clock of the operating
    // system, because the watchdog has another start than this process.
    const monotonicMs = Number(process.hrtime.bigint() / 1_000_000n) + Math.floor(leftMs);
    const wallMs = Math.floor(this.#options.clock.wallMs() + leftMs);
    this.#deadline = `{"deadline":${JSON.stringify({ monotonicMs, wallMs })}}\n`;
    this.#tell(this.#deadline).catch(() => {});
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

  #tell(line: string): Promise<void> {
    const pipe = this.#process?.stdin;
    if (!pipe?.writable) return Promise.reject(new ClosedError('watchdog'));
    return new Promise((resolve, reject) => {
      pipe.write(line, error => (error ? reject(new ClosedError('watchdog', { cause: error })) : resolve()));
    });
  }
}

function findWatchdog(): string {
  for (const place of PLACES) {
    const file = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new OptionError('the program of the watchdog is missing', {
    hint: 'Give its file with the option watchdogFile.',
  });
}
