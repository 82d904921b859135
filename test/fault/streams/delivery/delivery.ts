/** Many events, a few consumer processes, one of them killed again and again and replaced; then what they wrote is judged. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../../../../src/engine/core/ids.ts';
import { showSink } from '../../../../src/engine/inspect/streams.ts';
import { EventStream } from '../../../../src/engine/streams/stream.ts';
import type { RedisFixture } from '../../../support/fixture.ts';
import { until } from '../../../support/until.ts';
import { nowMs } from '../../pool/journal.ts';
import { seededRandom } from '../../report.ts';
import type { ConsumerOptions } from './consumer.ts';
import { type ConsumerHistory, type Judgement, judge, type Line, type What } from './history.ts';

export interface DeliveryOptions {
  events: number;
  eventsPerSecond: number;
  consumers: number;
  killEveryMs: number;
  claimIdleMs: number;
  lanes: number;
  seed: number;
}

export interface Delivery extends Judgement {
  kills: number;
  /** From the last kill, or the last event published, until every event was ended. */
  recoveryMs: number;
  /** Anything that Redis counts otherwise than it should. */
  miscounted: string[];
}

const PROGRAM = join(import.meta.dirname, 'consumer.ts');
const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', '.test-history');
const BATCH = 50;
const STREAM = 's';
const SINK = 'k';

class ConsumerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #journal: string;
  readonly #ended: Promise<unknown>;
  killedAtMs: number | undefined;
  ready = false;

  constructor(name: string, folder: string, options: Omit<ConsumerOptions, 'journal'>) {
    this.name = name;
    this.#journal = join(folder, name);
    // It may end before it has written anything.
    writeFileSync(this.#journal, '');
    const args = [PROGRAM, JSON.stringify({ ...options, journal: this.#journal })];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout?.once('data', () => {
      this.ready = true;
    });
    this.#ended = new Promise(resolve => this.#child.once('exit', resolve));
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(): Promise<void> {
    if (!this.alive) return;
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.killedAtMs ??= nowMs();
  }

  async end(): Promise<void> {
    if (this.alive) this.#child.kill('SIGTERM');
    await this.#ended;
  }

  get history(): ConsumerHistory {
    const text = readFileSync(this.#journal, 'utf8');
    // The last line may have been cut short.
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    return { name: this.name, killedAtMs: this.killedAtMs, lines: lines.filter(Boolean).map(parse) };
  }
}

function parse(text: string): Line {
  const [atMs, what, id, lane, count] = text.split(' ') as [string, What, string, string, string];
  return { atMs: Number(atMs), what, id, lane, count: Number(count) };
}

export async function deliver(redis: RedisFixture, options: DeliveryOptions): Promise<Delivery> {
  const folder = join(FOLDER, `delivery-${options.seed}-${newId()}`);
  mkdirSync(folder, { recursive: true });
  const link = await redis.connect();
  const stream = await EventStream.open(link, STREAM);
  const { claimIdleMs } = options;
  const random = seededRandom(options.seed);
  const all: ConsumerProcess[] = [];
  const start = () => {
    const place = { url: redis.server.url, prefix: redis.prefix, stream: STREAM, sink: SINK, claimIdleMs };
    const consumer = new ConsumerProcess(`consumer-${all.length}`, folder, place);
    all.push(consumer);
    redis.defer(() => consumer.kill());
  };
  for (let i = 0; i < options.consumers; i++) start();
  await until(() => all.every(({ ready }) => ready), 'the consumers to be ready');

  const published: string[] = [];
  let kills = 0;
  let lastKillMs = 0;
  let isOver = false;
  const killing = (async () => {
    while (!isOver) {
      await new Promise(resolve => setTimeout(resolve, options.killEveryMs));
      const ready = all.filter(consumer => consumer.alive && consumer.ready);
      const victim = ready[Math.floor(random() * ready.length)];
      if (!victim || isOver) continue;
      await victim.kill();
      kills++;
      lastKillMs = nowMs();
      start();
    }
  })();
  const startMs = nowMs();
  while (published.length < options.events) {
    const events = Array.from({ length: Math.min(BATCH, options.events - published.length) }, () => {
      return { name: 'n', payload: 'p', topic: `lane-${Math.floor(random() * options.lanes)}` };
    });
    published.push(...(await stream.publishMany(events)));
    const dueMs = startMs + (published.length / options.eventsPerSecond) * 1000;
    await new Promise(resolve => setTimeout(resolve, Math.max(0, dueMs - nowMs())));
  }
  const publishedMs = nowMs();
  isOver = true;
  await killing;
  const isThrough = async () => {
    const { pendingCount, lag } = await showSink(link, STREAM, SINK);
    return pendingCount === 0 && lag.count === 0;
  };
  await until(isThrough, 'all events to be acknowledged', { limitMs: 60_000 });
  const { deadCount, lostTotal } = await showSink(link, STREAM, SINK);
  const acked = Number(await link.commands.call('HGET', link.keys.stream(STREAM).sinks, `${SINK}:acked`));
  const miscounted = Object.entries({ deadCount, lostTotal, unacked: options.events - acked })
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `${name} ${count}`);
  await Promise.all(all.map(consumer => consumer.end()));
  const judgement = judge(
    published,
    all.map(({ history }) => history),
  );
  const problems = [judgement.lost, judgement.disorder, judgement.unexplained, miscounted].flat();
  if (problems.length === 0) await rm(folder, { recursive: true });
  return { ...judgement, kills, recoveryMs: judgement.lastEndMs - Math.max(lastKillMs, publishedMs), miscounted };
}
