/** The processes of a fault test, with their histories in a folder that is kept when the test fails. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { newId } from '../../../src/engine/core/ids.ts';
import type { LeaseOption } from '../../../src/engine/pool/options.ts';
import type { DispatcherOptions } from './dispatcher-process.ts';
import type { WorkerProcessOptions } from './worker-process.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', '.test-history');

export interface FleetOptions {
  url: string;
  prefix: string;
  pool: string;
  lease: LeaseOption;
  shards?: number;
}

export interface FleetProcess {
  name: string;
  process: ChildProcess;
  /** Resolves with the exit code, or null after a signal. */
  exited: Promise<number | null>;
}

export class Fleet {
  readonly folder = join(FOLDER, `pool-${newId()}`);
  readonly #options: FleetOptions;
  readonly #processes: FleetProcess[] = [];
  #workerCount = 0;
  #dispatcherCount = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    mkdirSync(this.folder, { recursive: true });
  }

  /** Resolves when the worker is a member. */
  startWorker(
    options: Partial<WorkerProcessOptions> & Pick<WorkerProcessOptions, 'tickMs' | 'settleMs'>,
    env: Record<string, string> = {},
  ): Promise<FleetProcess> {
    return this.#start('worker-process.ts', `w${this.#workerCount++}`, options, env);
  }

  /** Resolves when its first jobs are accepted. */
  startDispatcher(options: Partial<DispatcherOptions> = {}): Promise<FleetProcess> {
    const idle = { keys: '', jobCount: 0, jobsPerSecond: 0, notesPerSecond: 0, stopsPerSecond: 0, durableReplicas: 0 };
    return this.#start('dispatcher-process.ts', `d${this.#dispatcherCount++}`, { ...idle, ...options });
  }

  /** One that somebody else started ends with the others. */
  adopt(member: FleetProcess): void {
    this.#processes.push(member);
  }

  /** Ends every process by force. */
  async stop(): Promise<void> {
    for (const { process: child } of this.#processes) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await Promise.all(this.#processes.map(({ exited }) => exited));
  }

  async #start(program: string, name: string, more: object, env = {}): Promise<FleetProcess> {
    const options = { ...this.#options, name, history: join(this.folder, `${name}.jsonl`), ...more };
    const child = spawn(process.execPath, [join(import.meta.dirname, program), JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    child.stdin.on('error', () => {});
    const exited = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)));
    const member = { name, process: child, exited };
    this.adopt(member);
    let said = '';
    child.stderr.on('data', bytes => {
      said += String(bytes);
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      exited.then(code => reject(new Error(`${name} ended with ${code}: ${said}`))).catch(reject);
    });
    return member;
  }
}
