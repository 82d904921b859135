import { ArgumentError } from '../core/errors.ts';
import type { Connection } from '../redis/connection.ts';
import { compareEntryIds, FIRST_ID, parseEntryId, previousEntryId } from './entry-id.ts';
import type { StreamFacts } from './gap.ts';

/**
 * Where reading starts: at the first event there is, behind the last one, after an id, with the events of the last
 * `sinceMs`, or with those since a wall-clock time.
 */
export type Start =
  | 'oldest'
  | 'newest'
  | { readonly after: string }
  | { readonly sinceMs: number }
  | { readonly sinceAtMs: number };

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
    const ms = 'sinceMs' in start ? start.sinceMs : start.sinceAtMs;
    if (typeof ms === 'number' && Number.isFinite(ms) && ms >= 0) return start;
  }
  throw new ArgumentError('a reader starts at "oldest", "newest", { after }, { sinceMs } or { sinceAtMs }');
}

/** Durations count back from the clock of Redis, which gave the ids their times. */
export async function resolveStart(connection: Connection, start: Start, facts: StreamFacts): Promise<Position> {
  if (start === 'oldest') return { cursor: FIRST_ID, anchored: true };
  if (start === 'newest') return { cursor: facts.lastGeneratedId, anchored: true };
  if ('after' in start) return { cursor: start.after, anchored: false };
  const atMs = 'sinceAtMs' in start ? start.sinceAtMs : (await redisTimeMs(connection)) - start.sinceMs;
  const cursor = previousEntryId(`${Math.max(0, Math.floor(atMs))}-0`);
  return {
    cursor: compareEntryIds(cursor, facts.lastGeneratedId) > 0 ? facts.lastGeneratedId : cursor,
    anchored: true,
  };
}

/** Redis's wall clock, in ms since 1970. */
export async function redisTimeMs(connection: Connection): Promise<number> {
  const [seconds, microseconds] = (await connection.call('TIME')) as [Buffer, Buffer];
  return Number(String(seconds)) * 1000 + Math.floor(Number(String(microseconds)) / 1000);
}
