/**
 * Reads new entries for the consumers of a sink whose streams are in one slot, which is all of them unless Redis is a
 * cluster, in one blocking read on a connection of its own. Before it reads on a connection for the first time it lets
 * each consumer drain what is pending to it. It never waits for a handler, only for room; and nothing waits for it:
 * claims, heartbeats and close have their own connection.
 *
 * A read of many streams shares the room among them, a few events of each, and many small batches cost several times one
 * large one. So the streams that gave all they were asked for are then read some at a time, in turns, in whole batches,
 * before all are read again.
 */
import { backoffMs } from '../core/backoff.ts';
import { sleep, within } from '../core/clock.ts';
import { ClosedError, PonosError, RedisCommandError, RedisUnavailableError, WrongTypeError } from '../core/errors.ts';
import type { BlockingConnection } from '../redis/blocking.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Consumer } from './consumer.ts';
import type { RawEntry } from './event.ts';
import { Gate } from './gate.ts';
import type { SoleOwner } from './owner.ts';
import type { SinkContext } from './sink-context.ts';

export interface FetcherHost {
  readonly context: SinkContext;
  /** How many entries may be read now; 0 to wait until `changed`. */
  credit(): number;
  readonly changed: Gate;
  received(entries: number, passed: number, bytes: number): void;
}

const RETRY = { baseMs: 50, maxMs: 2000 };
/** Entries of a stream in one read that are worth reading it by itself. */
const WHOLE_BATCH = 50;
/** How often a read that does not notice being woken is woken again. */
const WAKE_AGAIN_MS = 20;

export class Fetcher {
  readonly #link: RedisLink;
  readonly #host: FetcherHost;
  readonly #blocking: BlockingConnection;
  readonly #consumers = new Set<Consumer>();
  readonly #stopping = new AbortController();
  readonly #turn = new Gate();
  /** Consumers of streams that have more, the one that waits longest first. */
  readonly #behind = new Set<Consumer>();
  /** Reads of some of them before all streams are read again. */
  #partsLeft = 0;
  /** Consumers of the read under way. */
  #reading: ReadonlySet<Consumer> = new Set();
  #running: Promise<void> | undefined;
  #failures = 0;

  private constructor(host: FetcherHost, blocking: BlockingConnection) {
    this.#link = host.context.link;
    this.#host = host;
    this.#blocking = blocking;
  }

  /** For streams in the slot of `key`. */
  static async open(host: FetcherHost, key: string): Promise<Fetcher> {
    return new Fetcher(host, await host.context.link.openBlocking(key));
  }

  get consumerCount(): number {
    return this.#consumers.size;
  }

  /** The stream of this consumer is read from the next `start` on, or before. */
  add(consumer: Consumer): void {
    this.#consumers.add(consumer);
  }

  /** Reads all streams that were added, now. */
  async start(): Promise<void> {
    this.#running ??= this.#run();
    this.#host.changed.open();
    await this.#blocking.wake();
  }

