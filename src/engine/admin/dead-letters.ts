/** What an operator does with the events a sink gave up on. */
import { ConflictError, NotFoundError, type PonosError } from '../core/errors.ts';
import { noDeadLetter } from '../inspect/events.ts';
import { showSink } from '../inspect/streams.ts';
import type { RedisLink } from '../redis/link.ts';
import { REPLAY_CONSUMER } from '../streams/dead-entry.ts';
import { parseEntryId } from '../streams/entry-id.ts';
import { redeliverDeadScript, republishDeadScript } from '../streams/scripts.gen.ts';
import { sinkConfig } from './sinks.ts';

/** Header of an event that was published again: the id of the event it was. */
export const REPLAY_HEADER = 'ponos-replay-of';

export interface ReplayDeadOptions {
  /** Publish those again, for every sink of the stream, that cannot be delivered to their own sink alone. */
  publish?: boolean | undefined;
}

/** `id` is that of the new event. */
export type DeadReplay = { status: 'redelivered' } | { status: 'published'; id: string };

/** Payloads pass through the script: bounds the time it holds Redis. */
const BATCH = 20;
const PURGE_BATCH = 500;

/**
 * Delivers dead letters again, to the sink that gave up on them and to no other: the event is made pending to it as if it
 * had never been delivered, under its own id. That needs the event to be in the stream still; of those that are not, and of
 * a sink with `noAck`, which has nothing pending, each is refused, or with `publish` published again as a new event.
 * In either way a dead letter is replayed and gone, or neither, whatever crashes.
 *
 * `onReplayed` is told of each: how, or why not (NotFoundError, ConflictError `EVENT_GONE` or `SINK_WITHOUT_ACK`).
 * @throws NotFoundError when there is no such stream or sink; ArgumentError on a bad id; RedisUnavailableError.
 */
export async function replayDead(
  link: RedisLink,
  stream: string,
  sink: string,
  ids: readonly string[],
  options: ReplayDeadOptions,
  onReplayed: (id: string, result: DeadReplay | PonosError) => void,
): Promise<void> {
  const exact = ids.map(parseEntryId);
  await showSink(link, stream, sink);
  const { noAck, claimIdleMs } = await sinkConfig(link, stream, sink);
  for (let at = 0; at < exact.length; at += BATCH) {
    const batch = exact.slice(at, at + BATCH);
    const results = noAck ? batch.map(() => 'unacknowledged') : await redeliver(link, stream, sink, batch, claimIdleMs);
    const rest = batch.filter((_, index) => results[index] === 'gone' || results[index] === 'unacknowledged');
    const published = options.publish ? await republish(link, stream, sink, rest) : new Map<string, string>();
    for (const [index, id] of batch.entries()) {
      const result = results[index];
      const newId = published.get(id);
      if (result === 'redelivered') onReplayed(id, { status: 'redelivered' });
      else if (newId) onReplayed(id, { status: 'published', id: newId });
      else if (result === 'absent' || options.publish) onReplayed(id, noDeadLetter(stream, sink, id));
      else onReplayed(id, result === 'gone' ? eventGone(stream, id) : withoutAck(stream, sink));
    }
  }
}

/**
 * Removes dead letters for good. `onPurged` is told of each: false when there was none of that id.
 * @throws NotFoundError when there is no such stream or sink; ArgumentError on a bad id; RedisUnavailableError.
 */
export async function purgeDead(
  link: RedisLink,
  stream: string,
  sink: string,
  ids: readonly string[],
  onPurged: (id: string, purged: boolean) => void,
): Promise<void> {
  const exact = ids.map(parseEntryId);
  await showSink(link, stream, sink);
  const dead = link.keys.stream(stream).dead(sink);
  for (let at = 0; at < exact.length; at += PURGE_BATCH) {
    const batch = exact.slice(at, at + PURGE_BATCH);
    const replies = await link.commands.callMany(batch.map(id => ['XDEL', dead, id] as const));
    for (const [index, reply] of replies.entries()) {
      if (reply.status === 'rejected') throw reply.reason;
      onPurged(batch[index] as string, reply.value === 1);
    }
  }
}

async function redeliver(
  link: RedisLink,
  stream: string,
  sink: string,
  ids: readonly string[],
  claimIdleMs: number,
): Promise<string[]> {
  const { events, sinks, dead } = link.keys.stream(stream);
  const reply = await link.commands.run(
    redeliverDeadScript,
    { events, sinks, dead: dead(sink) },
    { sink, holder: REPLAY_CONSUMER, idle_ms: claimIdleMs, ids },
  );
  if (reply.status === 'MISSING') throw new NotFoundError('sink', sink, { of: `stream "${stream}"` });
  return reply.results.map(String);
}

/** The ids of the new events. */
async function republish(
  link: RedisLink,
  stream: string,
  sink: string,
  ids: readonly string[],
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { events, dead } = link.keys.stream(stream);
  const reply = await link.commands.run(
    republishDeadScript,
    { events, dead: dead(sink) },
    { header: REPLAY_HEADER, ids },
  );
  if (reply.status === 'MISSING') throw new NotFoundError('stream', stream);
  return new Map(ids.map((id, index) => [id, String(reply.results[index])]));
}

function eventGone(stream: string, id: string): ConflictError {
  return new ConflictError(
    `the event of dead letter ${id} is no longer in stream "${stream}"; it stays a dead letter`,
    {
      code: 'EVENT_GONE',
      hint: '--publish publishes it again, as a new event that every sink of the stream gets.',
    },
  );
}

function withoutAck(stream: string, sink: string): ConflictError {
  return new ConflictError(`sink "${sink}" of stream "${stream}" acknowledges nothing: it is given each event once`, {
    code: 'SINK_WITHOUT_ACK',
    hint: '--publish publishes them again, as new events that every sink of the stream gets.',
  });
}
