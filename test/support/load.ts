/**
 * Maps, streams, a reader and a sink at work in one Redis, whatever it is made of, and what they saw: for tests that do
 * something to the servers meanwhile. Every event carries a payload of its own, so what is doubled or missing shows.
 */
import { randomInt } from 'node:crypto';
import { type PonosError, RedisUnavailableError } from '../../src/engine/core/errors.ts';
import { showSink } from '../../src/engine/inspect/streams.ts';
import { MapClient } from '../../src/engine/maps/map-client.ts';
import { ReplicatedMap } from '../../src/engine/maps/replicated-map.ts';
import { RedisLink } from '../../src/engine/redis/link.ts';
import { Reader } from '../../src/engine/streams/reader.ts';
import { Sink } from '../../src/engine/streams/sink.ts';
import { EventStream } from '../../src/engine/streams/stream.ts';
import { entriesOf, eventsOf } from './truth.ts';
import { until } from './until.ts';

export interface LoadOptions {
  url: string;
  prefix: string;
  map: string;
  streams: readonly string[];
  /** Milliseconds between two publishes to one stream, and between two writes. */
  everyMs?: number;
  blockMs?: number;
}

export interface Evidence {
  /** Publishes that were answered. */
  accepted: number;
  /** Publishes whose outcome is open, and those that were surely not sent. */
  uncertain: number;
  refused: number;
  /** Accepted, and not in the stream at the end. */
  lost: number;
  /** In the stream more than once. */
  doubled: number;
  /** In the stream at the end, and never handled by the sink, or never read by the reader. */
  unhandled: number;
  unread: number;
  /** Read again, or out of order. */
  misread: number;
  writes: number;
  /** Writes that were answered, and the map does not show, or not exactly once. */
  lostWrites: number;
  /** Writes that failed. */
  failedWrites: number;
  /** Replicas of the map that differ from Redis at the end. */
  divergent: number;
  /** Longest time without an accepted publish, an accepted write, and an event handled, of any stream. */
  publishGapMs: number;
  writeGapMs: number;
  handleGapMs: number;
  /** Until replicas, reader and sinks had everything, after the load had ended. */
  settledMs: number;
  /** Most commands one of the links sent in a second. */
  commandsPerSecond: number;
}

const SINK = 'fold';
const COUNTER = 'counter';
const KEYS = 50;
const CLAIM_MS = 2000;

class Gaps {
  worstMs = 0;
  #lastMs = performance.now();

  seen(): void {
    const nowMs = performance.now();
    this.worstMs = Math.max(this.worstMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }
}

export class Load {
  readonly #options: Required<LoadOptions>;
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #links: RedisLink[] = [];
  readonly #replicas: ReplicatedMap[] = [];
  readonly #accepted = new Map<string, Map<string, string>>();
  readonly #handled = new Map<string, Set<string>>();
  readonly #read = new Map<string, string[]>();
  readonly #failures: PonosError[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #gaps = new Map<string, Gaps>();
  readonly #written = new Map<string, string>();
  /** Of keys whose last write failed: what they may hold. */
  readonly #open = new Map<string, Set<string>>();
  #increments = { done: 0, open: 0 };
  #writes = 0;
  #failedWrites = 0;
  #stopped = false;
  #commandsPerSecond = 0;

  private constructor(options: LoadOptions) {
    this.#options = { everyMs: 10, blockMs: 500, ...options };
  }

  static async start(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    await load.#start();
    return load;
  }

