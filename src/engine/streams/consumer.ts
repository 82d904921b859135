/**
 * One consumer of a sink on one stream: the entries it holds and everything it says about them to Redis.
 *
 * Redis's pending list is the authority on who works on what; `#held` is this process's copy of its own part. An entry is
 * held from when it is received until its end is confirmed (acknowledged or dead), so that draining the pending list
 * after a lost connection gives exactly what never arrived. While it is held its idle time is reset, without counting a
 * delivery, so that no other consumer claims it: slow is not dead. What Redis says is no longer ours is let go and its
 * handler is told.
 */
import { backoffMs } from '../core/backoff.ts';
import { ClosedError, describeError, RedisUnavailableError } from '../core/errors.ts';
import { AckQueue } from './ack-queue.ts';
import { Background } from './background.ts';
import { ConsumerCommands, type Pending } from './consumer-commands.ts';
import { Delivery, type Outcome, type Settler } from './delivery.ts';
import { decodeContents, type RawEntry } from './event.ts';
import { HeldEntries } from './held-entries.ts';
import { Membership, type MembershipState } from './membership.ts';
import type { SoleOwner } from './owner.ts';
import { keepLimits } from './retention.ts';
import type { SinkContext } from './sink-context.ts';
import { timesOf } from './sink-options.ts';

const PAGE = 100;
const BEAT_BATCH = 500;
const CLAIM_BATCH = 100;
const MAX_ERROR_CHARS = 900;

export class Consumer implements Settler {
  readonly stream: string;
  /** The connection of which the own pending entries were last drained. */
  drainedConnects = 0;
  /** A claim found no room: it comes before the next read, or a busy stream would keep it waiting. */
  claimDue = false;
  readonly #context: SinkContext;
  readonly #commands: ConsumerCommands;
  readonly #held: HeldEntries;
  readonly #acks: AckQueue;
  readonly #background: Background;
  readonly #membership: Membership;
  readonly #stopping = new AbortController();
  readonly #beatMs: number;
  #confirming: Promise<void> | undefined;

