/**
 * A process of a benchmark: loads one module and calls its exported functions when the runner asks. Processes are new for
 * every repetition, so that no side profits from what an earlier one left warm.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answer, Request } from './child-process.ts';

const PROGRAM = join(import.meta.dirname, 'child-process.ts');

export class Child {
  readonly #process: ChildProcess;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #count = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on('message', (answer: Answer) => {
      const call = this.#calls.get(answer.id);
      this.#calls.delete(answer.id);
      if (answer.error === undefined) call?.resolve(answer.value);
      else call?.reject(new Error(answer.error));
    });
    process.once('exit', code => {
      for (const { reject } of this.#calls.values()) reject(new Error(`a process of the benchmark ended with ${code}`));
      this.#calls.clear();
    });
  }

  /** `module` is an absolute file name. */
  static async start(module: string): Promise<Child> {
    const process = fork(PROGRAM, [module], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const child = new Child(process);
    await child.call('');
    return child;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** Calls an exported function of the module; the answer is what it resolves to, as JSON carries it. */
  call<T>(method: string, ...args: unknown[]): Promise<T> {
    const request: Request = { id: ++this.#count, method, args };
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(request.id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.send(request);
    });
  }

  /** CPU time of the process so far, in microseconds. */
  cpuUs(): Promise<number> {
    return this.call('cpuUs');
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}
