import { ConflictError, OptionError } from '../core/errors.ts';
import type { OptionInput, OptionTable, OptionValues } from '../core/options.ts';
import type { StreamEvent } from './event.ts';
import type { SoleOwner } from './owner.ts';
import type { TopicFilter, TopicPattern } from './topic.ts';

/** `topic`, or a function that names the lane of an event; undefined for an event that may run at any time. */
export type LaneBy = 'topic' | ((event: StreamEvent) => string | undefined);

export const sinkOptions = {
  concurrency: { kind: 'count', default: 1, min: 1, max: 10_000, doc: 'Handlers running at once in this process.' },
  maxInFlight: {
    kind: 'count',
    default: 1000,
    min: 1,
    max: 100_000,
    doc: 'Most events held at once: waiting and being handled. How many it is depends on the speed of the handler.',
  },
  maxDeliveries: {
    kind: 'count',
    default: 5,
    min: 1,
    max: 1000,
    doc: 'Deliveries of one event before it becomes a dead letter. All consumers of a sink agree on it.',
  },
  claimIdleMs: {
    kind: 'ms',
    default: 30_000,
    min: 100,
    max: 86_400_000,
    doc: 'Silence of a consumer after which its events go to another. All consumers of a sink agree on it.',
  },
  closeTimeoutMs: {
    kind: 'ms',
    default: 10_000,
    min: 0,
    max: 3_600_000,
    doc: 'Longest duration of close. Events whose handlers have not ended by then are handed back.',
  },
  retryBaseMs: {
    kind: 'ms',
    default: 500,
    min: 0,
    max: 3_600_000,
    doc: 'Delay before the second delivery; it doubles.',
  },
  retryMaxMs: { kind: 'ms', default: 30_000, min: 0, max: 86_400_000, doc: 'Longest delay before a delivery.' },
  maxDeadLetters: {
    kind: 'count',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    doc: 'Dead letters kept; the oldest are dropped, and counted.',
  },
  noAck: {
    kind: 'flag',
    default: false,
    doc: 'At most once: an event counts as done when it is read. All consumers of a sink agree on it.',
  },
  blockMs: { kind: 'ms', default: 2000, min: 10, max: 60_000, doc: 'Longest wait of one read in Redis.' },
  maxBatchBytes: {
    kind: 'bytes',
    default: 1_048_576,
    min: 1,
    max: 268_435_456,
    doc: 'Size of the batches aimed at, by the size of the events so far.',
  },
} as const satisfies OptionTable;

export interface SinkOptions extends OptionInput<typeof sinkOptions> {
  readonly streams: readonly string[];
  /** Only events whose topic it matches; others are acknowledged. All consumers of a sink agree on it. */
  readonly topic?: TopicPattern | undefined;
  /**
   * Orders events within this process: those of one lane are handled one at a time, in the order of their ids, and a
   * refused one keeps the rest of its lane waiting until it is done or dead. Lanes go on beside each other, up to
   * `concurrency`; `maxInFlight` bounds how many events wait for their lane. Default: no order. Other consumers of the
   * sink have lanes of their own: between processes nothing is ordered. An event whose lane cannot be told, because the
   * function throws, is a dead letter.
   */
  readonly laneBy?: LaneBy | undefined;
  /** Where a sink starts that does not exist yet; default `oldest`. One that exists goes on where it is. */
  readonly from?: 'oldest' | 'newest' | { readonly after: string } | undefined;
  /** Makes this the only consumer, of one stream. @internal */
  readonly owner?: SoleOwner | undefined;
}

export type SinkSettings = OptionValues<typeof sinkOptions>;

/** @throws OptionError */
export function laneFunction(laneBy: LaneBy | undefined): ((event: StreamEvent) => string | undefined) | undefined {
  if (laneBy === undefined || typeof laneBy === 'function') return laneBy;
  if (laneBy === 'topic') return ({ topic }) => topic;
  throw new OptionError('laneBy is "topic" or a function');
}

/** What the consumers of a sink must agree on, as the text kept in Redis. */
export function configText(settings: SinkSettings, filter: TopicFilter | undefined, isSole: boolean): string {
  const { claimIdleMs, maxDeliveries, noAck } = settings;
  return JSON.stringify({
    claimIdleMs,
    maxDeliveries,
    noAck,
    topic: filter?.description ?? null,
    // Left out otherwise, so that sinks of before agree with those of now.
    sole: isSole || undefined,
  });
}

export function configMismatch(sink: string, stream: string, own: string, found: string): ConflictError {
  return new ConflictError(`sink "${sink}" of stream "${stream}" runs with ${found}, this consumer has ${own}`, {
    code: 'CONFIG_MISMATCH',
    hint: 'All consumers of a sink have the same claimIdleMs, maxDeliveries, noAck and topic; stop the others to change them.',
  });
}

/** Times that follow from how soon the events of a dead consumer are to be claimed. */
export function timesOf(claimIdleMs: number) {
  const beatMs = Math.min(2000, claimIdleMs / 3);
  const claimMs = Math.min(1000, claimIdleMs / 4);
  return {
    /** Between two signs of life. */
    beatMs,
    /** A consumer without a sign of life for this long is gone. */
    leaseMs: Math.max(1000, Math.ceil(beatMs * 3)),
    /** Between two looks for entries to claim. */
    claimMs,
    /** How long one consumer may keep the others from claiming. */
    claimHoldMs: Math.min(100, claimMs),
    /** How long a sink rests after a scan that reached the end. */
    claimRestMs: Math.floor(claimMs / 2),
  };
}
