/** What is measured of maps, the same for every side: the modules of the sides export the same functions. */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Figures } from '../support/compare.ts';
import { nowUs } from '../support/load.ts';
import { Scene } from '../support/scene.ts';
import type { BenchServer } from '../support/server.ts';
import { median, percentile } from '../support/statistics.ts';

export interface Load {
  [name: string]: number;
  bytes: number;
  /** In processes of their own. */
  replicas: number;
  /** In one process. */
  copies: number;
}

export const IN_FLIGHT = 100;
/** Where many replicas share a process they need the time. */
export const PACE = 200;
const BYTES_IN_FLIGHT = 8 * 2 ** 20;
const BYTES_SENT = 128 * 2 ** 20;
const LOOK_EVERY_MS = 5;

export class MapBench {
  readonly #server: BenchServer;
  readonly #quick: boolean;

  constructor(server: BenchServer, quick: boolean) {
    this.#server = server;
    this.#quick = quick;
  }

  /** One write at a time in one process, seen in another. */
  visible(side: string, { bytes }: Load): Promise<Figures> {
    return this.#with(side, 1, 1, async scene => {
      const count = this.#quick ? 1000 : 5000;
      await this.#set(scene, count, bytes, 1);
      await scene.child(1).call('forget');
      await this.#set(scene, count, bytes, 1);
      const agesUs = await scene.child(1).call<number[]>('ages');
      return { p50Us: median(agesUs), p99Us: percentile(agesUs, 0.99) };
    });
  }

  /** Writes a second, many in flight, until the last replica shows the last of them. */
  applied(side: string, { bytes, replicas }: Load): Promise<Figures> {
    return this.#with(side, replicas, 1, async scene => {
      const count = Math.min(this.#quick ? 20_000 : 60_000, Math.floor(BYTES_SENT / bytes));
      const depth = Math.max(1, Math.min(IN_FLIGHT, Math.floor(BYTES_IN_FLIGHT / bytes)));
      await this.#set(scene, count / 2, bytes, depth);
      const { result: seconds, spent } = await scene.spend(() => this.#set(scene, count, bytes, depth));
      const [writerCpuUs = 0, ...replicaCpuUs] = spent.cpuUs;
      const replicasCpuUs = replicaCpuUs.reduce((sum, us) => sum + us, 0);
      return {
        perSecond: count / seconds,
        cpuUs: (writerCpuUs + replicasCpuUs + spent.redisCpuUs) / count,
        writerCpuUs: writerCpuUs / count,
        replicaCpuUs: replicasCpuUs / replicas / count,
        redisCpuUs: spent.redisCpuUs / count,
      };
    });
  }

  /** What each further replica costs. */
  spread(side: string, { bytes, copies }: Load): Promise<Figures> {
    return this.#with(side, 1, copies, async scene => {
      const count = PACE * (this.#quick ? 2 : 5);
      const [writer, replica] = [scene.child(0), scene.child(1)];
      await writer.call('setPaced', count, PACE, bytes);
      await replica.call('forget');
      const { spent } = await scene.spend(async () => {
        await writer.call('setPaced', count, PACE, bytes);
        await this.#end(scene);
      });
      const agesUs = await replica.call<number[]>('ages');
      return {
        p50Us: median(agesUs),
        p99Us: percentile(agesUs, 0.99),
        redisCpuUs: spent.redisCpuUs / count,
        replicaCpuUs: (spent.cpuUs[1] as number) / copies / count,
      };
    });
  }

  get(side: string, { bytes }: Load): Promise<Figures> {
    return this.#with(side, 1, 1, async scene => {
      await this.#set(scene, 1000, bytes, IN_FLIGHT);
      const count = this.#quick ? 5_000_000 : 20_000_000;
      await scene.child(1).call('gets', count);
      return scene.child(1).call('gets', count);
    });
  }

  async #set(scene: Scene, count: number, bytes: number, depth: number): Promise<number> {
    const startUs = nowUs();
    await scene.child(0).call('set', Math.ceil(count), bytes, depth);
    return ((await this.#end(scene)) - startUs) / 1e6;
  }

  /** When every replica showed everything. */
  async #end(scene: Scene): Promise<number> {
    const token = `${nowUs()}`;
    await scene.child(0).call('end', token);
    for (;;) {
      const times = await Promise.all(
        scene.children.slice(1).map(replica => replica.call<number | null>('endedAtUs', token)),
      );
      if (times.every(time => time !== null)) return Math.max(...times.map(Number));
      await wait(LOOK_EVERY_MS);
    }
  }

  async #with(
    side: string,
    replicas: number,
    copies: number,
    measure: (scene: Scene) => Promise<Figures>,
  ): Promise<Figures> {
    const scene = await Scene.start(this.#server, join(import.meta.dirname, 'sides', `${side}.ts`), 1 + replicas);
    try {
      await Promise.all(scene.children.slice(1).map(replica => replica.call('join', copies)));
      return await measure(scene);
    } finally {
      await scene.end();
    }
  }
}
