/**
 * Some replicas of one map in a process of their own, to be cut off, stopped and killed; each has its own link, and a watcher
 * whose consumer keeps what it was told. The tester asks over the channel of `fork`; when that ends, so does this.
 */
import { hash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PonosError, RedisUnavailableError } from '../../../src/engine/core/errors.ts';
import { ReplicatedMap, type ReplicatedMapOptions } from '../../../src/engine/maps/replicated-map.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { seededRandom } from '../report.ts';

export interface ProcessSettings {
  name: string;
  url: string;
  prefix: string;
  replicaCount: number;
  options: ReplicatedMapOptions;
  commandTimeoutMs: number;
  /** Writes of its own until it is told to be quiet; 0: none. */
  writesPerSecond: number;
  keyCount: number;
  /** Some of its writes remove all entries. */
  resets: boolean;
  seed: number;
  /** A line of JSON for each write that ended. */
  journal: string;
}

export interface ReplicaReport {
  digest: string;
  /** Of what the watcher was told. */
  watchedDigest: string;
  size: number;
  revision: number;
  generation: string;
  connected: boolean;
  lostCount: number;
  reassertedCount: number;
  /** Reassertions that this replica did itself. */
  ownCount: number;
  resetCount: number;
  toldCount: number;
  staleCount: number;
}

/** Operations of each kind that are known to be done, and those nobody knows of. */
export interface CountSum {
  increments: number;
  appends: number;
  swaps: number;
  uncertain: number;
}

export type Question =
  /** Digests cost a busy machine more than all else: they can be left out. */
  | { ask: 'report'; digests: boolean }
  | { ask: 'quiet' }
  /** Operations on keys that all share, at once, until each was done or refused. */
  | { ask: 'count'; count: number };

const TICK_MS = 20;

export function digestOf(entries: Iterable<readonly [string, string]>): string {
  return hash('sha1', JSON.stringify([...entries].sort(([a], [b]) => (a < b ? -1 : 1))));
}

class WatchedReplica {
  readonly map: ReplicatedMap;
  readonly #told = new Map<string, string>();
  readonly #counts = { lostCount: 0, reassertedCount: 0, ownCount: 0, resetCount: 0, toldCount: 0, staleCount: 0 };

