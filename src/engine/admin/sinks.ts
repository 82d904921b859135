/**
 * What an operator does to sinks from outside: entries of dead consumers, the cursor. Each change is one script,
 * and what it is based on is checked in that script, so that consumers may go on meanwhile.
 */
import { ConflictError, NotFoundError } from '../core/errors.ts';
import { lagOf } from '../inspect/lag.ts';
import type { PendingSnapshot, SinkSnapshot } from '../inspect/snapshots.ts';
import { pendingOf, showSink } from '../inspect/streams.ts';
import type { RedisLink } from '../redis/link.ts';
import { compareEntryIds } from '../streams/entry-id.ts';
import { parseInfo, parseStreamInfo } from '../streams/facts.ts';
import { checkStart, resolveStart, type Start } from '../streams/position.ts';
import { releaseEntriesScript, resetSinkScript } from '../streams/scripts.gen.ts';
import { sinkOptions } from '../streams/sink-options.ts';

export interface ReleaseOptions {
  /** Only entries that nobody worked on for so long. Default 0. */
  minIdleMs?: number | undefined;
  /** At most so many, oldest first. */
  count?: number | undefined;
}

export interface ResetOptions {
  /** Where the sink goes on. */
  to: Start;
  /** What is pending before that stays pending, instead of being lost to the sink. */
  keepPending?: boolean | undefined;
  /** Also while consumers live. */
  force?: boolean | undefined;
}

export interface ResetPlan {
  /** The last event the sink was given. */
  fromId: string;
  /** What comes after it is delivered. */
  toId: string;
  /** Events that the sink was given before and will be given again. */
  againCount: number;
  /** Events that the sink was never given, and will not be. */
  skippedCount: number;
  /** False when there are so many that these two are estimates. */
  exact: boolean;
  /** Pending events that are lost to the sink. */
  pendingDroppedCount: number;
  /** Pending events that stay so. */
  pendingKeptCount: number;
}

const PAGE = 1000;
/** Payloads travel with what is counted, so the page is small, and so is what is counted one by one. */
const COUNT_PAGE = 100;
const MOST_COUNTED = 100_000;
/** A sink at work moves on all the time: how often its reset is planned anew. */
const MOST_TRIES = 20;

/**
 * Pending entries of consumers whose lease is over, oldest first.
 * @throws NotFoundError
 */
export async function listClaimable(
  link: RedisLink,
  stream: string,
  sink: string,
  { minIdleMs = 0, count = Number.POSITIVE_INFINITY }: ReleaseOptions = {},
): Promise<PendingSnapshot[]> {
  const { consumers } = await showSink(link, stream, sink);
  const alive = new Set(consumers.filter(consumer => consumer.alive).map(({ name }) => name));
  const found: PendingSnapshot[] = [];
  for await (const entry of readPending(link, stream, sink, '-', '+')) {
    if (entry.idleMs < minIdleMs || alive.has(entry.consumer)) continue;
    found.push(entry);
    if (found.length >= count) break;
  }
  return found;
}

/**
 * Makes pending entries of consumers whose lease is over claimable at once, instead of after `claimIdleMs` of silence: the
 * next consumer that looks takes them. Without one they stay where they are. What a live consumer holds is left alone.
 * @returns those it did this to.
 * @throws NotFoundError, RedisUnavailableError
 */
export async function releaseEntries(
  link: RedisLink,
  stream: string,
  sink: string,
  options: ReleaseOptions = {},
): Promise<PendingSnapshot[]> {
  const entries = await listClaimable(link, stream, sink, options);
  const { claimIdleMs } = await sinkConfig(link, stream, sink);
  const { events, sinks, consumers } = link.keys.stream(stream);
  const released = new Set<string>();
  for (let at = 0; at < entries.length; at += PAGE) {
    const reply = await link.commands.run(
      releaseEntriesScript,
      { events, sinks, consumers: consumers(sink) },
      {
        sink,
        min_idle_ms: options.minIdleMs ?? 0,
        idle_ms: claimIdleMs,
        ids: entries.slice(at, at + PAGE).map(({ id }) => id),
      },
    );
    if (reply.status === 'MISSING') throw noSink(stream, sink);
    for (const id of reply.released) released.add(String(id));
  }
  return entries.filter(({ id }) => released.has(id));
}

/**
 * What `resetSink` would do now.
 * @throws as `resetSink`
 */
export async function planReset(
  link: RedisLink,
  stream: string,
  sink: string,
  options: ResetOptions,
): Promise<ResetPlan> {
  return (await prepareReset(link, stream, sink, options)).plan;
}

/**
 * Moves the cursor of a sink. What is pending after it is delivered again with everything else there; what is pending
 * before it, and what is skipped, is counted as lost to the sink. Consumers at work are told with their next sign of life.
 * @returns what was done.
 * @throws ConflictError `SINK_IN_USE` while a consumer lives, without `force`; NotFoundError, ArgumentError,
 *   RedisUnavailableError.
 */
