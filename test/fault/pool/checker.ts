/**
 * Judges a history, after the fact and without asking Ponos.
 *
 * A life is a job in the hands of one worker under one token, from its start to its last tick: at each of them the worker
 * was asked whether it owns the job, and said yes.
 */
import { type Excuses, NO_EXCUSES } from './excuses.ts';
import type { JournalEvent } from './journal.ts';

export interface Life {
  key: string;
  token: number;
  who: string;
  firstMs: number;
  lastMs: number;
}

export interface Verdict {
  /** Two lives of one key at once. */
  overlaps: string[];
  /** A life that began later under a token that is not higher. */
  tokensBack: string[];
  /** Started, and nobody ever dispatched it. */
  undispatched: string[];
  /** Accepted, not to be stopped, and without a sign of life at the end. */
  missing: string[];
  /** A sign of life after somebody was told that the job has stopped. */
  undead: string[];
  /** Notifications skipped or delivered before their predecessor, and those that never came. */
  notes: string[];
  /** The longest any job was silent. */
  gap: { key: string; ms: number };
  /** The same of those that were accepted before the fault: nothing of it is the time that a new one takes to begin. */
  runningGap: { key: string; ms: number };
  /** Starts of each key from the fault on, but for its very first. */
  restarts: Map<string, number>;
}

export interface Span {
  /** Moment before the fault. */
  fromMs: number;
  /** From here on everything should be alive; NaN when it never came to that. */
  restMs: number;
  toMs: number;
}

export function judge(events: readonly JournalEvent[], span: Span, excuses: Excuses = NO_EXCUSES): Verdict {
  const ordered = [...events].sort((a, b) => a.atMs - b.atMs);
  const signs = signsOf(ordered);
  const accepted = firstOf(ordered, 'accepted');
  for (const key of excuses.keys) accepted.delete(key);
  const sent = firstOf(ordered, 'sent');
  const stopping = firstOf(ordered, 'stopping');
  const lives = [...livesOf(ordered).values()];
  return {
    overlaps: lives.flatMap(overlapsOf),
    tokensBack: lives.flatMap(tokensBackOf),
    undispatched: [...signs.keys()].filter(key => !sent.has(key)),
    missing: [...accepted.keys()].filter(key => !stopping.has(key) && (signs.get(key)?.at(-1) ?? 0) < span.restMs),
    undead: [...firstOf(ordered, 'stopped')]
      .filter(([key, atMs]) => (signs.get(key)?.at(-1) ?? 0) > atMs)
      .map(([key]) => key),
    notes: notesOf(ordered, excuses),
    gap: gapOf(signs, accepted, stopping, span),
    runningGap: gapOf(signs, new Map([...accepted].filter(([, atMs]) => atMs < span.fromMs)), stopping, span),
    restarts: restartsOf(ordered, span.fromMs),
  };
}

export function livesOf(ordered: readonly JournalEvent[]): Map<string, Life[]> {
  const lives = new Map<string, Life[]>();
  for (const { what, who, atMs, jobs = [] } of ordered) {
    if (what !== 'start' && what !== 'tick') continue;
    for (const [key, token] of jobs) {
      const of = lives.get(key) ?? [];
      lives.set(key, of);
      const life = of.find(one => one.token === token && one.who === who);
      if (life) life.lastMs = atMs;
      else of.push({ key, token, who, firstMs: atMs, lastMs: atMs });
    }
  }
  return lives;
}

export function overlapsOf(lives: readonly Life[]): string[] {
  return lives.flatMap((life, i) =>
    lives
      .slice(i + 1)
      .filter(other => other.firstMs <= life.lastMs && life.firstMs <= other.lastMs)
      .map(other => {
        const ms = Math.min(life.lastMs, other.lastMs) - Math.max(life.firstMs, other.firstMs);
        return `${life.key}: ${life.who} (token ${life.token}) and ${other.who} (${other.token}) for ${ms.toFixed(1)} ms`;
      }),
  );
}