  /** Publishes that were answered so far, of one stream or of all. */
  acceptedCount(stream?: string): number {
    if (stream !== undefined) return this.#accepted.get(stream)?.size ?? 0;
    return [...this.#accepted.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** More of everything has happened by now, in every stream, in the map, and at the sink. */
  async untilMore(count = 20): Promise<void> {
    const wanted = [...this.#options.streams].map(stream => ({
      stream,
      accepted: this.acceptedCount(stream) + count,
      handled: (this.#handled.get(stream)?.size ?? 0) + count,
      read: (this.#read.get(stream)?.length ?? 0) + count,
    }));
    const writes = this.#writes + count;
    await until(
      () =>
        this.#writes >= writes &&
        wanted.every(
          ({ stream, accepted, handled, read }) =>
            this.acceptedCount(stream) >= accepted &&
            (this.#handled.get(stream)?.size ?? 0) >= handled &&
            (this.#read.get(stream)?.length ?? 0) >= read,
        ),
      'the load to go on',
      { limitMs: 20_000 },
    );
  }

  /** Ends the load, waits until everything that is there has arrived everywhere, and says what was seen. */
  async finish(): Promise<Evidence> {
    this.#stopped = true;
    await Promise.all(this.#running);
    const fromMs = performance.now();
    const { streams } = this.#options;
    const link = this.#links[0] as RedisLink;
    const present = new Map<string, { id: string; payload: string }[]>();
    for (const stream of streams) present.set(stream, await eventsOf(link, stream));
    const truth = await entriesOf(link, this.#options.map);
    const handledAll = () => streams.every(stream => missing(present, stream, this.#handled.get(stream)) === 0);
    const readAll = () => streams.every(stream => missing(present, stream, new Set(this.#read.get(stream))) === 0);
    const through = async (stream: string) => {
      const { pendingCount, lag } = await showSink(link, stream, SINK);
      return pendingCount === 0 && lag.count === 0;
    };
    const settled = async () =>
      this.#divergent(truth) === 0 &&
      handledAll() &&
      readAll() &&
      (await Promise.all(streams.map(through))).every(Boolean);
    // What does not come in this time is in the figures.
    await until(settled, 'everything to arrive', { limitMs: 15_000, everyMs: 20 }).catch(() => {});
    const settledMs = Math.round(performance.now() - fromMs);
    await this.#close();
    return { ...this.#evidence(present, truth), settledMs };
  }

  /** For a test that failed on the way. */
  async abandon(): Promise<void> {
    this.#stopped = true;
    await this.#close();
    await Promise.all(this.#running);
  }

  async #start(): Promise<void> {
    const { map, streams, blockMs } = this.#options;
    const writer = await MapClient.open(await this.#connect(), map);
    for (let n = 0; n < 2; n++) {
      const replica = await ReplicatedMap.join(await this.#connect(), map);
      this.#replicas.push(replica);
      this.#ends.push(() => replica.close());
    }
    const publishing = await this.#connect();
    const opened = await Promise.all(streams.map(stream => EventStream.open(publishing, stream)));
    for (const stream of streams) {
      this.#accepted.set(stream, new Map());
      this.#handled.set(stream, new Set());
      this.#read.set(stream, []);
    }
    for (let n = 0; n < 2; n++) {
      const sink = await Sink.open(
        await this.#connect(),
        SINK,
        { streams, blockMs, claimIdleMs: CLAIM_MS, maxDeliveries: 50 },
        event => {
          this.#handled.get(event.stream)?.add(event.id);
          this.#gap(`handled ${event.stream}`).seen();
        },
      );
      this.#ends.push(() => sink.close());
    }
    const reader = await Reader.open(await this.#connect(), streams, { blockMs, onGap: 'report' });
    this.#ends.push(() => reader.close());
    this.#running.push(...opened.map(stream => this.#publish(stream)), this.#write(writer), this.#watchCommands());
    const reading = (async () => {
      for await (const event of reader) this.#read.get(event.stream)?.push(event.id);
    })();
    // Seen at the end, also when it ends early.
    const read = Promise.allSettled([reading]);
    this.#ends.push(async () => {
      for (const { status } of await read) if (status === 'rejected') await reading;
    });
  }

  async #connect(): Promise<RedisLink> {
    const { url, prefix } = this.#options;
    const link = await RedisLink.connect({ url, prefix });
    this.#links.push(link);
    return link;
  }

  async #publish(stream: EventStream): Promise<void> {
    const accepted = this.#accepted.get(stream.name) as Map<string, string>;
    for (let n = 0; !this.#stopped; n++) {
      const payload = `${stream.name} ${n}`;
      await stream.publish('n', payload).then(
        id => {
          accepted.set(payload, id);
          this.#gap(`published ${stream.name}`).seen();
        },
        error => this.#failures.push(error),
      );
      await this.#pause();
    }
  }

  /** Each entry has one writer that waits, so the value of the last write that was answered is what it must hold. */
  async #write(map: MapClient): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const key = `key ${randomInt(KEYS)}`;
      const value = `value ${n}`;
      const set = map.set(key, value).then(
        () => {
          this.#written.set(key, value);
          this.#open.delete(key);
          return true;
        },
        error => {
          if (!(error instanceof RedisUnavailableError && !error.uncertain)) {
            this.#open.set(key, (this.#open.get(key) ?? new Set()).add(value));
          }
          return false;
        },
      );
      const increment = map.increment(COUNTER).then(
        () => {
          this.#increments.done++;
          return true;
        },
        error => {
          if (error instanceof RedisUnavailableError && error.uncertain) this.#increments.open++;
          return false;
        },
      );
      for (const done of await Promise.all([set, increment])) {
        if (done) this.#writes++;
        else this.#failedWrites++;
        if (done) this.#gap('written').seen();
      }
      await this.#pause();
    }
  }

  async #watchCommands(): Promise<void> {
    const counts = () => this.#links.map(link => link.commands.sentCount);
    let before = counts();
    while (!this.#stopped) {
      await new Promise(resolve => setTimeout(resolve, 1000));
      const now = counts();
      // The publishers' link sends what it is told; the others tell of loops.
      const most = Math.max(...now.map((count, index) => (index === 3 ? 0 : count - (before[index] ?? 0))));
      this.#commandsPerSecond = Math.max(this.#commandsPerSecond, most);
      before = now;
    }
  }

  #pause(): Promise<void> {
    return new Promise(resolve => setTimeout(resolve, this.#options.everyMs));
  }

  #gap(what: string): Gaps {
    let gaps = this.#gaps.get(what);
    if (!gaps) {
      gaps = new Gaps();
      this.#gaps.set(what, gaps);
    }
    return gaps;
  }

  #worst(what: string): number {
    return Math.round(
      Math.max(0, ...[...this.#gaps].filter(([name]) => name.startsWith(what)).map(([, { worstMs }]) => worstMs)),
    );
  }

  #divergent(truth: ReadonlyMap<string, string>): number {
    const same = (replica: ReplicatedMap) =>
      replica.size === truth.size && [...truth].every(([key, value]) => replica.get(key) === value);
    return this.#replicas.filter(replica => !same(replica)).length;
  }

  #evidence(
    present: ReadonlyMap<string, { id: string; payload: string }[]>,
    truth: ReadonlyMap<string, string>,
  ): Omit<Evidence, 'settledMs'> {
    const evidence = { lost: 0, doubled: 0, unhandled: 0, unread: 0, misread: 0 };
    for (const [stream, events] of present) {
      const payloads = new Set(events.map(({ payload }) => payload));
      evidence.lost += [...(this.#accepted.get(stream)?.keys() ?? [])].filter(payload => !payloads.has(payload)).length;
      evidence.doubled += events.length - payloads.size;
      evidence.unhandled += missing(present, stream, this.#handled.get(stream));
      const read = this.#read.get(stream) ?? [];
      evidence.unread += missing(present, stream, new Set(read));
      evidence.misread += read.filter((id, at) => at > 0 && !isAfter(id, read[at - 1] as string)).length;
    }
    let lostWrites = 0;
    for (const [key, value] of this.#written) {
      const now = truth.get(key);
      if (now !== value && !this.#open.get(key)?.has(now ?? '')) lostWrites++;
    }
    const count = Number(truth.get(COUNTER) ?? 0);
    const { done, open } = this.#increments;
    lostWrites += Math.max(0, done - count, count - done - open);
    const uncertain = this.#failures.filter(({ code }) => code === 'UNCERTAIN_PUBLISH').length;
    return {
      accepted: this.acceptedCount(),
      uncertain,
      refused: this.#failures.length - uncertain,
      ...evidence,
      writes: this.#writes,
      lostWrites,
      failedWrites: this.#failedWrites,
      divergent: this.#divergent(truth),
      publishGapMs: this.#worst('published'),
      writeGapMs: this.#worst('written'),
      handleGapMs: this.#worst('handled'),
      commandsPerSecond: this.#commandsPerSecond,
    };
  }

  async #close(): Promise<void> {
    await Promise.all(this.#ends.map(end => end()));
    await Promise.all(this.#links.map(link => link.close()));
  }
}

function isAfter(id: string, other: string): boolean {
  const [ms = 0, sequence = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherSequence = 0] = other.split('-').map(Number);
  return ms > otherMs || (ms === otherMs && sequence > otherSequence);
}

function missing(
  present: ReadonlyMap<string, { id: string }[]>,
  stream: string,
  seen: ReadonlySet<string> | undefined,
): number {
  return (present.get(stream) ?? []).filter(({ id }) => !seen?.has(id)).length;
}
