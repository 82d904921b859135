/**
 * How far a sink is behind. Redis's own figure is null after events were deleted and too high after a trim, so it is
 * taken only where it can be right. Pure.
 */
import { compareEntryIds, entryTimeMs } from '../streams/entry-id.ts';
import type { Lag } from './snapshots.ts';

export interface LagFacts {
  length: number;
  firstId: string | null;
  lastId: string | null;
  lastGeneratedId: string;
  lastDeliveredId: string;
  /** What XINFO GROUPS says. */
  reported: number | null;
}

export function lagOf(facts: LagFacts): Lag {
  const { length, firstId, lastId, lastDeliveredId, reported } = facts;
  if (length === 0 || firstId === null || lastId === null) return { count: 0, exact: true };
  if (compareEntryIds(lastDeliveredId, lastId) >= 0) return { count: 0, exact: true };
  // Everything there is has still to be read, whatever was removed before.
  if (compareEntryIds(lastDeliveredId, firstId) < 0) return { count: length, exact: true };
  if (reported !== null && reported > 0 && reported < length) return { count: reported, exact: true };
  return { count: estimate(length, firstId, lastId, lastDeliveredId), exact: false };
}

/** As if events had come evenly between the first and the last. At least 1: the last has not been read. */
function estimate(length: number, firstId: string, lastId: string, deliveredId: string): number {
  const [first, last, delivered] = [firstId, lastId, deliveredId].map(entryTimeMs) as [number, number, number];
  const share = last > first ? (last - delivered) / (last - first) : 0.5;
  return Math.max(1, Math.min(length - 1, Math.round(length * share)));
}

/** The worse of two, for a stream with several sinks. Unknown is worst. */
export function maxLag(lags: readonly Lag[]): Lag {
  let most: Lag = { count: 0, exact: true };
  for (const lag of lags) {
    if (lag.count === null) return lag;
    if (lag.count > (most.count ?? 0)) most = lag;
  }
  return most;
}
