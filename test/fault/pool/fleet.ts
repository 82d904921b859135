/** Worker processes on a Redis, with their histories in a folder that is kept when the test fails. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { newId } from '../../../src/engine/core/ids.ts';
import { History } from './history.ts';
import type { WorkerProcessOptions } from './worker-process.ts';

const PROGRAM = join(import.meta.dirname, 'worker-process.ts');
const FOLDER = join(import.meta.dirname, '..', '..', '..', '.test-history');

export interface WorkerProcess {
  name: string;
  process: ChildProcess;
  pid: number;
  /** Resolves with the exit code, or null after a signal. */
  exited: Promise<number | null>;
}

export class Fleet {
  readonly folder = join(FOLDER, `pool-${newId()}`);
  readonly #options: Omit<WorkerProcessOptions, 'name' | 'history'>;
  readonly #workers: WorkerProcess[] = [];
  #startCount = 0;

  constructor(options: Omit<WorkerProcessOptions, 'name' | 'history'>) {
    this.#options = options;
    mkdirSync(this.folder, { recursive: true });
  }

  /** Resolves when the worker is a member. */
  async start(more: Partial<WorkerProcessOptions> = {}): Promise<WorkerProcess> {
    const name = `w${this.#startCount++}`;
    const options = { ...this.#options, ...more, name, history: this.#file(name) };
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'pipe'] });
    const exited = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)));
    let said = '';
    child.stderr?.on('data', bytes => {
      said += String(bytes);
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      exited.then(code => reject(new Error(`worker ${name} ended with ${code}: ${said}`))).catch(reject);
    });
    const worker = { name, process: child, pid: child.pid as number, exited };
    this.#workers.push(worker);
    return worker;
  }

  history(): History {
    return new History(this.#workers.map(({ name }) => this.#file(name)));
  }

  /** Ends every process by force. */
  async stop(): Promise<void> {
    for (const { process: child } of this.#workers) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await Promise.all(this.#workers.map(({ exited }) => exited));
  }

  #file(name: string): string {
    return join(this.folder, `${name}.jsonl`);
  }
}
