/** One repetition of one side: its processes, new, on an empty Redis; and what they spent while something was measured. */
import { join } from 'node:path';
import { Child } from '../support/child.ts';
import { pinClient } from '../support/placement.ts';
import type { BenchServer } from '../support/server.ts';

export type SideName = 'ponos' | 'raw' | 'bullmq';

export interface Spent {
  seconds: number;
  clientCpuUs: number;
  workerCpuUs: number;
  redisCpuUs: number;
  scriptCount: number;
  commandCount: number;
}

export class Trial {
  readonly server: BenchServer;
  readonly worker: Child;
  readonly client: Child;
  readonly #file: string;
  readonly #children: Child[];

  private constructor(server: BenchServer, file: string, worker: Child, client: Child) {
    this.server = server;
    this.#file = file;
    this.worker = worker;
    this.client = client;
    this.#children = [worker, client];
  }

  /** `workArgs` go to the worker's process after the address. */
  static async start(server: BenchServer, side: SideName, ...workArgs: unknown[]): Promise<Trial> {
    await server.empty();
    const file = join(import.meta.dirname, 'sides', `${side}.ts`);
    const trial = new Trial(server, file, await Child.start(file), await Child.start(file));
    pinClient(trial.worker.pid, 0);
    pinClient(trial.client.pid, 1);
    try {
      await trial.worker.call('work', server.url, ...workArgs);
      await trial.client.call('open', server.url);
    } catch (error) {
      await trial.end();
      throw error;
    }
    return trial;
  }

  /** A further process with workers. */
  async addWorkers(...workArgs: unknown[]): Promise<Child> {
    const child = await Child.start(this.#file);
    this.#children.push(child);
    pinClient(child.pid, 0);
    await child.call('work', this.server.url, ...workArgs);
    return child;
  }

  async spend<T>(work: () => Promise<T>): Promise<{ result: T; spent: Spent }> {
    const before = await this.#counters();
    const start = performance.now();
    const result = await work();
    const seconds = (performance.now() - start) / 1000;
    const after = await this.#counters();
    const difference = before.map((value, at) => (after[at] as number) - value);
    const [clientCpuUs = 0, workerCpuUs = 0, redisCpuUs = 0, scriptCount = 0, commandCount = 0] = difference;
    return { result, spent: { seconds, clientCpuUs, workerCpuUs, redisCpuUs, scriptCount, commandCount } };
  }

  async end(): Promise<void> {
    await Promise.all(this.#children.map(child => child.kill()));
  }

  async #counters(): Promise<number[]> {
    const [client, worker, use] = await Promise.all([this.client.cpuUs(), this.worker.cpuUs(), this.server.use()]);
    return [client, worker, use.cpuUs, use.scriptCount, use.commandCount];
  }
}
