/** Where `stream publish` puts events: an ordinary stream, or the partition of a key. */
import {
  type Bytes,
  EventStream,
  KEY_HEADER,
  notPartitioned,
  PartitionedStream,
  type PublishedEvent,
  type PublishedOnce,
  partitionCount,
  partitionedError,
  type RedisLink,
  showStream,
} from '../../engine/index.ts';
import { UsageError } from '../errors.ts';
import type { EventDefaults } from './event-input.ts';
import { Losses } from './losses.ts';

/** What is published beside its payload. */
type EventHead = EventDefaults & { key?: string | undefined };

export interface PublishTarget {
  /** Whether what it publishes is in different partitions. */
  readonly partitioned: boolean;
  readonly losses: Losses;
  publish(event: EventHead, payload: Bytes, onceId?: string): Promise<PublishedEvent & PublishedOnce>;
}

export interface TargetOptions {
  /** Make it when it does not exist; a partitioned one never is. */
  create: boolean;
  /** Key of events that have none of their own. */
  key: string | undefined;
  /** Events may have keys of their own: then the stream says whether they need one. */
  ownKeys: boolean;
}

/** @throws ConflictError `PARTITIONED` without a key, `NOT_PARTITIONED` with one; else as the streams' `open`. */
export async function openTarget(
  link: RedisLink,
  stream: string,
  { create, key, ownKeys }: TargetOptions,
): Promise<PublishTarget> {
  const partitioned = key !== undefined || (ownKeys && (await partitionCount(link, stream)) !== undefined);
  return partitioned
    ? new KeyedTarget(await PartitionedStream.open(link, stream, { create }), key)
    : new OrdinaryTarget(await EventStream.open(link, stream, { create }));
}

/** @throws what `openTarget` would; it only reads. */
export async function checkTarget(
  link: RedisLink,
  stream: string,
  { create, key, ownKeys }: TargetOptions,
): Promise<void> {
  const count = await partitionCount(link, stream);
  if (count !== undefined) {
    if (key === undefined && !ownKeys) throw partitionedError(stream, count);
  } else if (key !== undefined || !create) {
    await showStream(link, stream);
    if (key !== undefined) throw notPartitioned(stream);
  }
}

class OrdinaryTarget implements PublishTarget {
  readonly partitioned = false;
  readonly losses = new Losses();
  readonly #stream: EventStream;

  constructor(stream: EventStream) {
    this.#stream = stream;
    stream.events.on('dataLoss', this.losses.add);
  }

  async publish({ event, key, ...options }: EventHead, payload: Bytes, onceId?: string) {
    const stream = this.#stream;
    if (key !== undefined) {
      throw new UsageError(`stream "${stream.name}" has no partitions, so its events have no key`);
    }
    if (onceId === undefined) {
      return { stream: stream.name, id: await stream.publish(event, payload, options), added: true };
    }
    return { stream: stream.name, ...(await stream.publishOnce(onceId, event, payload, options)) };
  }
}

class KeyedTarget implements PublishTarget {
  readonly partitioned = true;
  readonly losses = new Losses();
  readonly #stream: PartitionedStream;
  readonly #key: string | undefined;

  constructor(stream: PartitionedStream, key: string | undefined) {
    this.#stream = stream;
    stream.events.on('dataLoss', this.losses.add);
    this.#key = key;
  }

  async publish({ event, ...options }: EventHead, payload: Bytes, onceId?: string) {
    const stream = this.#stream;
    // What was read from a partition carries its key.
    const key = options.key ?? options.headers.get(KEY_HEADER) ?? this.#key;
    if (key === undefined) {
      throw new UsageError(`stream "${stream.name}" is partitioned, and the event has no key`, {
        hint: 'Give each line a "key", or all of them --key KEY.',
      });
    }
    if (onceId === undefined) return { ...(await stream.publish(key, event, payload, options)), added: true };
    return stream.publishOnce(key, onceId, event, payload, options);
  }
}
