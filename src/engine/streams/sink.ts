/**
 * A sink: a named cursor on one or several streams, shared by the processes that open it, with acknowledgement.
 *
 * At least once: an event is delivered until a handler is through with it, or has failed `maxDeliveries` times and it is
 * kept as a dead letter. Consumers that die lose their events to others after `claimIdleMs`. With `noAck` at most once.
 */
import { hostname } from 'node:os';
import { within } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ArgumentError, ClosedError, OptionError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { checkName } from '../core/names.ts';
import { resolveOptions } from '../core/options.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { RedisLink } from '../redis/link.ts';
import { Consumer } from './consumer.ts';
import { FIRST_ID } from './entry-id.ts';
import { Fetcher, type FetcherHost } from './fetcher.ts';
import { Gate } from './gate.ts';
import { Intake, MAX_COUNT } from './intake.ts';
import { checkStart } from './position.ts';
import { Runner, type SinkHandler } from './runner.ts';
import type { SinkContext } from './sink-context.ts';
import type { SinkCounters, SinkEvents, SinkStats } from './sink-events.ts';
import { configText, laneFunction, type SinkOptions, type SinkSettings, sinkOptions, timesOf } from './sink-options.ts';
import { TopicFilter } from './topic.ts';
import { tracedHandler } from './tracing.ts';

/** Part of the time to close that is kept for handing back, and the most of it. */
const HAND_BACK_SHARE = 0.25;
const HAND_BACK_MS = 1000;
/** With so many entries waiting for Redis to answer, or for their delay, nothing more is read. */
const MAX_BACKLOG = 10_000;
/** Streams joined at the same time. */
const JOINS_AT_ONCE = 50;
/** So many batches of the largest size may wait for their lanes. */
const MAX_BATCHES_IN_LANES = 16;

interface Member {
  readonly consumer: Consumer;
  readonly fetcher: Fetcher;
}

