/**
 * One consumer of a sink on one stream: the entries it holds and everything it says about them to Redis.
 *
 * Redis's pending list is the authority on who works on what; `#held` is this process's copy of its own part. An entry is
 * held from when it is received until its end is confirmed (acknowledged or dead), so that draining the pending list
 * after a lost connection gives exactly what never arrived. While it is held its idle time is reset, without counting a
 * delivery, so that no other consumer claims it: slow is not dead. What Redis says is no longer ours is let go and its
 * handler is told.
 *
 * A group that is missing (flush, stream deleted) is made anew at the durable cursor and reported as loss; a stream that
 * was removed on purpose ends the consumer.
 */
import { backoffMs } from '../core/backoff.ts';
import { sleep, type Timer } from '../core/clock.ts';
import type { Emitter } from '../core/emitter.ts';
import { ClosedError, describeError, RedisUnavailableError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { RedisLink } from '../redis/link.ts';
import { type AckBatch, AckQueue } from './ack-queue.ts';
import { Delivery, type Outcome, type Settler } from './delivery.ts';
import { FIRST_ID } from './entry-id.ts';
import { decodeContents, type RawEntry } from './event.ts';
import {
  ackScript,
  beatScript,
  claimScript,
  deadLetterScript,
  joinSinkScript,
  leaveSinkScript,
  retakeScript,
  sweepConsumersScript,
} from './scripts.gen.ts';
import type { SinkCounters, SinkEvents } from './sink-events.ts';
import { configMismatch, type SinkSettings, timesOf } from './sink-options.ts';
import type { TopicFilter } from './topic.ts';

/** What the consumers of one sink in one process share. */
export interface SinkContext {
  readonly link: RedisLink;
  readonly sink: string;
  /** Name of the consumer, on every stream. */
  readonly consumer: string;
  readonly settings: SinkSettings;
  readonly config: string;
  readonly filter: TopicFilter | undefined;
  readonly events: Emitter<SinkEvents>;
  readonly counters: SinkCounters;
  /** Hands over what was received; `wake` afterwards starts it. */
  deliver(delivery: Delivery): void;
  /** Something changed that reading or starting may wait for. */
  wake(): void;
  /** How many entries may be claimed now. */
  claimCredit(): number;
}

/** Something that is pending to us. */
interface Held {
  readonly sinceMs: number;
  readonly needsBeat: boolean;
}

interface Delayed extends Held {
  cancel(): void;
}

export type ConsumerState = 'joined' | 'broken' | 'ended';

const PAGE = 100;
const BEAT_BATCH = 500;
const CLAIM_BATCH = 100;
const RETRY = { baseMs: 50, maxMs: 2000 };

export class Consumer implements Settler {
  readonly stream: string;
  readonly eventsKey: string;
  /** The connection of which the own pending entries were last drained. */
  drainedConnects = 0;
  /** A claim found no room: it comes before the next read, or a busy stream would keep it waiting. */
  claimDue = false;
  readonly #context: SinkContext;
  readonly #keys: ReturnType<RedisLink['keys']['stream']>;
  readonly #consumersKey: string;
  readonly #held = new Map<string, Held>();
  readonly #acks: AckQueue;
  readonly #background = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #times: ReturnType<typeof timesOf>;
  #delayedCount = 0;
  #state: ConsumerState = 'broken';
  #generation = '';
  #cursor = '';
  #recovering: Promise<void> | undefined;
  #confirming: Promise<void> | undefined;
  /** When the last beat was sent that was answered: until then, and for claimIdleMs more, what is held is ours. */
  #confirmedMs = 0;

  constructor(context: SinkContext, stream: string) {
    this.#context = context;
    this.stream = stream;
    this.#keys = context.link.keys.stream(stream);
    this.eventsKey = this.#keys.events;
    this.#consumersKey = this.#keys.consumers(context.sink);
    this.#times = timesOf(context.settings.claimIdleMs);
    this.#acks = new AckQueue(context.link.clock, {
      send: batch => this.#sendAcks(batch),
      confirmed: ids => this.#confirmed(ids),
      failed: error => this.report(error),
    });
  }

  get state(): ConsumerState {
    return this.#state;
  }

  /** Entries that wait for something other than a handler: a delay, or an answer of Redis. */
  get backlog(): number {
    return this.#delayedCount + this.#background.size + this.#acks.size;
  }

  /** Acknowledgements on their way. */
  get unconfirmedCount(): number {
    return this.#acks.size;
  }

  get delayedCount(): number {
    return this.#delayedCount;
  }

  /** @throws ConflictError `CONFIG_MISMATCH`; WrongTypeError, RedisUnavailableError. */
  async join(start: string): Promise<void> {
    await this.#join(start, false);
    await this.#context.link.registry.add('streams', this.stream);
  }

  /** Joins again after the group was found missing. Never throws: what fails is reported and tried again by `beat`. */
  recover(): Promise<void> {
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  /**
   * Takes what a read gave that was sent at `sentMs`: Redis gave the entries to us no earlier, but how much later they
   * arrived nobody knows. Returns how many go to a handler, and how large all are.
   */
  accept(entries: readonly RawEntry[], sentMs: number): { passed: number; bytes: number } {
    let passed = 0;
    let bytes = 0;
    if (this.#state === 'ended') return { passed, bytes };
    for (const [id, fields] of entries) {
      if (fields) for (const field of fields) bytes += field.length;
      if (this.#take(id.toString('latin1'), fields, 1, sentMs)) passed++;
    }
    return { passed, bytes };
  }

  /** Delivers what is pending to us and never arrived: its reply was lost with a connection. */
  async drain(): Promise<void> {
    if (this.#context.settings.noAck) return;
    const { link, sink, consumer } = this.#context;
    let from = '-';
    for (;;) {
      const page = (await link.commands.call('XPENDING', this.eventsKey, sink, from, '+', PAGE, consumer)) as [
        Buffer,
        Buffer,
        number,
        number,
      ][];
      const missing = page.map(row => ({ id: String(row[0]), count: row[3] })).filter(({ id }) => !this.#held.has(id));
      // How long they have been waiting is not known: they are confirmed before they are started.
      await this.#fetch(missing, Number.NEGATIVE_INFINITY);
      const last = page.at(-1);
      if (!last || page.length < PAGE || this.#stopping.signal.aborted) return;
      from = `(${last[0]}`;
    }
  }

  /** Tells Redis that we are alive and at work; learns what is no longer ours, and where the sink stands. */
  async beat(): Promise<void> {
    if (this.#state === 'broken') await this.recover();
    if (this.#state !== 'joined') return;
    const { link, sink, consumer } = this.#context;
    const sentMs = link.clock.monotonicMs();
    const minimumMs = sentMs - this.#times.beatMs / 2;
    const ids: string[] = [];
    for (const [id, held] of this.#held) if (held.needsBeat && held.sinceMs <= minimumMs) ids.push(id);
    for (let at = 0; at === 0 || at < ids.length; at += BEAT_BATCH) {
      const reply = await link.commands.run(
        beatScript,
        { events: this.#keys.events, sinks: this.#keys.sinks, consumers: this.#consumersKey },
        { sink, consumer, lease_ms: this.#times.leaseMs, ids: ids.slice(at, at + BEAT_BATCH) },
      );
      if (reply.status === 'NOGROUP') return this.recover();
      this.#cursor = reply.cursor;
      for (const id of reply.moved) this.#letGo(String(id));
    }
    this.#confirmedMs = sentMs;
    this.#context.wake();
  }

  /**
   * After a long silence (the process was stopped, Redis was away) what waits here may be with another consumer: it is
   * not started before Redis was asked.
   */
  owns(delivery: Delivery, nowMs: number): boolean {
    const { claimIdleMs, noAck } = this.#context.settings;
    if (noAck || nowMs - Math.max(delivery.sinceMs, this.#confirmedMs) < claimIdleMs) return true;
    this.#confirming ??= this.beat()
      // What failed is tried again by the next beat, which wakes too.
      .catch(error => this.report(error))
      .finally(() => {
        this.#confirming = undefined;
      });
    return false;
  }

  /** Takes over what other consumers left, as far as there is room. */
  async claim(): Promise<void> {
    const { link, sink, consumer, settings } = this.#context;
    if (settings.noAck) return;
    for (;;) {
      const count = Math.min(CLAIM_BATCH, this.#context.claimCredit());
      this.claimDue = count <= 0;
      if (count <= 0 || this.#state !== 'joined') return;
      const sentMs = link.clock.monotonicMs();
      const reply = await link.commands.run(
        claimScript,
        { events: this.#keys.events, sinks: this.#keys.sinks },
        {
          sink,
          consumer,
          idle_ms: settings.claimIdleMs,
          count,
          hold_ms: this.#times.claimHoldMs,
          rest_ms: this.#times.claimRestMs,
        },
      );
      if (reply.status === 'NOGROUP') return this.recover();
      if (reply.status === 'BUSY') return;
      if (reply.lost > 0) this.#lost(reply.lost);
      await this.#takeOver(reply.entries, sentMs);
      if (reply.more === 0) return;
    }
  }

  /** Deletes consumers that are gone and have nothing pending. */
  async sweep(): Promise<void> {
    if (this.#state !== 'joined') return;
    await this.#context.link.commands.run(
      sweepConsumersScript,
      { events: this.#keys.events, consumers: this.#consumersKey },
      { sink: this.#context.sink, lease_ms: this.#times.leaseMs },
    );
  }

  settle(delivery: Delivery, outcome: Outcome): void {
    const { settings, counters } = this.#context;
    if (this.#state === 'ended') return;
    if (outcome.kind === 'ack') {
      counters.acked++;
      if (!settings.noAck) this.#acks.add(delivery.id);
    } else if (outcome.kind === 'dead') {
      this.#hold(delivery.id);
      this.#deadLetter(delivery.id, delivery.deliveryCount, outcome.reason);
    } else if (settings.noAck) {
      // It is gone already: at most once.
    } else if (delivery.deliveryCount >= settings.maxDeliveries) {
      const why = outcome.error === undefined ? 'refused' : describeError(outcome.error, 900);
      this.#hold(delivery.id);
      this.#deadLetter(delivery.id, delivery.deliveryCount, `delivered ${delivery.deliveryCount} times, last: ${why}`);
    } else {
      counters.retried++;
      this.#delay(delivery.id, outcome.delayMs ?? this.#retryDelayMs(delivery.deliveryCount));
    }
  }

  /** Ends timers and retries; nothing more is delivered. What is under way may be flushed. */
  stop(): void {
    this.#stopping.abort();
    for (const held of this.#held.values()) if ('cancel' in held) (held as Delayed).cancel();
  }

  /** Resolves when acknowledgements and dead letters are confirmed, or `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#acks.flush(signal);
    await Promise.all(this.#background);
  }

  /** Hands back what is left, at once claimable by others, and goes. `unstarted` are ids that no handler saw. */
  async leave(unstarted: readonly string[]): Promise<void> {
    const { link, sink, consumer, settings } = this.#context;
    this.end();
    await link.commands.run(
      leaveSinkScript,
      { events: this.#keys.events, sinks: this.#keys.sinks, consumers: this.#consumersKey },
      { sink, consumer, idle_ms: settings.claimIdleMs, unstarted },
    );
  }

  end(): void {
    this.#state = 'ended';
    this.stop();
    this.#acks.close();
    for (const [id] of [...this.#held]) this.#letGo(id);
  }

  async #join(start: string, recovering: boolean): Promise<void> {
    const { link, sink, consumer, config, events } = this.#context;
    const reply = await link.commands.run(
      joinSinkScript,
      { events: this.#keys.events, meta: this.#keys.meta, sinks: this.#keys.sinks, consumers: this.#consumersKey },
      {
        sink,
        consumer,
        config,
        start,
        lease_ms: this.#times.leaseMs,
        generation: this.#generation,
        fresh_generation: newId(),
        cursor: this.#cursor,
        recovering: recovering ? 1 : 0,
      },
    );
    if (reply.status === 'MISMATCH') throw configMismatch(sink, this.stream, config, reply.config);
    if (reply.status === 'REMOVED') {
      this.end();
      events.emit('removed', { stream: this.stream });
      return;
    }
    const replaced = this.#generation !== '' && reply.generation !== this.#generation;
    this.#generation = reply.generation;
    this.#cursor = reply.cursor;
    if (this.#state === 'broken') this.#state = 'joined';
    if (reply.recreated === 1 || replaced) {
      events.emit('dataLoss', { stream: this.stream, cursor: reply.cursor, reason: replaced ? 'stream' : 'group' });
    }
  }

  async #recover(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'broken';
    try {
      await this.#join(FIRST_ID, true);
      if (this.state === 'joined') await this.#context.link.registry.add('streams', this.stream);
    } catch (error) {
      this.report(error);
    }
    this.#context.wake();
  }

  /** Returns whether the entry goes to a handler. */
  #take(id: string, fields: readonly Buffer[] | null, count: number, sinceMs: number): boolean {
    const { filter, counters, settings } = this.#context;
    // A group made anew gives again what we still work on; the end of that work ends this delivery too.
    if (this.#held.has(id)) return false;
    counters.received++;
    if (count > 1) {
      counters.redelivered++;
      this.#acks.countRedelivered();
    }
    const contents = decodeContents(fields);
    if ('malformed' in contents) {
      this.#hold(id);
      this.#deadLetter(id, count, `malformed: ${contents.malformed}`);
      return false;
    }
    if (filter && !filter.matches(contents.topic)) {
      counters.filtered++;
      this.#acks.addFiltered(settings.noAck ? undefined : id);
      return false;
    }
    const delivery = new Delivery(this, this.stream, id, contents, count, sinceMs);
    if (!settings.noAck) this.#held.set(id, delivery);
    this.#context.deliver(delivery);
    return true;
  }

  /** Reads entries that are pending to us, not idle since `sinceMs`, and takes them. */
  async #fetch(wanted: readonly { id: string; count: number }[], sinceMs: number): Promise<void> {
    if (wanted.length === 0) return;
    const { commands } = this.#context.link;
    const found = (await Promise.all(
      wanted.map(({ id }) => commands.call('XRANGE', this.eventsKey, id, id)),
    )) as RawEntry[][];
    if (this.#stopping.signal.aborted) return;
    wanted.forEach(({ id, count }, index) => {
      const entry = found[index]?.[0];
      if (entry) this.#take(id, entry[1], count, sinceMs);
      else if (!this.#held.has(id)) {
        this.#acks.addLost(id);
        this.#lost(1);
      }
    });
    this.#context.wake();
  }

  /** Of entries claimed from others: id, deliveries with the one to come, id, ... */
  async #takeOver(claimed: readonly unknown[], sentMs: number): Promise<void> {
    const { maxDeliveries } = this.#context.settings;
    const wanted: { id: string; count: number }[] = [];
    for (let at = 0; at + 1 < claimed.length; at += 2) {
      const id = String(claimed[at]);
      const count = Number(claimed[at + 1]);
      // We were silent for too long ourselves, and are at work on it.
      if (this.#held.has(id)) continue;
      this.#context.counters.claimed++;
      if (count <= maxDeliveries) wanted.push({ id, count });
      else {
        this.#hold(id);
        this.#deadLetter(id, count - 1, `delivered ${count - 1} times, never settled`);
      }
    }
    await this.#fetch(wanted, sentMs);
  }

  #retryDelayMs(count: number): number {
    const { retryBaseMs, retryMaxMs } = this.#context.settings;
    return retryBaseMs === 0 ? 0 : backoffMs(count, { baseMs: retryBaseMs, maxMs: Math.max(retryMaxMs, retryBaseMs) });
  }

  /** Keeps an entry without its contents, which may be large and are read again when they are needed. */
  #delay(id: string, delayMs: number): void {
    const { clock } = this.#context.link;
    let timer: Timer | undefined;
    this.#delayedCount++;
    const cancel = () => {
      if (!timer) return;
      timer.cancel();
      timer = undefined;
      this.#delayedCount--;
    };
    this.#held.set(id, { sinceMs: clock.monotonicMs(), needsBeat: true, cancel } as Delayed);
    timer = clock.after(delayMs, () => {
      timer = undefined;
      this.#delayedCount--;
      this.#track(this.#persist(() => this.#retake(id)));
    });
  }

  async #retake(id: string): Promise<void> {
    const { link, sink, consumer } = this.#context;
    const sentMs = link.clock.monotonicMs();
    const reply = await link.commands.run(retakeScript, { events: this.eventsKey }, { sink, consumer, id });
    this.#held.delete(id);
    if (reply.status === 'OK') await this.#fetch([{ id, count: reply.count }], sentMs);
  }

  #hold(id: string): void {
    if (this.#context.settings.noAck) return;
    this.#held.set(id, { sinceMs: this.#context.link.clock.monotonicMs(), needsBeat: true });
  }

  #deadLetter(id: string, count: number, reason: string): void {
    const { link, sink, consumer, settings, counters, events } = this.#context;
    const send = async () => {
      const reply = await link.commands.run(
        deadLetterScript,
        { events: this.#keys.events, sinks: this.#keys.sinks, dead: this.#keys.dead(sink) },
        { sink, consumer, id, count, reason, cap: settings.maxDeadLetters, pending: settings.noAck ? 0 : 1 },
      );
      this.#held.delete(id);
      if (reply.status === 'OK') {
        counters.deadLettered++;
        events.emit('deadLetter', { stream: this.stream, id, deadId: reply.dead, deliveryCount: count, reason });
      } else if (reply.status === 'LOST') this.#lost(1);
    };
    this.#track(this.#persist(send));
  }

  /** Until it works: what it does is idempotent. */
  async #persist(act: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 1; ; failures++) {
      try {
        return await act();
      } catch (error) {
        if (signal.aborted) return;
        this.report(error);
        if (error instanceof ClosedError) return;
        await sleep(this.#context.link.clock, backoffMs(failures, RETRY), signal);
      }
      if (signal.aborted) return;
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => {
      this.#background.delete(tracked);
      this.#context.wake();
    });
    this.#background.add(tracked);
  }

  async #sendAcks(batch: AckBatch): Promise<void> {
    const { events, sinks } = this.#keys;
    await this.#context.link.commands.run(ackScript, { events, sinks }, { sink: this.#context.sink, ...batch });
  }

  #confirmed(ids: readonly string[]): void {
    for (const id of ids) this.#held.delete(id);
    this.#context.wake();
  }

  /** Another consumer has it, or it is settled. */
  #letGo(id: string): void {
    const held = this.#held.get(id);
    if (!held?.needsBeat) return;
    this.#held.delete(id);
    if (held instanceof Delivery) {
      held.abandon(new ClosedError(`the delivery of ${id} to this consumer`));
      if (this.#state === 'joined') this.#context.events.emit('moved', { stream: this.stream, id });
    } else if ('cancel' in held) (held as Delayed).cancel();
  }

  #lost(count: number): void {
    this.#context.counters.lost += count;
    this.#context.events.emit('lost', { stream: this.stream, count });
  }

  /** That Redis is away is said once, by whoever reads; the rest is for the operator. */
  report(error: unknown): void {
    if (this.#state === 'ended' || error instanceof RedisUnavailableError || error instanceof ClosedError) return;
    this.#context.events.emit('error', { stream: this.stream, error });
  }
}
