/** What is measured of streams, the same for every side: the modules of the sides export the same functions. */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Child } from '../support/child.ts';
import type { Figures } from '../support/compare.ts';
import { Scene, type Spent } from '../support/scene.ts';
import type { BenchServer } from '../support/server.ts';
import { median, percentile } from '../support/statistics.ts';

export interface Load {
  [name: string]: number;
  streams: number;
  bytes: number;
  consumers: number;
}

interface Progress {
  handled: number;
  acked: number;
  firstUs: number;
  lastUs: number;
}

export const IN_FLIGHT = 100;
/** Of all payloads under way, and of all stored: large ones are fewer. */
const BYTES_IN_FLIGHT = 16 * 2 ** 20;
const BYTES_STORED = 256 * 2 ** 20;
const LOOK_EVERY_MS = 20;

export class StreamBench {
  readonly #server: BenchServer;
  readonly #quick: boolean;

  constructor(server: BenchServer, quick: boolean) {
    this.#server = server;
    this.#quick = quick;
  }

  /** Events a second of one process, many in flight. */
  publish(side: string, { streams, bytes }: Load): Promise<Figures> {
    return this.#with(side, 1, async scene => {
      const count = this.#count(bytes);
      const depth = depthOf(bytes);
      const producer = scene.child(0);
      await producer.call('make', streams);
      await producer.call('publish', streams, Math.max(count / 2, streams), bytes, depth);
      const { result: seconds, spent } = await scene.spend(() =>
        producer.call<number>('publish', streams, count, bytes, depth),
      );
      return { perSecond: count / seconds, ...costs(spent, count) };
    });
  }

  /** A backlog read, handled and acknowledged. */
  consume(side: string, { streams, bytes, consumers }: Load): Promise<Figures> {
    return this.#with(side, consumers, async scene => {
      const count = this.#count(bytes);
      await scene.child(0).call('make', streams);
      await scene.child(0).call('publish', streams, count, bytes, depthOf(bytes));
      await this.#drain(scene.children, 'warm', streams, count);
      const { result: seconds, spent } = await scene.spend(() =>
        this.#drain(scene.children, 'measured', streams, count),
      );
      return { perSecond: count / seconds, ...costs(spent, count) };
    });
  }

  /** From the call that publishes to the handler, at a rate that leaves everybody time. */
  latency(side: string, { bytes }: Load): Promise<Figures> {
    return this.#with(side, 2, async scene => {
      const [producer, consumer] = [scene.child(0), scene.child(1)];
      const count = this.#quick ? 3000 : 10_000;
      await producer.call('make', 1);
      await consumer.call('start', 'measured', 1, 'newest');
      await producer.call('publishPaced', count / 2, 1000, bytes);
      const { spent } = await scene.spend(() => producer.call('publishPaced', count, 1000, bytes));
      await until([consumer], progress => progress.handled >= count * 1.5);
      const agesUs = (await consumer.call<number[]>('ages')).slice(count / 2);
      await consumer.call('stop');
      return { p50Us: median(agesUs), p99Us: percentile(agesUs, 0.99), ...costs(spent, count) };
    });
  }

  /** Seconds from the first event to the last. */
  async #drain(consumers: readonly Child[], group: string, streams: number, count: number): Promise<number> {
    await Promise.all(consumers.map(consumer => consumer.call('start', group, streams, 'oldest')));
    const progress = await until(consumers, ({ acked }) => acked >= count);
    await Promise.all(consumers.map(consumer => consumer.call('stop')));
    return (progress.lastUs - progress.firstUs) / 1e6;
  }

  #count(bytes: number): number {
    return Math.min(this.#quick ? 30_000 : 150_000, Math.floor(BYTES_STORED / bytes));
  }

  async #with(side: string, processes: number, measure: (scene: Scene) => Promise<Figures>): Promise<Figures> {
    const scene = await Scene.start(this.#server, join(import.meta.dirname, 'sides', `${side}.ts`), processes);
    try {
      return await measure(scene);
    } finally {
      await scene.end();
    }
  }
}

async function until(consumers: readonly Child[], done: (all: Progress) => boolean): Promise<Progress> {
  for (;;) {
    const each = await Promise.all(consumers.map(consumer => consumer.call<Progress>('progress')));
    const begun = each.filter(({ handled }) => handled > 0);
    const all = {
      handled: each.reduce((sum, { handled }) => sum + handled, 0),
      acked: each.reduce((sum, { acked }) => sum + acked, 0),
      firstUs: Math.min(...begun.map(({ firstUs }) => firstUs)),
      lastUs: Math.max(...begun.map(({ lastUs }) => lastUs)),
    };
    if (done(all)) return all;
    await wait(LOOK_EVERY_MS);
  }
}

function depthOf(bytes: number): number {
  return Math.max(1, Math.min(IN_FLIGHT, Math.floor(BYTES_IN_FLIGHT / bytes)));
}

function costs({ cpuUs, redisCpuUs }: Spent, count: number): Figures {
  const clients = cpuUs.reduce((sum, us) => sum + us, 0);
  return { cpuUs: (clients + redisCpuUs) / count, clientCpuUs: clients / count, redisCpuUs: redisCpuUs / count };
}
