/** The processes of one side, new, on an empty Redis; and what they spend while something is measured. */
import { Child } from './child.ts';
import { pinClient } from './placement.ts';
import type { BenchServer } from './server.ts';

export interface Spent {
  seconds: number;
  /** Of each process, in the order they were started. */
  cpuUs: number[];
  redisCpuUs: number;
}

/** A scene takes seconds. One that takes as long has failed: it is ended, and the suite goes on. */
const LIMIT_MS = 90_000;

export class Scene {
  readonly server: BenchServer;
  readonly children: Child[] = [];
  #limit: NodeJS.Timeout | undefined;

  private constructor(server: BenchServer) {
    this.server = server;
  }

  /** `count` processes of one module, an absolute file name, each opened with the address of Redis. */
  static async start(server: BenchServer, module: string, count: number): Promise<Scene> {
    await server.empty();
    const scene = new Scene(server);
    scene.#limit = setTimeout(() => scene.end(), LIMIT_MS);
    try {
      for (let at = 0; at < count; at++) {
        const child = await Child.start(module);
        scene.children.push(child);
        pinClient(child.pid, at);
        await child.call('open', server.url);
      }
    } catch (error) {
      await scene.end();
      throw error;
    }
    return scene;
  }

  child(at: number): Child {
    return this.children[at] as Child;
  }

  async spend<T>(work: () => Promise<T>): Promise<{ result: T; spent: Spent }> {
    const before = await this.#counters();
    const startMs = performance.now();
    const result = await work();
    const seconds = (performance.now() - startMs) / 1000;
    const after = await this.#counters();
    const [redisCpuUs = 0, ...cpuUs] = after.map((value, at) => value - (before[at] as number));
    return { result, spent: { seconds, cpuUs, redisCpuUs } };
  }

  async end(): Promise<void> {
    clearTimeout(this.#limit);
    await Promise.all(this.children.map(child => child.kill()));
  }

  async #counters(): Promise<number[]> {
    const [use, ...cpuUs] = await Promise.all([this.server.use(), ...this.children.map(child => child.cpuUs())]);
    return [use.cpuUs, ...cpuUs];
  }
}