function tokensBackOf(lives: readonly Life[]): string[] {
  return lives
    .slice(1)
    .filter((life, i) => life.token <= (lives[i] as Life).token)
    .map(({ key, who, token }) => `${key}: ${who} began under token ${token}, after one that was higher`);
}

function signsOf(ordered: readonly JournalEvent[]): Map<string, number[]> {
  const signs = new Map<string, number[]>();
  for (const { what, atMs, jobs = [] } of ordered) {
    if (what !== 'start' && what !== 'tick') continue;
    for (const [key] of jobs) {
      const of = signs.get(key);
      if (of) of.push(atMs);
      else signs.set(key, [atMs]);
    }
  }
  return signs;
}

function firstOf(ordered: readonly JournalEvent[], wanted: JournalEvent['what']): Map<string, number> {
  const first = new Map<string, number>();
  for (const { what, atMs, jobs = [] } of ordered) {
    if (what === wanted) for (const [key] of jobs) if (!first.has(key)) first.set(key, atMs);
  }
  return first;
}

/** What was dispatched during the fault counts from the moment it was accepted, what is to stop until then. */
function gapOf(
  signs: Map<string, number[]>,
  accepted: Map<string, number>,
  stopping: Map<string, number>,
  { fromMs, toMs }: Span,
): Verdict['gap'] {
  let worst = { key: '', ms: 0 };
  for (const [key, acceptedMs] of accepted) {
    let last = Math.max(fromMs, acceptedMs);
    const endMs = Math.min(toMs, stopping.get(key) ?? toMs);
    for (const atMs of [...(signs.get(key) ?? []).filter(ms => ms > last && ms < endMs), endMs]) {
      if (atMs - last > worst.ms) worst = { key, ms: atMs - last };
      last = atMs;
    }
  }
  return worst;
}

function restartsOf(ordered: readonly JournalEvent[], fromMs: number): Map<string, number> {
  const restarts = new Map<string, number>();
  const started = new Set<string>();
  for (const { what, atMs, jobs = [] } of ordered) {
    if (what !== 'start') continue;
    for (const [key] of jobs) {
      if (started.has(key) && atMs >= fromMs) restarts.set(key, (restarts.get(key) ?? 0) + 1);
      started.add(key);
    }
  }
  return restarts;
}

/** Notifications of a key are numbered from 1. A crash may deliver some again, under another token, but skips none. */
export function notesOf(ordered: readonly JournalEvent[], excuses: Excuses = NO_EXCUSES): string[] {
  const wrong: string[] = [];
  const highest = new Map<string, number>();
  const last = new Map<string, { number: number; atMs: number }>();
  const noted = new Map<string, number>();
  const missing = (key: string, from: number, to: number, atMs: number) =>
    Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n).some(
      number => !excuses.excusesNote(key, number, atMs),
    );
  for (const { what, atMs, jobs = [], detail } of ordered) {
    const [key, token] = jobs[0] ?? ['', 0];
    const number = Number(detail);
    if (what === 'noted') noted.set(key, Math.max(noted.get(key) ?? 0, number));
    if (what !== 'heard') continue;
    const present = `${key} ${token}`;
    const most = highest.get(key) ?? 0;
    if (missing(key, most + 1, number, atMs)) wrong.push(`${key}: notification ${number} came after ${most}`);
    const before = last.get(present);
    if (before && number <= before.number && !excuses.excusesRepeat(before.atMs, atMs)) {
      wrong.push(`${key}: notification ${number} came twice to one owner`);
    }
    highest.set(key, Math.max(most, number));
    last.set(present, { number, atMs });
  }
  for (const [key, number] of noted) {
    const most = highest.get(key) ?? 0;
    if (missing(key, most + 1, number + 1, Number.POSITIVE_INFINITY)) {
      wrong.push(`${key}: notification ${number} never came`);
    }
  }
  return wrong;
}
