/**
 * What a flush of Redis may cost by design, told from a history. Redis has nothing any more, so there remains what live
 * workers hold and say again within a lease: a job that nobody runs at that moment is gone, and so is one whose worker
 * cannot speak up in time. A notification is gone unless it was delivered before, and may come twice when it is sent again.
 *
 * A job that shows itself just before the flush, in the hands of a worker that nothing is done to around it, is never excused.
 */
import type { JournalEvent } from './journal.ts';

export interface Excuses {
  /** Jobs that may be gone. */
  readonly keys: ReadonlySet<string>;
  /** Whether a notification of a job may be missing, or there again, by that moment. */
  excusesNote(key: string, number: number, atMs: number): boolean;
}

export const NO_EXCUSES: Excuses = { keys: new Set(), excusesNote: () => false };

interface Span {
  fromMs: number;
  toMs: number;
}

/** A job that runs has shown itself within that. */
const SIGN_MS = 300;
const BEGINS = /^(?:SIGKILL|SIGSTOP|blackhole|swallow|refuse) (\w+)$/;
const ENDS = /^(?:SIGCONT|pass) (\w+)$/;

export function excusesOf(events: readonly JournalEvent[], leaseMs: number): Excuses {
  const ordered = [...events].sort((a, b) => a.atMs - b.atMs);
  const flushes = flushesOf(ordered);
  if (flushes.length === 0) return NO_EXCUSES;
  const troubles = troublesOf(ordered);
  const isSafe = (who: string, { fromMs, toMs }: Span) =>
    !troubles.get(who)?.some(trouble => trouble.fromMs < toMs + 2 * leaseMs && trouble.toMs > fromMs - leaseMs);
  const keys = new Set<string>();
  for (const flush of flushes) {
    const held = new Map<string, string>();
    for (const { what, atMs, who, jobs = [] } of ordered) {
      if (atMs > flush.toMs) break;
      for (const [key] of jobs) {
        if ((what === 'tick' || what === 'start') && atMs > flush.fromMs - SIGN_MS) held.set(key, who);
        if (what === 'stop' || what === 'refused') held.delete(key);
      }
    }
    for (const { what, atMs, jobs = [] } of ordered) {
      if (what !== 'sent' || atMs > flush.toMs) continue;
      for (const [key] of jobs) if (!isSafe(held.get(key) ?? '', flush) || !held.has(key)) keys.add(key);
    }
  }
  const sentMs = new Map<string, number>();
  for (const { what, atMs, jobs = [], detail } of ordered) {
    if (what === 'noting') sentMs.set(`${jobs[0]?.[0]} ${detail}`, atMs);
  }
  return {
    keys,
    excusesNote(key, number, atMs) {
      const noteMs = sentMs.get(`${key} ${number}`) ?? Number.POSITIVE_INFINITY;
      return keys.has(key) || flushes.some(({ fromMs, toMs }) => noteMs <= toMs && fromMs <= atMs);
    },
  };
}

function flushesOf(ordered: readonly JournalEvent[]): Span[] {
  const faults = ordered.filter(({ what }) => what === 'fault');
  return faults.flatMap(({ detail, atMs }, i) => {
    if (detail !== 'FLUSHALL') return [];
    const done = faults.slice(i).find(fault => fault.detail === 'flushed');
    return [{ fromMs: atMs, toMs: done?.atMs ?? Number.POSITIVE_INFINITY }];
  });
}

/** When each worker could not speak: from what was done to it until that was taken back. */
function troublesOf(ordered: readonly JournalEvent[]): Map<string, Span[]> {
  const troubles = new Map<string, Span[]>();
  for (const { what, atMs, detail = '' } of ordered) {
    if (what !== 'fault') continue;
    const begun = BEGINS.exec(detail)?.[1];
    const ended = ENDS.exec(detail)?.[1];
    if (begun) troubles.set(begun, [...(troubles.get(begun) ?? []), { fromMs: atMs, toMs: Number.POSITIVE_INFINITY }]);
    if (!ended) continue;
    for (const trouble of troubles.get(ended) ?? []) trouble.toMs = Math.min(trouble.toMs, atMs);
  }
  return troubles;
}
