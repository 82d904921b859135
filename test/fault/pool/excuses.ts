/**
 * What a loss of Redis may cost by design, told from a history. After a flush Redis has nothing any more, so there remains
 * what live workers hold and say again within a lease: a job that nobody runs at that moment is gone, and so is one whose
 * worker cannot speak up in time. A notification is gone unless it was delivered before. One that was delivered may come
 * again, also after a failover to a replica that does not know of it.
 *
 * A job that shows itself just before the flush, in the hands of a worker that nothing is done to around it, is never excused.
 */
import type { JournalEvent } from './journal.ts';

export interface Excuses {
  /** Jobs that may be gone. */
  readonly keys: ReadonlySet<string>;
  /** Whether a notification of a job may be missing by that moment. */
  excusesNote(key: string, number: number, atMs: number): boolean;
  /** Whether one that came at the first moment may come again at the second. */
  excusesRepeat(firstMs: number, againMs: number): boolean;
}

export const NO_EXCUSES: Excuses = { keys: new Set(), excusesNote: () => false, excusesRepeat: () => false };

interface Span {
  fromMs: number;
  toMs: number;
}

/** A job that runs has shown itself within that. */
const SIGN_MS = 300;
/** What a write that was answered may take to reach a replica. */
const REPLICATION_MS = 1000;
const BEGINS = /^(?:SIGKILL|SIGSTOP|blackhole|swallow|refuse) (\w+)$/;
const ENDS = /^(?:SIGCONT|pass) (\w+)$/;

export function excusesOf(events: readonly JournalEvent[], leaseMs: number): Excuses {
  const faults = events.filter(({ what }) => what === 'fault');
  const flushes = spansOf(faults, /^FLUSHALL$/, 'flushed');
  const losses = [...flushes, ...spansOf(faults, /^(CLUSTER FAILOVER FORCE|SIGKILL of a master)/, 'it is over')];
  if (losses.length === 0) return NO_EXCUSES;
  const ordered = [...events].sort((a, b) => a.atMs - b.atMs);
  const troubles = troublesOf(faults);
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
      for (const [key] of jobs) {
        const holder = held.get(key);
        if (holder === undefined || !isSafe(holder, flush)) keys.add(key);
      }
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
    excusesRepeat: (firstMs, againMs) =>
      losses.some(({ fromMs, toMs }) => firstMs <= toMs + REPLICATION_MS && fromMs <= againMs),
  };
}

/** The test notes faults in their order. */
function spansOf(faults: readonly JournalEvent[], begin: RegExp, end: string): Span[] {
  return faults.flatMap(({ detail = '', atMs }, i) => {
    if (!begin.test(detail)) return [];
    const done = faults.slice(i).find(fault => fault.detail === end);
    return [{ fromMs: atMs, toMs: done?.atMs ?? Number.POSITIVE_INFINITY }];
  });
}

/** When each worker could not speak: from what was done to it until that was taken back. */
function troublesOf(faults: readonly JournalEvent[]): Map<string, Span[]> {
  const troubles = new Map<string, Span[]>();
  for (const { atMs, detail = '' } of faults) {
    const begun = BEGINS.exec(detail)?.[1];
    const ended = ENDS.exec(detail)?.[1];
    if (begun) troubles.set(begun, [...(troubles.get(begun) ?? []), { fromMs: atMs, toMs: Number.POSITIVE_INFINITY }]);
    if (!ended) continue;
    for (const trouble of troubles.get(ended) ?? []) trouble.toMs = Math.min(trouble.toMs, atMs);
  }
  return troubles;
}
