/** Real redis-servers for tests: each on a free port, in a folder of its own, stopped by process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisLink } from '../../src/engine/redis/link.ts';
import { serverProgram } from './server-program.ts';
import { until } from './until.ts';

export interface RedisServerOptions {
  /** More arguments of redis-server, e.g. `['--requirepass', 'secret']`. */
  args?: string[];
  /** Added to the environment of the process. */
  env?: Record<string, string>;
  /** Run as a sentinel with this configuration. */
  sentinel?: string;
  /** How to reach it for the readiness check, when that needs credentials. */
  url?: (port: number) => string;
  /** A port chosen before, for servers that must know each other's. */
  port?: number;
  /** Files of its folder, there before it starts. */
  files?: Record<string, string>;
}

export class RedisServer {
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  readonly #options: RedisServerOptions;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string, options: RedisServerOptions) {
    this.port = port;
    this.folder = folder;
    this.#options = options;
    this.url = options.url?.(port) ?? `redis://127.0.0.1:${port}`;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'ponos-redis-'));
    for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text);
    const server = new RedisServer(options.port ?? (await freePort()), folder, options);
    await server.up();
    return server;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('redis-server is not running');
    return pid;
  }

  /** Starts the process (again), on the same port and folder, and waits until it answers. */
  async up(): Promise<void> {
    const { sentinel, args = [], env = {} } = this.#options;
    const settings = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder];
    // A sentinel keeps its state in its configuration file, and takes no setting of a data server.
    const file = join(this.folder, 'sentinel.conf');
    const role = sentinel === undefined ? ['--save', ''] : ['--sentinel'];
    if (sentinel !== undefined && !existsSync(file)) writeFileSync(file, sentinel);
    const child = spawn(
      serverProgram ?? 'redis-server',
      [...(sentinel === undefined ? [] : [file]), ...settings, ...role, ...args],
      {
        stdio: 'ignore',
        env: { ...process.env, ...env },
      },
    );
    this.#process = child;
    let failed: Error | undefined;
    child.on('error', error => {
      failed = error;
    });
    child.on('exit', code => {
      failed ??= new Error(`redis-server on port ${this.port} ended with ${code}`);
    });
    await until(async () => {
      if (failed) throw failed;
      const link = await RedisLink.connect({ url: this.url, connectAttempts: 1 }).catch(() => undefined);
      await link?.close();
      return link !== undefined;
    }, `redis-server on port ${this.port} to answer`);
  }

  /** Sends a signal: SIGKILL, SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Ends the process and waits for its end; the folder stays for `up`. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  }

  /** Ends the process and removes its folder. */
  async stop(): Promise<void> {
    await this.down('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Below those that the system gives to outgoing connections: such a one could take it before the server does. */
const PORTS = { from: 10_000, to: 32_000 };
/** Test files that run beside each other each have a part of their own: a server that is down keeps its port. */
const PARTS = 8;
const handedOut = new Set<number>();

/** A free port that was not handed out before. */
export async function freePort(): Promise<number> {
  const size = Math.floor((PORTS.to - PORTS.from) / PARTS);
  const from = PORTS.from + (Number(process.env.VITEST_POOL_ID ?? 0) % PARTS) * size;
  for (;;) {
    const port = randomInt(from, from + size);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  const free = await new Promise<boolean>(resolve => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise(resolve => probe.close(resolve));
  return free;
}
