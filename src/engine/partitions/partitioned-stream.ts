/**
 * The producer's side of a partitioned stream: N ordinary streams, and the key of an event says to which of them it goes.
 * Events of one key are in one partition, in the order in which they were published.
 */

import type { Bytes } from '../core/bytes.ts';
import { Emitter } from '../core/emitter.ts';
import { checkSize } from '../core/names.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Headers } from '../streams/event.ts';
import type { PublishedOnce } from '../streams/once.ts';
import { EventStream, type EventStreamOptions, type NewEvent, type PublishOptions } from '../streams/stream.ts';
import { describePartitions, removePartitionedStream, restorePartitions } from './description.ts';
import { KEY_HEADER, partitionNames, partitionOf } from './names.ts';

export interface PartitionedStreamOptions extends EventStreamOptions {
  /** Makes the stream with so many partitions, 1 to 256; one that exists must have as many. Left out, it must exist. */
  readonly partitions?: number | undefined;
}

export interface KeyedEvent extends NewEvent {
  readonly key: string;
}

/** Where an event is. */
export interface PublishedEvent {
  /** Name of the partition. */
  readonly stream: string;
  readonly id: string;
}

export interface PartitionedStreamEvents {
  /** A partition had gone with the data of Redis and was made anew by a publish. */
  recreated: { stream: string; generation: string };
  /** To make room for an event of this publisher, events of a partition were removed that a sink had not acknowledged. */
  dataLoss: { stream: string; sink: string; count: number };
  /** Something did not work and is tried again when there is another reason to. */
  error: unknown;
}

const MAX_KEY_BYTES = 1024;

export class PartitionedStream {
  readonly name: string;
  readonly events = new Emitter<PartitionedStreamEvents>();
  readonly #link: RedisLink;
  readonly #partitions: readonly EventStream[];

  private constructor(link: RedisLink, name: string, partitions: readonly EventStream[]) {
    this.#link = link;
    this.name = name;
    this.#partitions = partitions;
    for (const partition of partitions) {
      partition.events.on('dataLoss', loss => this.events.emit('dataLoss', { stream: partition.name, ...loss }));
      partition.events.on('recreated', ({ generation }) => {
        this.events.emit('recreated', { stream: partition.name, generation });
        // The description went with it.
        restorePartitions(link, name, partitions.length).catch(error => this.events.emit('error', error));
      });
    }
  }

  /**
   * Makes the stream when `partitions` is given and it does not exist. Streams that have the names of its partitions then are
   * taken over if they have the same limits.
   * @throws NotFoundError; ConflictError PARTITIONS_MISMATCH, CONFIG_MISMATCH when the limits are others; ExistsError, without `partitions`
   *   ConflictError NOT_PARTITIONED, when there is an ordinary stream of that name;
   *   ArgumentError, OptionError, WrongTypeError, RedisUnavailableError.
   */
  static async open(link: RedisLink, name: string, options: PartitionedStreamOptions = {}): Promise<PartitionedStream> {
    const { partitions, ...rest } = options;
    const { count } = await describePartitions(link, name, partitions, rest.retention);
    const streams = await Promise.all(partitionNames(name, count).map(each => EventStream.open(link, each, rest)));
    return new PartitionedStream(link, name, streams);
  }

  /** Number of partitions. */
  get partitions(): number {
    return this.#partitions.length;
  }

  /** Index of the partition of a key. */
  partitionOf(key: string): number {
    return partitionOf(key, this.#partitions.length);
  }

  /**
   * Adds an event to the partition of `key`.
   * @throws as `EventStream.publish`; ArgumentError, TooLargeError when the key is no text or too long.
   */
  async publish(key: string, name: string, payload: Bytes, options: PublishOptions = {}): Promise<PublishedEvent> {
    const partition = this.#at(key);
    const id = await partition.publish(name, payload, { ...options, headers: withKey(options.headers, key) });
    return { stream: partition.name, id };
  }

  /**
   * Adds an event to the partition of `key`, once under `id`, which counts within that partition.
   * @throws as `EventStream.publishOnce`; ArgumentError, TooLargeError when the key is no text or too long.
   */
  async publishOnce(
    key: string,
    id: string,
    name: string,
    payload: Bytes,
    options: PublishOptions = {},
  ): Promise<PublishedEvent & PublishedOnce> {
    const partition = this.#at(key);
    const headers = withKey(options.headers, key);
    return { stream: partition.name, ...(await partition.publishOnce(id, name, payload, { ...options, headers })) };
  }

  /**
   * Adds events, those of one key in their order, many in flight.
   * @returns where they are, in the order given.
   * @throws the first error, when any failed; the hint of one that is uncertain speaks of its partition.
   */
  async publishMany(events: Iterable<KeyedEvent>): Promise<PublishedEvent[]> {
    const batches = new Map<EventStream, { events: NewEvent[]; positions: number[] }>();
    let count = 0;
    for (const { key, headers, ...event } of events) {
      const partition = this.#at(key);
      const batch = batches.get(partition) ?? { events: [], positions: [] };
      batches.set(partition, batch);
      batch.events.push({ ...event, headers: withKey(headers, key) });
      batch.positions.push(count++);
    }
    const published = new Array<PublishedEvent>(count);
    const results = await Promise.allSettled(
      [...batches].map(async ([partition, batch]) => {
        const ids = await partition.publishMany(batch.events);
        ids.forEach((id, at) => {
          published[batch.positions[at] as number] = { stream: partition.name, id };
        });
      }),
    );
    const failure = results.find(result => result.status === 'rejected');
    if (failure) throw failure.reason;
    return published;
  }

  /** Removes the partitions with their sinks. */
  remove(): Promise<void> {
    return removePartitionedStream(this.#link, this.name);
  }

  #at(key: string): EventStream {
    const partition = this.#partitions[this.partitionOf(key)] as EventStream;
    if (key.length * 3 > MAX_KEY_BYTES) checkSize('KEY', key, MAX_KEY_BYTES);
    return partition;
  }
}

function withKey(headers: Headers | undefined, key: string): Headers {
  const pairs: Iterable<[string, string]> = headers instanceof Map ? headers : Object.entries(headers ?? {});
  return new Map([...pairs, [KEY_HEADER, key]]);
}
