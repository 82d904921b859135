/** The processes of the demonstration: a Redis of its own and workers, all ended and removed whatever happens. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisUnavailableError } from '../../engine/index.ts';
import { POOL } from './protocol.ts';

export interface DemoWorker {
  /** A letter, for the story. */
  name: string;
  pid: number;
}

export class DemoFleet {
  readonly folder = mkdtempSync(join(tmpdir(), 'ponos-demo-'));
  readonly #root: string;
  readonly #children = new Map<number, ChildProcess>();
  readonly #onExit = () => this.#killAll();
  #workerCount = 0;
  #port = 0;

  /** @param root folder of the package, where `bin` and `dist` are */
  constructor(root: string) {
    this.#root = root;
    // Also on an uncaught error: nothing this process started may outlive it.
    process.once('exit', this.#onExit);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Starts redis-server on a free port, with its data in a folder that goes away with the fleet. */
  async startRedis(): Promise<{ pid: number; port: number; program: string }> {
    const program = ['redis-server', 'valkey-server'].find(name => spawnSync(name, ['--version']).status === 0);
    if (!program) {
      throw new RedisUnavailableError('there is no redis-server or valkey-server on the PATH', {
        hint: 'Install it, e.g. "apt-get install redis-server" or "brew install redis".',
      });
    }
    this.#port = await freePort();
    const settings = [
      '--port',
      `${this.#port}`,
      '--bind',
      '127.0.0.1',
      '--dir',
      this.folder,
      '--save',
      '',
      '--appendonly',
      'yes',
    ];
    const child = this.#spawn(program, settings, 'redis');
    return { pid: child.pid as number, port: this.#port, program };
  }

  /** Starts a worker process: `ponos worker start` with the demonstration's handler. */
  startWorker(): DemoWorker {
    const name = String.fromCharCode(65 + this.#workerCount++);
    const handler = join(this.#root, 'dist', 'cli', 'demo', 'handler.js');
    const args = ['worker', 'start', handler, '--pool', POOL, '--lease', 'fast', '--concurrency', '500'];
    const child = this.#spawn(process.execPath, [join(this.#root, 'bin', 'run.js'), ...args], `worker-${name}`);
    return { name, pid: child.pid as number };
  }

  signal(worker: DemoWorker, signal: NodeJS.Signals): void {
    this.#children.get(worker.pid)?.kill(signal);
  }

  /** What a process that should be alive said before it ended; undefined while all is well. */
  failureOf(worker: DemoWorker): string | undefined {
    const child = this.#children.get(worker.pid);
    if (!child || (child.exitCode === null && child.signalCode === null)) return undefined;
    return readFileSync(join(this.folder, `worker-${worker.name}.log`), 'utf8').trim() || `exit code ${child.exitCode}`;
  }

  hasEnded(worker: DemoWorker): boolean {
    return !this.#children.has(worker.pid);
  }

  /** Ends workers first, then Redis; waits for each, then removes the folder. */
  async stop(): Promise<void> {
    const redisLast = [...this.#children.values()].reverse();
    for (const child of redisLast) {
      const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    }
    this.#killAll();
    process.off('exit', this.#onExit);
  }

  #spawn(program: string, args: string[], name: string): ChildProcess {
    const log = openSync(join(this.folder, `${name}.log`), 'a');
    const child = spawn(program, args, {
      stdio: ['ignore', log, log],
      // A group of its own: Ctrl-C on the terminal reaches the demonstration alone, which then ends its fleet in order.
      detached: true,
      env: { ...process.env, PONOS_REDIS_URL: this.url },
    });
    child.on('error', () => {});
    child.once('exit', () => child.pid && this.#children.delete(child.pid));
    if (child.pid) this.#children.set(child.pid, child);
    return child;
  }

  #killAll(): void {
    for (const child of this.#children.values()) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise(resolve => probe.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