export class Sink {
  readonly name: string;
  /** Name of this process's consumer. */
  readonly consumer: string;
  readonly events = new Emitter<SinkEvents>();
  readonly #link: RedisLink;
  readonly #settings: SinkSettings;
  readonly #start: string;
  readonly #members = new Map<string, Member>();
  readonly #runner: Runner;
  readonly #intake: Intake;
  readonly #context: SinkContext;
  readonly #host: FetcherHost;
  readonly #tasks: PeriodicTask[];
  readonly #counters: SinkCounters = {
    received: 0,
    acked: 0,
    filtered: 0,
    redelivered: 0,
    retried: 0,
    deadLettered: 0,
    claimed: 0,
    lost: 0,
  };
  /** One for each slot that has streams of the sink. */
  readonly #fetchers = new Map<number, Promise<Fetcher>>();
  #closing: Promise<void> | undefined;
  /** Losses found before anybody could listen; undefined once somebody can. */
  #earlyLosses: SinkEvents['dataLoss'][] | undefined = [];

  private constructor(link: RedisLink, name: string, options: SinkOptions, handler: SinkHandler) {
    const { streams: _, topic, laneBy, owner, from = 'oldest', ...rest } = options;
    this.#link = link;
    this.name = checkName('sink', name);
    this.consumer = consumerName();
    this.#settings = resolveOptions('Sink', sinkOptions, rest);
    this.#start = startText(from);
    if (typeof handler !== 'function') throw new ArgumentError('a sink needs a handler');
    const filter = topic === undefined ? undefined : new TopicFilter(topic);
    this.#intake = new Intake(this.#settings);
    const traced = tracedHandler(link.tracer, name, this.consumer, handler);
    this.#runner = new Runner(traced, this.#settings.concurrency, link.clock, {
      finished: busyMs => {
        this.#intake.noteWork(1, busyMs);
        this.#host.changed.open();
      },
      failed: ({ stream, id, deliveryCount }, error) =>
        this.events.emit('failed', { stream, id, deliveryCount, error }),
    });
    this.#context = {
      link,
      sink: name,
      consumer: this.consumer,
      settings: this.#settings,
      config: configText(this.#settings, filter, owner !== undefined),
      filter,
      laneOf: laneFunction(laneBy),
      owner,
      events: this.events,
      counters: this.#counters,
      deliver: delivery => this.#runner.enqueue(delivery),
      over: (stream, id) => this.#runner.over({ stream, id }),
      wake: () => {
        this.#runner.pump();
        this.#host.changed.open();
      },
      tellLoss: loss => {
        if (this.#earlyLosses) this.#earlyLosses.push(loss);
        else this.events.emit('dataLoss', loss);
      },
      claimCredit: () => (this.#isFull ? 0 : this.#intake.limit(this.#runner.inLanes) - this.#runner.runnable),
      leftCredit: () =>
        Math.max(
          0,
          Math.min(this.#settings.concurrency, this.#intake.limit(this.#runner.inLanes)) - this.#runner.runnable,
        ),
    };
    this.#host = {
      context: this.#context,
      changed: new Gate(),
      credit: () => {
        const count = this.#intake.count(this.#runner.runnable, this.#runner.inLanes);
        return Math.ceil(Math.min(this.#unconfirmedRoom, count) / this.#fetchers.size);
      },
      received: (entries, passed, bytes) => this.#intake.noteBatch(entries, passed, bytes),
    };
    this.events.on('removed', ({ stream }) => this.#forget(stream));
    const times = timesOf(this.#settings.claimIdleMs);
    this.#tasks = [
      this.#task(times.beatMs, 0, consumer => consumer.beat()),
      this.#task(times.claimMs, 0.2, consumer => consumer.claim()),
      this.#task(times.leaseMs, 0.2, consumer => consumer.sweep()),
    ];
  }

  /**
   * Joins the sink, which is made on streams where it does not exist yet.
   * `handler` gets one event: returning acknowledges it, throwing refuses it.
   * @throws ConflictError `CONFIG_MISMATCH` when the consumers at work have other settings, `PARTITIONED` when a stream has
   *   partitions; ArgumentError, OptionError, WrongTypeError, RedisUnavailableError. Nothing is left behind then.
   */
  static async open(link: RedisLink, name: string, options: SinkOptions, handler: SinkHandler): Promise<Sink> {
    const sink = new Sink(link, name, options, handler);
    try {
      await sink.#join([...new Set(options.streams)], sink.#start);
    } catch (error) {
      await sink.close();
      throw error;
    }
    for (const task of sink.#tasks) task.start();
    // After the caller has had its turn to listen.
    setImmediate(() => sink.#tellEarlyLosses());
    return sink;
  }

  get streams(): string[] {
    return [...this.#members.keys()];
  }

  /** Of this process, since it opened the sink; inspection reads those of the whole sink. */
  get stats(): SinkStats {
    let delayed = 0;
    for (const { consumer } of this.#members.values()) delayed += consumer.delayedCount;
    const running = this.#runner.runningCount;
    return { ...this.#counters, running, waiting: this.#runner.size - running, delayed };
  }

  /**
   * Reads one more stream. What is published after the promise resolves is delivered, even with `from: 'newest'`.
   * @throws as `open`.
   */
  async addStream(stream: string, options: { from?: SinkOptions['from'] } = {}): Promise<void> {
    this.#checkOpen();
    if (this.#members.has(stream)) throw new ArgumentError(`sink "${this.name}" reads stream "${stream}" already`);
    await this.#join([stream], options.from === undefined ? this.#start : startText(options.from));
  }

  /**
   * Reads this stream no more. Running handlers of it are waited for, up to `closeTimeoutMs`; what is left goes to other
   * consumers. The sink itself stays on the stream, also when this was its last consumer.
   */
  async removeStream(stream: string): Promise<void> {
    const member = this.#members.get(stream);
    if (!member) return;
    this.#members.delete(stream);
    await this.#stopReading(member);
    await this.#retire([member.consumer]);
  }

  /**
   * Leaves the sink within `closeTimeoutMs`, whatever handlers do: reads nothing more, waits for running handlers, hands
   * back what is left, so that other consumers get it at once. Legal more than once.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Starts nothing more and tells the handlers at work, because the right to the stream is over. @internal */
  halt(reason: unknown): void {
    this.#runner.stop();
    for (const { consumer } of this.#members.values()) {
      for (const running of this.#runner.runningOf(consumer)) running.abort(reason);
    }
  }

  async #close(): Promise<void> {
    // What is read with noAck is nowhere else any more: it is handled while there is time.
    if (!this.#settings.noAck) this.#runner.stop();
    const members = [...this.#members.values()];
    const { handBackMs } = this.#closeTimes();
    const fetchers = await Promise.all([...this.#fetchers.values()].map(fetcher => fetcher.catch(() => undefined)));
    const reading = Promise.all(fetchers.map(fetcher => fetcher?.stop(handBackMs / 2)));
    // Heartbeats go on while handlers are waited for: their events are still ours.
    const beat = this.#tasks.slice(1).map(task => task.stop());
    await this.#retire(
      members.map(member => member.consumer),
      reading,
    );
    await within(this.#link.clock, handBackMs, Promise.all([...beat, this.#tasks[0]?.stop()]), () => undefined);
    await reading;
  }

  /** Ends the work of consumers from which nothing is read any more, once `reading` ended, and leaves. */
  async #retire(consumers: readonly Consumer[], reading: Promise<unknown> = Promise.resolve()): Promise<void> {
    const { clock } = this.#link;
    const { handlersMs, handBackMs } = this.#closeTimes();
    const unstarted = new Map<Consumer, string[]>();
    const collect = () => {
      for (const consumer of consumers) {
        const waiting = this.#runner.takeWaiting(consumer).map(({ id }) => id);
        unstarted.set(consumer, [...(unstarted.get(consumer) ?? []), ...waiting]);
      }
    };
    if (!this.#settings.noAck) collect();
    await this.#inTime(handlersMs, async signal => {
      await Promise.all(consumers.map(consumer => this.#runner.idle(signal, consumer)));
    });
    // From here on others may have the events: handlers that still run are told.
    const closed = new ClosedError(`sink "${this.name}"`);
    for (const consumer of consumers) for (const running of this.#runner.runningOf(consumer)) running.abort(closed);
    await within(clock, handBackMs / 2, reading, () => undefined);
    for (const consumer of consumers) consumer.stop();
    await this.#inTime(handBackMs / 2, async signal => {
      await Promise.all(consumers.map(consumer => consumer.flush(signal)));
    });
    collect();
    const leaving = consumers.map(consumer => consumer.leave(unstarted.get(consumer) ?? []).catch(() => {}));
    await within(clock, handBackMs / 2, Promise.all(leaving), () => undefined);
  }

  /** Runs `act`, and aborts its signal and goes on after `limitMs`. */
  async #inTime(limitMs: number, act: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const over = new AbortController();
    await within(this.#link.clock, limitMs, act(over.signal), () => over.abort());
  }

  #closeTimes(): { handlersMs: number; handBackMs: number } {
    const { closeTimeoutMs } = this.#settings;
    const handBackMs = Math.min(HAND_BACK_MS, closeTimeoutMs * HAND_BACK_SHARE);
    return { handlersMs: closeTimeoutMs - handBackMs * 1.5, handBackMs };
  }

  /** All or none. Reading begins when all are joined. */
  async #join(streams: readonly string[], start: string): Promise<void> {
    const consumers = streams.map(stream => new Consumer(this.#context, stream));
    try {
      for (let at = 0; at < consumers.length; at += JOINS_AT_ONCE) {
        const joining = consumers.slice(at, at + JOINS_AT_ONCE).map(consumer => consumer.join(start));
        const failure = (await Promise.allSettled(joining)).find(joined => joined.status === 'rejected');
        if (failure) throw failure.reason;
      }
      const fetchers = new Set<Fetcher>();
      for (const consumer of consumers) fetchers.add(await this.#place(consumer));
      for (const fetcher of fetchers) await fetcher.start();
    } catch (error) {
      for (const consumer of consumers) this.#members.delete(consumer.stream);
      await Promise.all(consumers.map(consumer => consumer.leave([]).catch(() => {})));
      throw error;
    }
  }

  /** Where the stream of a consumer is read: one blocking read cannot span the slots of a cluster. */
  async #place(consumer: Consumer): Promise<Fetcher> {
    const slot = this.#link.slotOf(consumer.eventsKey);
    for (;;) {
      this.#checkOpen();
      const opening = this.#fetchers.get(slot) ?? Fetcher.open(this.#host, consumer.eventsKey);
      this.#fetchers.set(slot, opening);
      const fetcher = await opening.catch((error: unknown) => {
        this.#fetchers.delete(slot);
        throw error;
      });
      this.#checkOpen();
      // Ended meanwhile, because its last stream was removed.
      if (this.#fetchers.get(slot) !== opening) continue;
      this.#members.set(consumer.stream, { consumer, fetcher });
      fetcher.add(consumer);
      return fetcher;
    }
  }

  async #stopReading({ consumer, fetcher }: Member): Promise<void> {
    await fetcher.remove(consumer);
    if (fetcher.consumerCount > 0) return;
    this.#fetchers.delete(this.#link.slotOf(consumer.eventsKey));
    await fetcher.stop(HAND_BACK_MS);
  }

  /**
   * When Redis answers more slowly than events are handled, or filtered, less is read, so that not more than one batch is
   * pending beside those at work. Not before half a batch has room: small reads cost most.
   */
  get #unconfirmedRoom(): number {
    let unconfirmed = 0;
    for (const { consumer } of this.#members.values()) unconfirmed += consumer.unconfirmedCount;
    return unconfirmed > MAX_COUNT / 2 || this.#isFull ? 0 : MAX_COUNT - unconfirmed;
  }

  get #isFull(): boolean {
    let backlog = 0;
    for (const { consumer } of this.#members.values()) backlog += consumer.backlog;
    return backlog > MAX_BACKLOG || this.#runner.bytesInLanes > MAX_BATCHES_IN_LANES * this.#settings.maxBatchBytes;
  }

  #tellEarlyLosses(): void {
    const losses = this.#earlyLosses ?? [];
    this.#earlyLosses = undefined;
    for (const loss of losses) this.events.emit('dataLoss', loss);
  }

  /** A stream that was removed on purpose: its consumer has ended already. */
  #forget(stream: string): void {
    const member = this.#members.get(stream);
    if (member?.consumer.state !== 'ended') return;
    this.#members.delete(stream);
    this.#stopReading(member).catch(() => {});
  }

  #task(intervalMs: number, jitter: number, act: (consumer: Consumer) => Promise<void>): PeriodicTask {
    const onAll = async () => {
      const consumers = [...this.#members.values()].map(member => member.consumer);
      await Promise.all(consumers.map(consumer => act(consumer).catch(error => consumer.report(error))));
    };
    return new PeriodicTask(this.#link.clock, { intervalMs, jitter }, onAll, error =>
      this.events.emit('error', { stream: undefined, error }),
    );
  }

  #checkOpen(): void {
    if (this.#closing) throw new ClosedError(`sink "${this.name}"`);
  }
}

/** Unique, and readable in a listing: host, process, and a random part, because a process may open a sink twice. */
function consumerName(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9.-]/g, '-')
    .slice(0, 40);
  return `${host || 'host'}-${process.pid}-${newId().slice(0, 8)}`;
}

/** Where a new sink starts, as Redis is told. @throws OptionError, ArgumentError */
export function startText(from: NonNullable<SinkOptions['from']>): string {
  const start = checkStart(from);
  if (start === 'oldest') return FIRST_ID;
  if (start === 'newest') return 'newest';
  if ('after' in start) return start.after;
  throw new OptionError('a sink starts at "oldest", "newest" or { after }');
}
