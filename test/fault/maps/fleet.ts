/** Processes with replicas of one map, each behind a proxy of its own; what the fault tests of maps stand on. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { RedisFixture } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { type CountSum, digestOf, type ProcessSettings, type Question, type ReplicaReport } from './replica-process.ts';

const PROGRAM = join(import.meta.dirname, 'replica-process.ts');
const HISTORY = join(import.meta.dirname, '..', '..', '..', '.test-history');

/** More would time out on each other. */
const STARTS_AT_ONCE = 10;

export type FleetSettings = Partial<Omit<ProcessSettings, 'name' | 'prefix' | 'journal'>>;

export class MapProcess {
  readonly proxy: TcpProxy;
  readonly name: string;
  readonly #settings: ProcessSettings;
  readonly #waiting = new Map<number, { resolve(reply: unknown): void; reject(error: Error): void }>();
  #child: ChildProcess | undefined;
  #asked = 0;
  /** Killed processes are started again under another seed. */
  #starts = 0;

  constructor(settings: ProcessSettings, proxy: TcpProxy) {
    this.#settings = settings;
    this.name = settings.name;
    this.proxy = proxy;
  }

  /** Starts it and waits until its replicas joined. */
  async start(): Promise<void> {
    const starts = this.#starts++;
    const name = starts === 0 ? this.name : `${this.name}+${starts}`;
    const settings = { ...this.#settings, name, seed: this.#settings.seed + 1000 * starts };
    const child = fork(PROGRAM, [JSON.stringify(settings)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    const ready = this.#reply(0);
    child.on('message', ({ id, reply, error }: { id: number; reply: unknown; error?: string }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(reply);
      else waiting?.reject(new Error(error));
    });
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} is gone`));
      this.#waiting.clear();
    });
    await ready;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  report(digests: boolean): Promise<ReplicaReport[]> {
    return this.#ask({ ask: 'report', digests }) as Promise<ReplicaReport[]>;
  }

  /** Ends its writes, and waits for those under way. */
  quiet(): Promise<unknown> {
    return this.#ask({ ask: 'quiet' });
  }

  count(count: number): Promise<CountSum> {
    return this.#ask({ ask: 'count', count }) as Promise<CountSum>;
  }

  #ask(question: Question): Promise<unknown> {
    const id = ++this.#asked;
    const reply = this.#reply(id);
    this.#child?.send({ id, question });
    return reply;
  }

  #reply(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }
}

export class MapFleet {
  readonly processes: MapProcess[] = [];
  readonly control: RedisLink;
  readonly #folder: string;
  readonly #faults: object[] = [];

  private constructor(control: RedisLink, folder: string) {
    this.control = control;
    this.#folder = folder;
  }

  /** Ended after the test; the history of one that failed stays in `.test-history/maps`. */
  static async start(
    redis: RedisFixture,
    name: string,
    processCount: number,
    settings: FleetSettings = {},
  ): Promise<MapFleet> {
    const folder = join(HISTORY, 'maps', `${name}-${settings.seed ?? 0}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const fleet = new MapFleet(await redis.connect(), folder);
    for (let i = 0; i < processCount; i++) {
      const proxy = await TcpProxy.start(redis.server.port);
      redis.defer(() => proxy.stop());
      const process = new MapProcess(
        {
          replicaCount: 1,
          options: {},
          commandTimeoutMs: 1000,
          writesPerSecond: 0,
          keyCount: 500,
          resets: true,
          url: proxy.url,
          ...settings,
          seed: (settings.seed ?? 0) * 100 + i,
          name: `p${i}`,
          prefix: redis.prefix,
          journal: join(folder, `p${i}.jsonl`),
        },
        proxy,
      );
      redis.defer(() => process.kill());
      fleet.processes.push(process);
    }
    for (let at = 0; at < processCount; at += STARTS_AT_ONCE) {
      await Promise.all(fleet.processes.slice(at, at + STARTS_AT_ONCE).map(process => process.start()));
    }
    return fleet;
  }

  note(fault: string, more: object = {}): void {
    this.#faults.push({ atMs: Date.now(), fault, ...more });
    writeFileSync(join(this.#folder, 'faults.jsonl'), this.#faults.map(line => `${JSON.stringify(line)}\n`).join(''));
  }

  async reports({ digests = false } = {}): Promise<ReplicaReport[]> {
    return (await Promise.all(this.processes.map(process => process.report(digests)))).flat();
  }

  /** Ends all writes; of how many the outcome is known, those of killed processes too. */
  async quiet(): Promise<{ doneCount: number; failedCount: number }> {
    await Promise.all(this.processes.map(process => process.quiet()));
    const counts = { doneCount: 0, failedCount: 0 };
    for (const { name } of this.processes) {
      for (const line of readFileSync(join(this.#folder, `${name}.jsonl`), 'utf8').split('\n')) {
        if (line.includes('"what":"write"')) counts.doneCount++;
        else if (line.includes('"what":"failed"')) counts.failedCount++;
      }
    }
    return counts;
  }

  async truth() {
    const client = await MapClient.open(this.control, 'm');
    const { entries, revision, generation } = await client.readAll();
    return { digest: digestOf(entries), entries, revision, generation };
  }

  /** Waits until every copy and what every watcher was told equals Redis; in how many ms. */
  async converge(limitMs: number): Promise<number> {
    const startMs = performance.now();
    let divergent: string[] = [];
    let truth = '';
    await until(
      async () => {
        const { digest, revision, generation, entries } = await this.truth();
        truth = JSON.stringify({ digest, revision, generation, size: entries.size });
        const reports = await this.reports({ digests: true });
        divergent = reports
          .filter(report => report.digest !== digest || report.watchedDigest !== digest || !report.connected)
          .map(report => JSON.stringify(report));
        return divergent.length === 0;
      },
      'every copy to equal Redis',
      { limitMs, everyMs: 50 },
    ).catch(error => {
      throw new Error(`${error.message}: ${divergent.length} do not\n${divergent.join('\n')}\nRedis: ${truth}`);
    });
    return Math.round(performance.now() - startMs);
  }

  /** All went well: the processes end and leave an empty map to the next fleet; nobody needs the history. */
  async end(): Promise<void> {
    await Promise.all(this.processes.map(process => process.kill()));
    await this.control.commands.call('FLUSHDB');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
