/** A partitioned sink of several processes under load, while some are killed, stopped, sent away and added. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { showSink } from '../../../src/engine/inspect/streams.ts';
import { partitionNames } from '../../../src/engine/partitions/names.ts';
import { PartitionedStream } from '../../../src/engine/partitions/partitioned-stream.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { RedisFixture } from '../../support/fixture.ts';
import { TEST_LEASE } from '../../support/pool.ts';
import { until } from '../../support/until.ts';
import { seededRandom } from '../report.ts';
import { judge, nowMs, readLines, SINK, STREAM, type Verdict } from './history.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', '.test-history');
const PARTITIONS = 8;
const PROCESSES = 4;
const KEYS = Array.from({ length: 64 }, (_, n) => `customer-${n}`);
/** What is written between two faults: of some hundred events. */
const BYTES_BETWEEN = 40_000;
/** Between two waves of events, one of each of a third of the keys. */
const WAVE_MS = 60;

export type Fault = 'kill' | 'stop' | 'leave' | 'add';

export interface Storm extends Verdict {
  published: number;
  deadCount: number;
  lostTotal: number;
  /** Where the histories are. */
  folder: string;
}

/** Injects the faults given, one after the other, each while events are published and handled. */
export async function storm(redis: RedisFixture, faults: readonly Fault[], seed: number): Promise<Storm> {
  const random = seededRandom(seed);
  mkdirSync(FOLDER, { recursive: true });
  const folder = mkdtempSync(join(FOLDER, `partitions-${seed}-`));
  const link = await redis.connect();
  const stream = await PartitionedStream.open(link, STREAM, { partitions: PARTITIONS });
  const fleet = new Fleet(redis, folder);
  await Promise.all(Array.from({ length: PROCESSES }, () => fleet.add()));

  const published = new Map(KEYS.map(key => [key, 0]));
  let stormy = true;
  const publishing = (async () => {
    while (stormy) {
      const keys = KEYS.filter(() => random() < 0.33);
      await stream.publishMany(keys.map(key => ({ key, name: 'placed', payload: String(published.get(key)) })));
      for (const key of keys) published.set(key, (published.get(key) as number) + 1);
      await new Promise(resolve => setTimeout(resolve, WAVE_MS));
    }
  })();
  for (const fault of faults) {
    const before = bytesIn(folder);
    await until(() => bytesIn(folder) > before + BYTES_BETWEEN, 'events to be handled', { everyMs: 50 });
    await fleet.inject(fault, random);
  }
  stormy = false;
  await publishing;
  const sinks = await through(link);
  const verdict = judge(readLines(folder), published, fleet);
  await fleet.end();
  return {
    ...verdict,
    published: [...published.values()].reduce((sum, count) => sum + count, 0),
    deadCount: sinks.reduce((sum, { deadCount }) => sum + deadCount, 0),
    lostTotal: sinks.reduce((sum, { lostTotal }) => sum + lostTotal, 0),
    folder,
  };
}

/** To be called when nothing is wrong with it. */
export function forget({ folder }: Storm): void {
  rmSync(folder, { recursive: true, force: true });
}

function bytesIn(folder: string, who = ''): number {
  const files = readdirSync(folder).filter(name => name.startsWith(who));
  return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

function through(link: RedisLink) {
  return until(
    async () => {
      const names = partitionNames(STREAM, PARTITIONS);
      const sinks = await Promise.all(names.map(name => showSink(link, name, SINK).catch(() => undefined)));
      const isThrough = sinks.every(sink => sink?.pendingCount === 0 && sink.lag.count === 0);
      return isThrough && sinks.filter(sink => sink !== undefined);
    },
    'every event to be acknowledged',
    { limitMs: 60_000, everyMs: 100 },
  );
}

class Fleet {
  readonly killedMs = new Map<string, number>();
  readonly stoppedMs = new Map<string, { fromMs: number; toMs: number }[]>();
  readonly #redis: RedisFixture;
  readonly #folder: string;
  readonly #members = new Map<string, ChildProcess>();
  #count = 0;

  constructor(redis: RedisFixture, folder: string) {
    this.#redis = redis;
    this.#folder = folder;
  }

  async add(): Promise<void> {
    const name = `c${++this.#count}`;
    const program = join(import.meta.dirname, 'consumer-process.ts');
    const args = [program, this.#redis.server.url, this.#redis.prefix, this.#folder, name];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'inherit', 'inherit'] });
    this.#redis.defer(() => void child.kill('SIGKILL'));
    const isReady = () => bytesIn(this.#folder, `${name}.`) > 0;
    await until(isReady, `${name} to be ready`, { everyMs: 50, limitMs: 30_000 });
    this.#members.set(name, child);
  }

  /** There are as many as before afterwards, but for one more with `add`. */
  async inject(fault: Fault, random: () => number): Promise<void> {
    if (fault === 'add') return this.add();
    const members = [...this.#members];
    const [name, child] = members[Math.floor(random() * members.length)] as [string, ChildProcess];
    if (fault === 'stop') {
      const fromMs = nowMs();
      child.kill('SIGSTOP');
      const { leaseMs, marginMs, graceMs } = TEST_LEASE;
      await new Promise(resolve => setTimeout(resolve, leaseMs + marginMs + graceMs + random() * 1000));
      const stops = this.stoppedMs.get(name) ?? [];
      this.stoppedMs.set(name, [...stops, { fromMs, toMs: nowMs() }]);
      child.kill('SIGCONT');
      return;
    }
    this.#members.delete(name);
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill(fault === 'kill' ? 'SIGKILL' : 'SIGTERM');
    await ended;
    if (fault === 'kill') this.killedMs.set(name, nowMs());
    await this.add();
  }

  async end(): Promise<void> {
    await Promise.all(
      [...this.#members.values()].map(async child => {
        const ended = new Promise(resolve => child.once('exit', resolve));
        child.kill('SIGTERM');
        await ended;
      }),
    );
  }
}
