/** What a history says about dispatches. */
import type { JournalEvent } from './journal.ts';

/** The longest that one took in all, however often it was sent, of those accepted since; 0 without any. */
export function slowestDispatchMs(events: readonly JournalEvent[], fromMs: number): number {
  const sentMs = new Map<string, number>();
  let slowestMs = 0;
  for (const { what, atMs, jobs } of events) {
    const key = jobs?.[0]?.[0] ?? '';
    if (what === 'sent') sentMs.set(key, atMs);
    if (what === 'accepted' && atMs >= fromMs) slowestMs = Math.max(slowestMs, atMs - (sentMs.get(key) ?? atMs));
  }
  return slowestMs;
}

/** Sent before a moment, and not answered for good yet. */
export function openDispatches(events: readonly JournalEvent[], beforeMs: number): number {
  const open = new Set<string>();
  for (const { what, atMs, jobs } of events) {
    const key = jobs?.[0]?.[0] ?? '';
    if (what === 'sent' && atMs < beforeMs) open.add(key);
    if (what === 'accepted' || what === 'failed' || what === 'exists') open.delete(key);
  }
  return open.size;
}

/** Errors that dispatchers met and sent again after, by code. */
export function toldSince(events: readonly JournalEvent[], fromMs: number): Record<string, number> {
  const told: Record<string, number> = {};
  for (const { what, atMs, detail } of events) {
    if (what === 'told' && atMs >= fromMs) told[`told ${detail}`] = (told[`told ${detail}`] ?? 0) + 1;
  }
  return told;
}