  constructor(context: SinkContext, stream: string) {
    const { link, sink, consumer, settings } = context;
    this.#context = context;
    this.stream = stream;
    this.#commands = new ConsumerCommands(link, stream, sink, consumer, settings);
    this.#held = new HeldEntries(link.clock);
    this.#beatMs = timesOf(settings.claimIdleMs).beatMs;
    this.#acks = new AckQueue(link.clock, {
      send: batch => this.#commands.ack(batch),
      confirmed: ids => this.#confirmed(ids),
      failed: error => this.report(error),
    });
    this.#background = new Background(link.clock, this.#stopping.signal, {
      failed: error => this.report(error),
      ended: () => context.wake(),
    });
    this.#membership = new Membership(context, stream, this.#commands, {
      removed: () => {
        this.end();
        context.events.emit('removed', { stream });
      },
      failed: error => this.report(error),
    });
  }

  get eventsKey(): string {
    return this.#commands.eventsKey;
  }

  get state(): MembershipState {
    return this.#membership.state;
  }

  /** Entries that wait for something other than a handler: a delay, or an answer of Redis. */
  get backlog(): number {
    return this.#held.delayedCount + this.#background.size + this.#acks.size;
  }

  /** Acknowledgements on their way. */
  get unconfirmedCount(): number {
    return this.#acks.size;
  }

  get delayedCount(): number {
    return this.#held.delayedCount;
  }

  /** @throws ConflictError `CONFIG_MISMATCH`, `PARTITIONED`; WrongTypeError, RedisUnavailableError. */
  join(start: string): Promise<void> {
    return this.#membership.join(start);
  }

  /** Joins again after the group was found missing. Never throws: what fails is reported and tried again by `beat`. */
  recover(): Promise<void> {
    return this.#membership.recover();
  }

  /**
   * Takes what a read gave that was sent at `sentMs`: Redis gave the entries to us no earlier, but how much later they
   * arrived nobody knows. Returns how many may start, and how large all are.
   */
  accept(entries: readonly RawEntry[], sentMs: number): { passed: number; bytes: number } {
    let passed = 0;
    let bytes = 0;
    if (this.state === 'ended') return { passed, bytes };
    for (const [id, fields] of entries) {
      if (fields) for (const field of fields) bytes += field.length;
      if (this.#take(id.toString('latin1'), fields, 1, sentMs)) passed++;
    }
    return { passed, bytes };
  }

  /**
   * As the only consumer: takes what comes next, at most `count` new entries, which are returned as `entries`. `last` is
   * the id behind which there is nothing; neither is given when something else comes first, and then `more` says that it
   * may be asked again as soon as there is room.
   */
  async pull(owner: SoleOwner, count: number): Promise<{ entries?: RawEntry[]; last?: string; more?: boolean }> {
    const sentMs = this.#context.link.clock.monotonicMs();
    const mostLeft = this.#context.leftCredit();
    const reply = await this.#commands.pull(owner.token, count, mostLeft).catch((error: unknown) => {
      // It may have been given something all the same.
      this.drainedConnects = 0;
      throw error;
    });
    switch (reply.status) {
      case 'NEW':
        return { entries: reply.entries as RawEntry[] };
      case 'EMPTY':
        return { last: reply.last };
      case 'LEFT':
        if (reply.lost > 0) this.#lost(reply.lost);
        await this.#takeOver(reply.entries, sentMs);
        return { more: true };
      case 'FENCED':
        owner.superseded(reply.token);
        return {};
      case 'NOGROUP':
        await this.recover();
        return { more: true };
    }
  }

  /** Delivers what is pending to us and never arrived: its reply was lost with a connection. */
  async drain(): Promise<void> {
    if (this.#context.settings.noAck) return;
    let last: string | undefined;
    for (;;) {
      const page = await this.#commands.pendingAfter(last, PAGE);
      // How long they have been waiting is not known: they are confirmed before they are started.
      await this.#fetch(
        page.filter(({ id }) => !this.#held.has(id)),
        Number.NEGATIVE_INFINITY,
      );
      last = page.at(-1)?.id;
      if (page.length < PAGE || this.#stopping.signal.aborted) return;
    }
  }

  /** Tells Redis that we are alive and at work; learns what is no longer ours, and where the sink stands. */
  async beat(): Promise<void> {
    if (this.state === 'broken') await this.recover();
    if (this.state !== 'joined') return;
    const { clock } = this.#context.link;
    const ids = this.#held.atWork(clock.monotonicMs() - this.#beatMs / 2);
    for (let at = 0; at === 0 || at < ids.length; at += BEAT_BATCH) {
      const batch = ids.slice(at, at + BEAT_BATCH);
      const sentMs = clock.monotonicMs();
      const reply = await this.#commands.beat(batch);
      if (reply.status === 'NOGROUP') return this.recover();
      this.#membership.noteCursor(reply.cursor);
      for (const id of reply.moved) this.#letGo(String(id));
      this.#held.confirm(batch, sentMs);
    }
    this.#context.wake();
  }

  /**
   * After a long silence (the process was stopped, Redis was away) what waits here may be with another consumer: it is
   * not started before Redis was asked.
   */
  owns(delivery: Delivery, nowMs: number): boolean {
    const { claimIdleMs, noAck } = this.#context.settings;
    if (this.#context.owner?.owned === false) return false;
    if (noAck || nowMs - delivery.oursAtMs < claimIdleMs) return true;
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
    // The only consumer takes what others left when it reads.
    if (this.#context.settings.noAck || this.#context.owner) return;
    for (;;) {
      const count = Math.min(CLAIM_BATCH, this.#context.claimCredit());
      this.claimDue = count <= 0;
      if (count <= 0 || this.state !== 'joined') return;
      const sentMs = this.#context.link.clock.monotonicMs();
      const reply = await this.#commands.claim(count);
      if (reply.status === 'NOGROUP') return this.recover();
      if (reply.status === 'BUSY') return;
      if (reply.lost > 0) this.#lost(reply.lost);
      await this.#takeOver(reply.entries, sentMs);
      if (reply.more === 0) return;
    }
  }

  /** Deletes consumers that are gone and have nothing pending, and events that are too old: nobody may be publishing. */
  async sweep(): Promise<void> {
    if (this.state !== 'joined') return;
    const { aged } = await this.#commands.sweep();
    if (aged === 1) await keepLimits(this.#context.link, this.stream);
  }

  settle(delivery: Delivery, outcome: Outcome): void {
    const { settings, counters, owner } = this.#context;
    const { id, deliveryCount: count } = delivery;
    // What was broken off is no refusal: the next owner delivers it again.
    if (outcome.kind !== 'ack' && owner?.owned === false) return;
    const isOver = outcome.kind === 'ack' || settings.noAck || this.state === 'ended';
    if (isOver) this.#over(id);
    if (this.state === 'ended') return;
    if (outcome.kind === 'ack') {
      counters.acked++;
      if (!settings.noAck) this.#acks.add(id);
    } else if (outcome.kind === 'dead') {
      this.#deadLetter({ id, count }, outcome.reason);
    } else if (isOver) {
      // It is gone already: at most once.
    } else if (count >= settings.maxDeliveries) {
      const why = outcome.error === undefined ? 'refused' : describeError(outcome.error, MAX_ERROR_CHARS);
      this.#deadLetter({ id, count }, `delivered ${count} times, last: ${why}`);
    } else {
      counters.retried++;
      this.#held.delay(id, outcome.delayMs ?? this.#retryDelayMs(count), () => this.#retake(id));
    }
  }

  /** Ends timers and retries; nothing more is delivered. What is under way may be flushed. */
  stop(): void {
    this.#stopping.abort();
    this.#held.cancelDelays();
  }

  /** Resolves when acknowledgements and dead letters are confirmed, or `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#acks.flush(signal);
    await this.#background.flush();
  }

  /** Hands back what is left, at once claimable by others, and goes. `unstarted` are ids that no handler saw. */
  async leave(unstarted: readonly string[]): Promise<void> {
    this.end();
    await this.#commands.leave(unstarted);
  }

  end(): void {
    this.#membership.end();
    this.stop();
    this.#acks.close();
    const ids = this.#held.letGoOfAll(new ClosedError(`the consumer of stream "${this.stream}"`));
    for (const id of ids) this.#over(id);
  }

  /** That Redis is away is said once, by whoever reads; the rest is for the operator. */
  report(error: unknown): void {
    if (this.state === 'ended' || error instanceof RedisUnavailableError || error instanceof ClosedError) return;
    this.#context.events.emit('error', { stream: this.stream, error });
  }

  /** Returns whether the entry may start. */
  #take(id: string, fields: readonly Buffer[] | null, count: number, oursAtMs: number): boolean {
    const { filter, laneOf, counters, settings } = this.#context;
    // A group made anew gives again what we still work on; the end of that work ends this delivery too.
    if (this.#held.has(id)) return false;
    counters.received++;
    if (count > 1) {
      counters.redelivered++;
      this.#acks.countRedelivered();
    }
    const contents = decodeContents(fields);
    if ('malformed' in contents) {
      this.#deadLetter({ id, count }, `malformed: ${contents.malformed}`);
      return false;
    }
    if (filter && !filter.matches(contents.topic)) {
      counters.filtered++;
      if (!settings.noAck) this.#held.addSettled(id);
      this.#acks.addFiltered(settings.noAck ? undefined : id);
      return false;
    }
    const delivery = new Delivery(this, this.stream, id, contents, count, oursAtMs);
    if (laneOf) {
      try {
        delivery.lane = laneOf(delivery);
      } catch (error) {
        this.#deadLetter({ id, count }, `no lane: ${describeError(error, MAX_ERROR_CHARS)}`);
        return false;
      }
    }
    if (!settings.noAck) this.#held.add(delivery);
    return this.#context.deliver(delivery);
  }

  /** Reads entries that are pending to us, and were at `oursAtMs`, and takes them. */
  async #fetch(wanted: readonly Pending[], oursAtMs: number): Promise<void> {
    if (wanted.length === 0) return;
    const entries = await this.#commands.read(wanted.map(({ id }) => id));
    if (this.#stopping.signal.aborted) return;
    wanted.forEach(({ id, count }, index) => {
      const entry = entries[index];
      if (entry) this.#take(id, entry[1], count, oursAtMs);
      else if (!this.#held.has(id)) this.#forget(id);
    });
    this.#context.wake();
  }

  /** Of entries claimed from others: id, deliveries with the one to come, id, ... */
  async #takeOver(claimed: readonly unknown[], sentMs: number): Promise<void> {
    const { settings, counters } = this.#context;
    const wanted: Pending[] = [];
    for (let at = 0; at + 1 < claimed.length; at += 2) {
      const id = String(claimed[at]);
      const count = Number(claimed[at + 1]);
      // We were silent for too long ourselves, and are at work on it.
      if (this.#held.has(id)) continue;
      counters.claimed++;
      if (count <= settings.maxDeliveries) wanted.push({ id, count });
      else this.#deadLetter({ id, count: count - 1 }, `delivered ${count - 1} times, never settled`);
    }
    await this.#fetch(wanted, sentMs);
  }

  #retryDelayMs(count: number): number {
    const { retryBaseMs, retryMaxMs } = this.#context.settings;
    return retryBaseMs === 0 ? 0 : backoffMs(count, { baseMs: retryBaseMs, maxMs: Math.max(retryMaxMs, retryBaseMs) });
  }

  /** The delay of a refused entry is over: counts its next delivery, once, and delivers it. */
  #retake(id: string): void {
    let taken: { count: number; sentMs: number } | undefined;
    this.#background.persist(async () => {
      if (!taken) {
        const sentMs = this.#context.link.clock.monotonicMs();
        const reply = await this.#commands.retake(id);
        if (reply.status === 'MOVED') {
          this.#held.delete(id);
          return this.#over(id);
        }
        taken = { count: reply.count, sentMs };
      }
      const [entry] = await this.#commands.read([id]);
      if (this.#stopping.signal.aborted) return;
      this.#held.delete(id);
      if (entry) this.#take(id, entry[1], taken.count, taken.sentMs);
      else this.#forget(id);
    });
  }

  #deadLetter(entry: Pending, reason: string): void {
    const { settings, counters, events } = this.#context;
    if (!settings.noAck) this.#held.park(entry.id);
    this.#over(entry.id);
    this.#background.persist(async () => {
      const reply = await this.#commands.deadLetter(entry, reason);
      this.#held.delete(entry.id);
      if (reply.status === 'LOST') this.#lost(1);
      if (reply.status !== 'OK') return;
      counters.deadLettered++;
      const { id, count: deliveryCount } = entry;
      events.emit('deadLetter', { stream: this.stream, id, deadId: reply.dead, deliveryCount, reason });
    });
  }

  #confirmed(ids: readonly string[]): void {
    for (const id of ids) this.#held.delete(id);
    this.#context.wake();
  }

  /** Another consumer has it, or it is settled. */
  #letGo(id: string): void {
    const moved = this.#held.letGo(id, new ClosedError(`the delivery of ${id} to this consumer`));
    this.#over(id);
    if (moved) this.#context.events.emit('moved', { stream: this.stream, id });
  }

  /** An entry that was removed while it was pending. */
  #forget(id: string): void {
    this.#held.addSettled(id);
    this.#acks.addLost(id);
    this.#over(id);
    this.#lost(1);
  }

  /** It will not be delivered here again. */
  #over(id: string): void {
    if (this.#context.laneOf) this.#context.over(this.stream, id);
  }

  #lost(count: number): void {
    this.#context.counters.lost += count;
    this.#context.events.emit('lost', { stream: this.stream, count });
  }
}
