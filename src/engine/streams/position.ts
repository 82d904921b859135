import { ArgumentError } from '../core/errors.ts';
import type { Connection } from '../redis/connection.ts';
import type { RedisLink } from '../redis/link.ts';
import { compareEntryIds, FIRST_ID, parseEntryId, previousEntryId } from './entry-id.ts';
import type { StreamFacts } from './gap.ts';

/**
 * Where reading starts: at the first event there is, behind the last one, after an id, with an id (and with what is left
 * after it), with the events of the last `sinceMs`, or with those since a wall-clock time.
 */
export type Start =
  | 'oldest'
  | 'newest'
  | { readonly after: string }
  | { readonly at: string }
  | { readonly sinceMs: number }
  | { readonly sinceAtMs: number };

const STEP = 100;

/** A start as an id: everything after it is read. */
export interface Position {
  cursor: string;
  /** Nothing before the cursor is of interest: that it is gone is no gap. */
  anchored: boolean;
}

/** @throws ArgumentError when `start` is none. */
export function checkStart(start: Start): Start {
  if (start === 'oldest' || start === 'newest') return start;
  if (typeof start === 'object' && start !== null) {
    if ('after' in start) return { after: parseEntryId(start.after) };
    if ('at' in start) return { at: parseEntryId(start.at) };
    const ms = 'sinceMs' in start ? start.sinceMs : start.sinceAtMs;
    if (typeof ms === 'number' && Number.isFinite(ms) && ms >= 0) return start;
  }
  throw new ArgumentError('a reader starts at "oldest", "newest", { after }, { at }, { sinceMs } or { sinceAtMs }');
}

/** Durations count back from the clock of Redis, which gave the ids their times. */
export async function resolveStart(connection: Connection, start: Start, facts: StreamFacts): Promise<Position> {
  if (start === 'oldest') return { cursor: FIRST_ID, anchored: true };
  if (start === 'newest') return { cursor: facts.lastGeneratedId, anchored: true };
  if ('after' in start) return { cursor: start.after, anchored: false };
  const cursor = previousEntryId('at' in start ? start.at : await idAtTime(connection, start));
  return {
    cursor: compareEntryIds(cursor, facts.lastGeneratedId) > 0 ? facts.lastGeneratedId : cursor,
    anchored: true,
  };
}

async function idAtTime(connection: Connection, start: { sinceMs: number } | { sinceAtMs: number }): Promise<string> {
  const atMs = 'sinceAtMs' in start ? start.sinceAtMs : (await redisTimeMs(connection)) - start.sinceMs;
  return `${Math.max(0, Math.floor(atMs))}-0`;
}

/** The start of the newest `count` events of a stream. */
export async function startOfLast(link: RedisLink, stream: string, count: number): Promise<Start> {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new ArgumentError(`count is ${count}, allowed: a whole number from 0`);
  }
  if (count === 0) return 'newest';
  const { events } = link.keys.stream(stream);
  let oldest: string | undefined;
  // In steps, and from the newest: what is not wanted need not travel.
  for (let left = count; left > 0; left -= STEP) {
    const end = oldest === undefined ? '+' : `(${oldest}`;
    const reply = await link.commands.call('XREVRANGE', events, end, '-', 'COUNT', Math.min(left, STEP));
    const entries = reply as [Buffer, unknown][];
    oldest = entries.at(-1)?.[0].toString('latin1') ?? oldest;
    if (entries.length < Math.min(left, STEP)) break;
  }
  return oldest === undefined ? 'oldest' : { at: oldest };
}

/** Redis's wall clock, in ms since 1970. */
export async function redisTimeMs(connection: Connection): Promise<number> {
  const [seconds, microseconds] = (await connection.call('TIME')) as [Buffer, Buffer];
  return Number(String(seconds)) * 1000 + Math.floor(Number(String(microseconds)) / 1000);
}