export async function resetSink(
  link: RedisLink,
  stream: string,
  sink: string,
  options: ResetOptions,
): Promise<ResetPlan> {
  const { events, sinks, consumers } = link.keys.stream(stream);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { plan, entriesRead } = await prepareReset(link, stream, sink, options);
    const reply = await link.commands.run(
      resetSinkScript,
      { events, sinks, consumers: consumers(sink) },
      {
        sink,
        seen: plan.fromId,
        cursor: plan.toId,
        entries_read: entriesRead,
        skipped: plan.skippedCount,
        keep: options.keepPending ? 1 : 0,
        force: options.force ? 1 : 0,
      },
    );
    if (reply.status === 'MISSING') throw noSink(stream, sink);
    if (reply.status === 'LIVE') throw sinkInUse(stream, sink, reply.consumers);
    if (reply.status === 'OK') return { ...plan, pendingDroppedCount: reply.dropped, pendingKeptCount: reply.kept };
  }
  throw new ConflictError(`sink "${sink}" of stream "${stream}" moves on faster than it can be reset`, {
    hint: 'Stop its consumers first.',
  });
}

/** What the consumers of a sink agreed on; of one that none of ours ever opened, the defaults. */
export async function sinkConfig(
  link: RedisLink,
  stream: string,
  sink: string,
): Promise<{ claimIdleMs: number; noAck: boolean }> {
  const text = (await link.commands.call('HGET', link.keys.stream(stream).sinks, `${sink}:config`)) as Buffer | null;
  const { claimIdleMs, noAck } = parseConfig(text);
  return { claimIdleMs: Number(claimIdleMs) || sinkOptions.claimIdleMs.default, noAck: noAck === true };
}

/** What cannot be read says nothing. */
function parseConfig(text: Buffer | null): { claimIdleMs?: unknown; noAck?: unknown } {
  try {
    return JSON.parse(String(text ?? '{}')) ?? {};
  } catch {
    return {};
  }
}

async function prepareReset(
  link: RedisLink,
  stream: string,
  sink: string,
  { to, keepPending = false, force = false }: ResetOptions,
): Promise<{ plan: ResetPlan; entriesRead: number }> {
  const start = checkStart(to);
  requireIdle(await showSink(link, stream, sink), force);
  const { events } = link.keys.stream(stream);
  const info = parseStreamInfo(await link.commands.call('XINFO', 'STREAM', events));
  const groups = (await link.commands.call('XINFO', 'GROUPS', events)) as unknown[];
  const group = groups.map(parseInfo).find(fields => String(fields.get('name')) === sink);
  if (!group) throw noSink(stream, sink);
  const fromId = String(group.get('last-delivered-id'));
  const { cursor } = await resolveStart(link.commands, start, { ...info, generation: undefined, removed: false });
  const toId = compareEntryIds(cursor, info.lastGeneratedId) > 0 ? info.lastGeneratedId : cursor;
  const back = compareEntryIds(toId, fromId) < 0;
  const [after, upTo] = back ? [toId, fromId] : [fromId, toId];
  const counted = await countEntries(link, events, after, upTo);
  const reported = group.get('lag');
  const lagAt = (lastDeliveredId: string, known: unknown) =>
    lagOf({ ...info, lastDeliveredId, reported: typeof known === 'number' ? known : null }).count ?? 0;
  const count = counted ?? Math.abs(lagAt(fromId, reported) - lagAt(toId, null));
  let before = 0;
  for await (const _ of readPending(link, stream, sink, '-', toId)) before++;
  const read = group.get('entries-read');
  const entriesRead = typeof read === 'number' && counted !== undefined ? read + (back ? -count : count) : -1;
  return {
    plan: {
      fromId,
      toId,
      againCount: back ? count : 0,
      skippedCount: back ? 0 : count,
      exact: counted !== undefined,
      pendingDroppedCount: keepPending ? 0 : before,
      pendingKeptCount: keepPending ? before : 0,
    },
    entriesRead: Math.max(-1, entriesRead),
  };
}

/** Entries after one id, up to and with another; undefined when there are too many to be counted one by one. */
async function countEntries(link: RedisLink, events: string, after: string, upTo: string): Promise<number | undefined> {
  let count = 0;
  let last = after;
  while (count < MOST_COUNTED) {
    const page = (await link.commands.call('XRANGE', events, `(${last}`, upTo, 'COUNT', COUNT_PAGE)) as [Buffer][];
    count += page.length;
    last = String(page.at(-1)?.[0]);
    if (page.length < COUNT_PAGE) return count;
  }
  return undefined;
}

async function* readPending(
  link: RedisLink,
  stream: string,
  sink: string,
  first: string,
  last: string,
): AsyncGenerator<PendingSnapshot> {
  let from = first;
  for (;;) {
    const page = await pendingOf(link, stream, sink, { from, to: last, count: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    from = `(${page.at(-1)?.id}`;
  }
}

export function requireIdle(sink: SinkSnapshot, force = false): SinkSnapshot {
  const live = sink.consumers.filter(({ alive }) => alive).length;
  if (live > 0 && !force) throw sinkInUse(sink.stream, sink.name, live);
  return sink;
}

export function noSink(stream: string, sink: string): NotFoundError {
  return new NotFoundError('sink', sink, { of: `stream "${stream}"` });
}

export function sinkInUse(stream: string, sink: string, consumers: number): ConflictError {
  const count = consumers === 1 ? 'a consumer' : `${consumers} consumers`;
  return new ConflictError(`sink "${sink}" of stream "${stream}" has ${count} at work; nothing was done`, {
    code: 'SINK_IN_USE',
    hint: 'Stop the programs that opened it, or add --force: they are told.',
  });
}
