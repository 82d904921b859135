/** Events and dead letters as Redis has them, looked up and listed: nothing is joined, nothing is written. */
import { NotFoundError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import { parseDeadEntry } from '../streams/dead-entry.ts';
import { entryTimeMs, parseEntryId } from '../streams/entry-id.ts';
import { decodeContents, type RawEntry } from '../streams/event.ts';
import { toBlob } from './blob.ts';
import type { DeadSnapshot, EventSnapshot } from './snapshots.ts';
import { showOrdinaryStream, showSink } from './streams.ts';

export interface DeadFilter {
  /** Only those whose reason holds this text. */
  reason?: string | undefined;
  /** Only those that died at this time or later, in ms since 1970. */
  sinceMs?: number | undefined;
  /** Only those that died before this time. */
  untilMs?: number | undefined;
}

const MOST_EVENTS = 20;
/** Entries of one page. Payloads travel with them, so it is small. */
const PAGE = 100;

/**
 * The newest events, oldest of them first; long payloads cut. To have all of them, read the stream.
 * @throws NotFoundError; ConflictError PARTITIONED.
 */
export async function listEvents(
  link: RedisLink,
  stream: string,
  options: { count?: number | undefined } = {},
): Promise<EventSnapshot[]> {
  await showOrdinaryStream(link, stream);
  const { events } = link.keys.stream(stream);
  const entries = await link.commands.call('XREVRANGE', events, '+', '-', 'COUNT', options.count ?? MOST_EVENTS);
  return (entries as RawEntry[]).map(entry => toEvent(stream, entry)).reverse();
}

/**
 * One event, with all of its payload.
 * @throws NotFoundError when there is no such stream or event; ConflictError PARTITIONED; ArgumentError when `id` is none.
 */
export async function showEvent(link: RedisLink, stream: string, id: string): Promise<EventSnapshot> {
  const exact = parseEntryId(id);
  await showOrdinaryStream(link, stream);
  const [entry] = (await link.commands.call('XRANGE', link.keys.stream(stream).events, exact, exact)) as RawEntry[];
  if (!entry) {
    throw new NotFoundError('event', exact, {
      of: `stream "${stream}"`,
      hint: 'It was never there, or was removed: "ponos stream show" says which ids are first and last.',
    });
  }
  return toEvent(stream, entry, Number.POSITIVE_INFINITY);
}

/**
 * What a sink gave up on, newest first; long payloads cut.
 * @throws NotFoundError
 */
export async function listDead(
  link: RedisLink,
  stream: string,
  sink: string,
  options: DeadFilter & { count?: number | undefined } = {},
): Promise<DeadSnapshot[]> {
  const found: DeadSnapshot[] = [];
  const most = options.count ?? MOST_EVENTS;
  for await (const letter of readDead(link, stream, sink, options, most)) {
    found.push(letter);
    if (found.length >= most) break;
  }
  return found;
}

/**
 * The ids of all dead letters that a filter lets pass, oldest first: the order in which they are best replayed.
 * @throws NotFoundError
 */
export async function listDeadIds(
  link: RedisLink,
  stream: string,
  sink: string,
  filter: DeadFilter = {},
): Promise<string[]> {
  const ids: string[] = [];
  for await (const { deadId } of readDead(link, stream, sink, filter)) ids.push(deadId);
  return ids.reverse();
}

/**
 * One dead letter, with all of its payload.
 * @throws NotFoundError when there is no such stream, sink or dead letter; ArgumentError when `id` is none.
 */
export async function showDead(link: RedisLink, stream: string, sink: string, id: string): Promise<DeadSnapshot> {
  const exact = parseEntryId(id);
  await showSink(link, stream, sink);
  const dead = link.keys.stream(stream).dead(sink);
  const [entry] = (await link.commands.call('XRANGE', dead, exact, exact)) as RawEntry[];
  if (!entry) throw noDeadLetter(stream, sink, exact);
  return toDead(stream, sink, entry, Number.POSITIVE_INFINITY);
}

export function noDeadLetter(stream: string, sink: string, id: string): NotFoundError {
  return new NotFoundError('dead letter', id, {
    of: `sink "${sink}" of stream "${stream}"`,
    hint: `"ponos sink dead list ${stream} ${sink}" shows those there are.`,
  });
}

/** Newest first. `expected` is how many the caller is going to take. */
async function* readDead(
  link: RedisLink,
  stream: string,
  sink: string,
  { reason, sinceMs, untilMs }: DeadFilter,
  expected = PAGE,
): AsyncGenerator<DeadSnapshot> {
  await showSink(link, stream, sink);
  const dead = link.keys.stream(stream).dead(sink);
  const oldest = sinceMs === undefined ? '-' : `${Math.ceil(sinceMs)}-0`;
  let newest = untilMs === undefined ? '+' : `(${Math.ceil(untilMs)}-0`;
  const count = Math.min(PAGE, expected);
  for (;;) {
    const entries = (await link.commands.call('XREVRANGE', dead, newest, oldest, 'COUNT', count)) as RawEntry[];
    for (const entry of entries) {
      const letter = toDead(stream, sink, entry);
      if (reason === undefined || letter.reason.includes(reason)) yield letter;
    }
    const last = entries.at(-1);
    if (!last || entries.length < count) return;
    newest = `(${last[0]}`;
  }
}

function toEvent(stream: string, [id, fields]: RawEntry, shownBytes?: number): EventSnapshot {
  const contents = decodeContents(fields);
  const malformed = 'malformed' in contents;
  return {
    id: String(id),
    stream,
    atMs: entryTimeMs(String(id)),
    name: malformed ? null : contents.name,
    topic: malformed ? null : (contents.topic ?? null),
    headers: malformed ? [] : [...contents.headers],
    payload: malformed ? null : toBlob(contents.payload, shownBytes),
    malformed: malformed ? contents.malformed : null,
  };
}

function toDead(stream: string, sink: string, [id, fields]: RawEntry, shownBytes?: number): DeadSnapshot {
  const { origin, rest } = parseDeadEntry(fields ?? []);
  return {
    ...toEvent(stream, [Buffer.from(origin.id), rest], shownBytes),
    sink,
    deadId: String(id),
    deadAtMs: entryTimeMs(String(id)),
    deliveryCount: origin.deliveryCount,
    reason: origin.reason,
  };
}
