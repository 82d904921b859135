/** Runs the built command line, as a user would: its own process, its own home, nothing of the tester's settings. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');
const built = join(root, 'bin', 'run.js');
const compiled = join(tmpdir(), 'ponos-test-cache');

export interface CliOptions {
  /** Added to a clean environment; undefined removes. */
  env?: Record<string, string | undefined>;
  /** Of a packed release; default the one that is built here. */
  executable?: string;
  /** Given on stdin, which is then closed; default an empty stdin. */
  input?: string | Uint8Array;
  cwd?: string;
  /** Killed after it, and the call rejects; default 20 s. */
  limitMs?: number;
}

export interface CliResult {
  stdout: string;
  stdoutBytes: Buffer;
  stderr: string;
  /** null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Runs `ponos ...args` to its end. */
export async function ponos(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const running = startPonos(args, options);
  running.process.stdin?.end(options.input ?? '');
  return running.result;
}

/** `ponos ... --json`, parsed. Rejects with stderr when the exit code is not 0. */
export async function ponosJson<T = Record<string, unknown>>(
  args: readonly string[],
  options: CliOptions = {},
): Promise<T> {
  const result = await ponos([...args, '--json'], options);
  if (result.code !== 0) throw new Error(`ponos ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

/** What a stream of `-o ndjson` holds. */
export function ndjson<T = Record<string, unknown>>(text: string): T[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as T);
}

export class RunningCli {
  readonly process: ChildProcess;
  readonly result: Promise<CliResult>;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];

  constructor(child: ChildProcess, limitMs: number, after: () => void) {
    this.process = child;
    child.stdin?.on('error', () => {});
    child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    this.result = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`still running after ${limitMs} ms; stdout: ${this.stdout}\nstderr: ${this.stderr}`));
      }, limitMs);
      child.once('error', reject);
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        after();
        resolve({ stdout: this.stdout, stdoutBytes: Buffer.concat(this.#stdout), stderr: this.stderr, code, signal });
      });
    });
    // Whoever does not wait for the end is not told of its failure.
    this.result.catch(() => {});
  }

  /** What it wrote so far. */
  get stdout(): string {
    return Buffer.concat(this.#stdout).toString('utf8');
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString('utf8');
  }

  /** Waits until stdout or stderr holds `pattern`. */
  async says(pattern: string | RegExp): Promise<void> {
    const matches = (text: string) => (typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text));
    await until(() => {
      if (matches(this.stdout) || matches(this.stderr)) return true;
      if (this.process.exitCode !== null) throw new Error(`ended with ${this.process.exitCode}: ${this.stderr}`);
      return false;
    }, `ponos to say ${pattern}`);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<CliResult> {
    this.process.kill(signal);
    return this.result;
  }
}

/** Starts `ponos ...args` and leaves it running; stdin stays open. Stop it in the test. */
export function startPonos(args: readonly string[], options: CliOptions = {}): RunningCli {
  const { executable = built } = options;
  if (!existsSync(join(dirname(executable), '..', 'dist', 'cli', 'main.js'))) {
    throw new Error('dist/ is missing: npm run build');
  }
  const home = mkdtempSync(join(tmpdir(), 'ponos-home-'));
  const env: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    HOME: home,
    // Compiled code is the same for all of them, and saves each a third of its start.
    XDG_CACHE_HOME: compiled,
    LANG: 'C.UTF-8',
    ...options.env,
  };
  for (const name of Object.keys(env)) if (env[name] === undefined) delete env[name];
  const child = spawn(process.execPath, [executable, ...args], {
    cwd: options.cwd ?? home,
    env: env as NodeJS.ProcessEnv,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return new RunningCli(child, options.limitMs ?? 20_000, () => rmSync(home, { recursive: true, force: true }));
}