  /** When the promise resolves nothing more is read for this consumer. */
  async remove(consumer: Consumer): Promise<void> {
    this.#consumers.delete(consumer);
    this.#behind.delete(consumer);
    while (this.#reading.has(consumer)) {
      await this.#blocking.wake();
      await within(this.#link.clock, WAKE_AGAIN_MS, this.#turn.wait(), () => undefined);
    }
  }

  /**
   * Ends reading, within about `limitMs`: a read that does not end by then is cut off. A command on another connection
   * that still waits for its reply ends by its own limit; what it gives is not used.
   */
  async stop(limitMs: number): Promise<void> {
    this.#stopping.abort();
    const { clock } = this.#link;
    const endMs = clock.monotonicMs() + limitMs;
    let ended = this.#running === undefined;
    const running = this.#running?.then(() => {
      ended = true;
    });
    while (running && !ended && clock.monotonicMs() < endMs) {
      await within(clock, WAKE_AGAIN_MS, Promise.all([this.#blocking.wake(), running]), () => undefined);
    }
    await this.#blocking.close();
    if (running) await within(clock, WAKE_AGAIN_MS, running, () => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#blocking.whenReady(signal);
        if (!signal.aborted) await this.#read(signal);
      } catch (error) {
        if (signal.aborted || !(await this.#survive(error, signal))) return;
      } finally {
        this.#reading = new Set();
        this.#turn.open();
      }
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { connects } = this.#blocking;
    for (const consumer of this.#joined()) {
      if (consumer.drainedConnects === connects) continue;
      await consumer.drain();
      consumer.drainedConnects = connects;
    }
    if (this.#host.credit() > 0) for (const consumer of this.#joined()) if (consumer.claimDue) await consumer.claim();
    const joined = this.#joined();
    const credit = joined.length === 0 ? 0 : this.#host.credit();
    if (credit === 0) return this.#host.changed.wait(signal);
    if (signal.aborted) return;
    const { owner } = this.#host.context;
    const part = this.#takePart(joined, credit);
    const consumers = part ?? joined;
    this.#reading = new Set(consumers);
    if (owner) return this.#pull(consumers[0] as Consumer, owner, credit, signal);
    const { sink, consumer: name, settings } = this.#host.context;
    // What arrives is known to be ours for claimIdleMs from when it was asked for.
    const blockMs = Math.min(settings.blockMs, settings.claimIdleMs / 2);
    const count = Math.max(1, Math.floor(credit / consumers.length));
    const sentMs = this.#link.clock.monotonicMs();
    const reply = (await this.#blocking.call(
      blockMs,
      'XREADGROUP',
      'GROUP',
      sink,
      name,
      'COUNT',
      count,
      ...(part ? [] : ['BLOCK', Math.ceil(blockMs)]),
      ...(settings.noAck ? ['NOACK'] : []),
      'STREAMS',
      ...consumers.map(consumer => consumer.eventsKey),
      ...consumers.map(() => '>'),
    )) as [Buffer, RawEntry[]][] | null;
    this.#failures = 0;
    if (!reply) return;
    this.#accept(consumers, reply, sentMs);
    if (joined.length > 1) this.#noteBehind(consumers, reply, count);
  }

  /** As many of the streams that have more as the room is for in whole batches; undefined when all are to be read. */
  #takePart(joined: readonly Consumer[], credit: number): Consumer[] | undefined {
    if (this.#partsLeft === 0 || this.#behind.size === 0 || credit < WHOLE_BATCH) {
      this.#partsLeft = Math.ceil(joined.length / WHOLE_BATCH);
      return undefined;
    }
    this.#partsLeft--;
    const part: Consumer[] = [];
    for (const consumer of this.#behind) {
      this.#behind.delete(consumer);
      if (consumer.state === 'joined') part.push(consumer);
      if (part.length === Math.floor(credit / WHOLE_BATCH)) break;
    }
    return part.length > 0 ? part : undefined;
  }

  #noteBehind(consumers: readonly Consumer[], reply: readonly [Buffer, RawEntry[]][], count: number): void {
    const full = new Set(reply.filter(([, entries]) => entries.length === count).map(([key]) => String(key)));
    for (const consumer of consumers) if (full.has(consumer.eventsKey)) this.#behind.add(consumer);
  }

  /**
   * Reads as the only consumer: by a script that checks the right to, which cannot wait. What waits is a read that takes
   * nothing, and so cannot take from whoever has the right by the time it ends.
   */
  async #pull(consumer: Consumer, owner: SoleOwner, credit: number, signal: AbortSignal): Promise<void> {
    if (!owner.owned) return this.#host.changed.wait(signal);
    const sentMs = this.#link.clock.monotonicMs();
    const { entries, last, more } = await consumer.pull(owner, credit);
    this.#failures = 0;
    if (entries) return this.#accept([consumer], [[Buffer.from(consumer.eventsKey), entries]], sentMs);
    if (last === undefined) {
      // Room that came while the script was under way has been told of already: who waits now is not woken for it.
      return more && this.#host.context.leftCredit() > 0 ? undefined : this.#host.changed.wait(signal);
    }
    const { blockMs } = this.#host.context.settings;
    const operands = ['COUNT', 1, 'BLOCK', Math.ceil(blockMs), 'STREAMS', consumer.eventsKey, last];
    if (!signal.aborted) await this.#blocking.call(blockMs, 'XREAD', ...operands);
  }

  #accept(consumers: readonly Consumer[], reply: [Buffer, RawEntry[]][], sentMs: number): void {
    const byKey = new Map(consumers.map(consumer => [consumer.eventsKey, consumer]));
    for (const [key, entries] of reply) {
      const taken = byKey.get(String(key))?.accept(entries, sentMs);
      if (taken) this.#host.received(entries.length, taken.passed, taken.bytes);
    }
    this.#host.context.wake();
  }

  #joined(): Consumer[] {
    return [...this.#consumers].filter(consumer => consumer.state === 'joined');
  }

  /** Puts right what can be. False when there is nothing left to do here. */
  async #survive(error: unknown, signal: AbortSignal): Promise<boolean> {
    const { events } = this.#host.context;
    if (error instanceof ClosedError) return false;
    this.#failures++;
    if (error instanceof RedisUnavailableError) {
      if (this.#failures === 1) events.emit('disconnected', error);
    } else if (error instanceof RedisCommandError || error instanceof WrongTypeError) {
      // A group, a stream or its type is gone, and Redis does not say whose: each finds out for itself, and reports it.
      await Promise.all(this.#joined().map(consumer => consumer.recover()));
    } else {
      events.emit('error', { stream: undefined, error: error instanceof PonosError ? error : String(error) });
    }
    await sleep(this.#link.clock, backoffMs(this.#failures, RETRY), signal);
    return true;
  }
}
