/** What one consumer of a sink says to Redis about one stream: its scripts, with the keys and names they need. */
import { InvariantError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { RedisLink } from '../redis/link.ts';
import type { AckBatch } from './ack-queue.ts';
import type { RawEntry } from './event.ts';
import {
  ackScript,
  type BeatReply,
  beatScript,
  type ClaimReply,
  claimScript,
  type DeadLetterReply,
  deadLetterScript,
  type JoinSinkReply,
  joinSinkScript,
  leaveSinkScript,
  type PullReply,
  pullScript,
  type RetakeReply,
  retakeScript,
  type SweepConsumersReply,
  sweepConsumersScript,
} from './scripts.gen.ts';
import { type SinkSettings, timesOf } from './sink-options.ts';

/** An entry that is pending, and how often it has been delivered. */
export interface Pending {
  id: string;
  count: number;
}

export interface JoinRequest {
  config: string;
  /** For a sink that does not exist yet. */
  start: string;
  /** What this consumer knows from before; empty when it is new. */
  generation: string;
  cursor: string;
  recovering: boolean;
}

export class ConsumerCommands {
  readonly eventsKey: string;
  readonly #link: RedisLink;
  readonly #names: { sink: string; consumer: string };
  readonly #settings: SinkSettings;
  readonly #times: ReturnType<typeof timesOf>;
  readonly #keys: { events: string; meta: string; partitions: string; sinks: string; consumers: string; dead: string };

  constructor(link: RedisLink, stream: string, sink: string, consumer: string, settings: SinkSettings) {
    const { events, meta, partitions, sinks, consumers, dead } = link.keys.stream(stream);
    this.#link = link;
    this.#names = { sink, consumer };
    this.#settings = settings;
    this.#times = timesOf(settings.claimIdleMs);
    this.#keys = { events, meta, partitions, sinks, consumers: consumers(sink), dead: dead(sink) };
    this.eventsKey = events;
  }

  async join({ recovering, ...known }: JoinRequest): Promise<Exclude<JoinSinkReply, { status: 'UNKNOWN' }>> {
    const { events, meta, partitions, sinks, consumers } = this.#keys;
    const args = {
      ...this.#names,
      ...known,
      lease_ms: this.#times.leaseMs,
      fresh_generation: newId(),
      recovering: recovering ? 1 : 0,
    };
    const run = (...asked: string[]) =>
      this.#link.commands.run(joinSinkScript, { events, meta, sinks, consumers, partitions: asked }, args);
    let reply = await run();
    if (reply.status === 'UNKNOWN') reply = await run(partitions);
    if (reply.status === 'UNKNOWN') throw new InvariantError('the script join_sink asks for a key that it has');
    return reply;
  }

  beat(ids: readonly string[]): Promise<BeatReply> {
    const { events, sinks, consumers } = this.#keys;
    const args = { ...this.#names, lease_ms: this.#times.leaseMs, ids };
    return this.#link.commands.run(beatScript, { events, sinks, consumers }, args);
  }

  claim(count: number): Promise<ClaimReply> {
    const { events, sinks } = this.#keys;
    return this.#link.commands.run(
      claimScript,
      { events, sinks },
      {
        ...this.#names,
        idle_ms: this.#settings.claimIdleMs,
        count,
        hold_ms: this.#times.claimHoldMs,
        rest_ms: this.#times.claimRestMs,
      },
    );
  }

  pull(token: number, count: number, mostLeft: number): Promise<PullReply> {
    const { events, sinks } = this.#keys;
    const args = { ...this.#names, token, count, most_left: mostLeft };
    return this.#link.commands.run(pullScript, { events, sinks }, args);
  }

  retake(id: string): Promise<RetakeReply> {
    return this.#link.commands.run(retakeScript, { events: this.#keys.events }, { ...this.#names, id });
  }

  async ack(batch: AckBatch): Promise<void> {
    const { events, sinks } = this.#keys;
    await this.#link.commands.run(ackScript, { events, sinks }, { sink: this.#names.sink, ...batch });
  }

  deadLetter({ id, count }: Pending, reason: string): Promise<DeadLetterReply> {
    const { events, sinks, dead } = this.#keys;
    const { maxDeadLetters, noAck } = this.#settings;
    const args = { ...this.#names, id, count, reason, cap: maxDeadLetters, pending: noAck ? 0 : 1 };
    return this.#link.commands.run(deadLetterScript, { events, sinks, dead }, args);
  }

  sweep(): Promise<SweepConsumersReply> {
    const { events, meta, consumers } = this.#keys;
    const args = { sink: this.#names.sink, lease_ms: this.#times.leaseMs };
    return this.#link.commands.run(sweepConsumersScript, { events, meta, consumers }, args);
  }

  async leave(unstarted: readonly string[]): Promise<void> {
    const { events, sinks, consumers } = this.#keys;
    const args = { ...this.#names, idle_ms: this.#settings.claimIdleMs, unstarted };
    await this.#link.commands.run(leaveSinkScript, { events, sinks, consumers }, args);
  }

  /** What is pending to this consumer after an id, oldest first. */
  async pendingAfter(id: string | undefined, most: number): Promise<Pending[]> {
    const { sink, consumer } = this.#names;
    const start = id === undefined ? '-' : `(${id}`;
    const rows = await this.#link.commands.call('XPENDING', this.eventsKey, sink, start, '+', most, consumer);
    return (rows as [Buffer, Buffer, number, number][]).map(row => ({ id: String(row[0]), count: row[3] }));
  }

  /** The entries with these ids, undefined for those that are gone. */
  async read(ids: readonly string[]): Promise<(RawEntry | undefined)[]> {
    const { commands } = this.#link;
    const found = await Promise.all(ids.map(id => commands.call('XRANGE', this.eventsKey, id, id)));
    return (found as RawEntry[][]).map(([entry]) => entry);
  }
}