  constructor(map: ReplicatedMap, slowMs: number) {
    this.map = map;
    map.events.on('lost', () => this.#counts.lostCount++);
    map.events.on('stale', () => this.#counts.staleCount++);
    map.events.on('reasserted', ({ self }) => {
      this.#counts.reassertedCount++;
      if (self) this.#counts.ownCount++;
    });
    void this.#watch(slowMs);
  }

  report(digests: boolean): ReplicaReport {
    const { map } = this;
    return {
      digest: digests ? digestOf(map.entries()) : '',
      watchedDigest: digests ? digestOf(this.#told) : '',
      size: map.size,
      revision: map.revision,
      generation: map.generation,
      connected: map.connected,
      ...this.#counts,
    };
  }

  async #watch(slowMs: number): Promise<void> {
    for await (const { kind, key, value } of this.map.watch({ current: true })) {
      this.#counts.toldCount++;
      if (kind === 'reset') {
        this.#counts.resetCount++;
        this.#told.clear();
      } else if (kind === 'delete') this.#told.delete(key as string);
      else this.#told.set(key as string, value as string);
      if (slowMs > 0 && this.#counts.toldCount % 50 === 0) await sleep(slowMs);
    }
  }
}

class Writer {
  readonly #settings: ProcessSettings;
  readonly #replicas: readonly WatchedReplica[];
  readonly #random: () => number;
  readonly #journal: number;
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #writeCount = 0;
  #tickedAtMs = performance.now();
  #due = 0;

  constructor(settings: ProcessSettings, replicas: readonly WatchedReplica[]) {
    this.#settings = settings;
    this.#replicas = replicas;
    this.#random = seededRandom(settings.seed);
    this.#journal = openSync(settings.journal, 'a');
    if (settings.writesPerSecond > 0) this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  async quiet(): Promise<boolean> {
    clearInterval(this.#timer);
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    return true;
  }

  async count(count: number): Promise<CountSum> {
    const sum: CountSum = { increments: 0, appends: 0, swaps: 0, uncertain: 0 };
    const attempt = async (kind: keyof CountSum, write: () => Promise<{ changed: boolean; applied?: boolean }>) => {
      const result = await write().catch((error: unknown) => error as { uncertain?: boolean });
      this.#note({ what: kind, result });
      if ('changed' in result) sum[kind] += result.applied === false ? 0 : 1;
      else if (result.uncertain) sum.uncertain++;
    };
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const { map } = this.#replicas[i % this.#replicas.length] as WatchedReplica;
        await attempt('increments', () => map.increment('n'));
        await attempt('appends', () => map.append('list', `${this.#settings.name}.${i}`));
        const value = await readSurely(() => map.getFresh('swapped'));
        await attempt('swaps', () => map.compareAndSet('swapped', { value }, String(Number(value ?? 0) + 1)));
      }),
    );
    return sum;
  }

  /** As many as are due: a busy machine makes ticks late, and one second of a stop is made up for. */
  #tick(): void {
    const nowMs = performance.now();
    const { writesPerSecond } = this.#settings;
    this.#due = Math.min(this.#due + ((nowMs - this.#tickedAtMs) / 1000) * writesPerSecond, writesPerSecond);
    this.#tickedAtMs = nowMs;
    for (; this.#due >= 1; this.#due--) this.#begin();
  }

  #begin(): void {
    const work = this.#track(() => this.#write()).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #track(write: () => Promise<unknown>): Promise<void> {
    try {
      const result = await write();
      this.#note({ what: 'write', result });
    } catch (error) {
      const uncertain = (error as { uncertain?: boolean }).uncertain === true;
      this.#note({ what: 'failed', code: error instanceof PonosError ? error.code : String(error), uncertain });
    }
  }

  #note(line: object): void {
    const text = JSON.stringify({ atMs: Date.now(), who: this.#settings.name, ...line }, (_, value: unknown) =>
      typeof value === 'bigint' || (typeof value === 'string' && value.length > 100)
        ? String(value).slice(0, 40)
        : value,
    );
    writeSync(this.#journal, `${text}\n`);
  }

  #write(): Promise<unknown> {
    const { keyCount, name } = this.#settings;
    const dice = this.#random();
    const key = `k${Math.floor(this.#random() * keyCount)}`;
    const { map } = this.#replicas[Math.floor(this.#random() * this.#replicas.length)] as WatchedReplica;
    const value = `${name}.${++this.#writeCount}`;
    if (dice < 0.7) return map.set(key, value);
    if (dice < 0.8) return map.delete(key);
    if (dice < 0.86) return map.setMany(['a', 'b', 'c'].map(part => [`${key}${part}`, value] as const));
    if (dice < 0.91) return map.increment(`n${key}`);
    if (dice < 0.96) return map.appendUnique(`list${Math.floor(dice * 1000) % 20}`, key);
    if (dice < 0.98) return map.set(`big${key}`.slice(0, 5), value.padEnd(100_000, '.'));
    if (dice < 0.998 || !this.#settings.resets) return map.compareAndSet(key, { value: map.get(key) }, value);
    return map.reset();
  }
}

/** A read has no outcome that could be unknown: it is asked again until it is answered. */
async function readSurely<T>(read: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      await sleep(TICK_MS);
    }
  }
}

async function run(settings: ProcessSettings): Promise<void> {
  const { url, prefix, replicaCount, options, commandTimeoutMs } = settings;
  const replicas: WatchedReplica[] = [];
  for (let i = 0; i < replicaCount; i++) {
    const link = await RedisLink.connect({ url, prefix, commandTimeoutMs });
    replicas.push(new WatchedReplica(await ReplicatedMap.join(link, 'm', options), i % 2 === 0 ? 0 : 20));
  }
  const writer = new Writer(settings, replicas);
  const answer = async (question: Question): Promise<unknown> => {
    switch (question.ask) {
      case 'report':
        return replicas.map(replica => replica.report(question.digests));
      case 'quiet':
        return writer.quiet();
      case 'count':
        return writer.count(question.count);
    }
  };
  process.on('message', (message: { id: number; question: Question }) => {
    answer(message.question).then(
      reply => process.send?.({ id: message.id, reply }),
      error => process.send?.({ id: message.id, error: String(error) }),
    );
  });
  process.send?.({ id: 0, reply: true });
}

if (process.argv[2]?.startsWith('{')) {
  process.once('disconnect', () => process.exit(1));
  await run(JSON.parse(process.argv[2]) as ProcessSettings);
}
