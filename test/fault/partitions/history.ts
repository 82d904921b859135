/** What the processes of a partitioned sink wrote, and what is wrong with it. All times are of the machine's monotonic clock. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const STREAM = 'orders';
export const SINK = 'billing';

export interface Line {
  what: 'ready' | 'begin' | 'done' | 'broken off' | 'error';
  atMs: number;
  who: string;
  partition?: number;
  token?: number;
  key?: string;
  /** Of the event within its key, from 0. */
  n?: number;
  /** How often it had been delivered. */
  count?: number;
  error?: string;
}

/** A handler at work. */
interface Run extends Required<Omit<Line, 'error' | 'what'>> {
  endMs: number;
  /** It had its effect. */
  done: boolean;
}

/** When a process ended, or was stopped for a while, by who it is. */
export interface Ends {
  readonly killedMs: ReadonlyMap<string, number>;
  readonly stoppedMs: ReadonlyMap<string, readonly { fromMs: number; toMs: number }[]>;
}

export interface Verdict {
  overlaps: string[];
  disorders: string[];
  /** Events that nobody finished. */
  missing: string[];
  errors: string[];
  /** Finished more than once. */
  repeated: number;
  brokenOff: number;
  /** Longest time in which no event of a partition was finished, from its first to its last. */
  worstGapMs: number;
}

export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function readLines(folder: string): Line[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.jsonl'))
    .flatMap(name =>
      readFileSync(join(folder, name), 'utf8')
        .split('\n')
        // The last line of a process that was killed may be cut.
        .filter(line => line.endsWith('}'))
        .map(line => JSON.parse(line) as Line),
    )
    .sort((a, b) => a.atMs - b.atMs);
}

/** `published` says how many events each key has. */
export function judge(lines: readonly Line[], published: ReadonlyMap<string, number>, ends: Ends): Verdict {
  const runs = runsOf(lines, ends);
  const done = runs.filter(run => run.done);
  const finished = new Map<string, number>();
  for (const { key, n, endMs } of done) {
    const event = `${key} ${n}`;
    finished.set(event, Math.min(endMs, finished.get(event) ?? Number.POSITIVE_INFINITY));
  }
  const all = [...published].flatMap(([key, count]) => Array.from({ length: count }, (_, n) => `${key} ${n}`));
  return {
    overlaps: overlapsOf(runs),
    disorders: runs
      .filter(({ key, n, atMs }) => n > 0 && !((finished.get(`${key} ${n - 1}`) ?? Number.POSITIVE_INFINITY) <= atMs))
      .map(({ who, key, n }) => `${who} began ${key} ${n} before ${n - 1} was finished`),
    missing: all.filter(event => !finished.has(event)),
    errors: lines.filter(({ what }) => what === 'error').map(({ who, error }) => `${who}: ${error}`),
    repeated: done.length - finished.size,
    brokenOff: lines.filter(({ what }) => what === 'broken off').length,
    worstGapMs: worstGap(done),
  };
}

/**
 * Stopped between the look at its lease and the first line of the handler, a process writes that line when it goes on. What
 * it then does has no effect, as any effect looks at the lease again.
 */
const WAKING_MS = 500;

/** From begin to end; of one that was broken by a kill to that, of one that was stopped meanwhile to when that began. */
function runsOf(lines: readonly Line[], { killedMs, stoppedMs }: Ends): Run[] {
  const open = new Map<string, Run>();
  const runs: Run[] = [];
  for (const line of lines) {
    const { what, who, atMs, partition, token, key, n, count } = line;
    if (what !== 'begin' && what !== 'done' && what !== 'broken off') continue;
    const id = `${who} ${token} ${key} ${n}`;
    if (what === 'begin') {
      const stop = stoppedMs.get(who)?.find(({ toMs }) => toMs + WAKING_MS > atMs);
      const endMs = Math.min(killedMs.get(who) ?? Number.POSITIVE_INFINITY, stop?.fromMs ?? Number.POSITIVE_INFINITY);
      const run = { who, atMs, partition, token, key, n, count, endMs, done: false } as Run;
      open.set(id, run);
      runs.push(run);
      continue;
    }
    const run = open.get(id);
    if (!run) throw new Error(`${id} ended and never began`);
    open.delete(id);
    run.done = what === 'done';
    // An effect counts when it was had; what was broken off had none.
    run.endMs = run.done ? atMs : Math.min(run.endMs, atMs);
  }
  return runs;
}

/** Two owners of a partition at work at once, or one that comes after a later one. */
function overlapsOf(runs: readonly Run[]): string[] {
  const overlaps: string[] = [];
  for (const ofPartition of Map.groupBy(runs, ({ partition }) => partition).values()) {
    const owners = [...Map.groupBy(ofPartition, ({ token }) => token)].map(([token, of]) => ({
      token,
      who: of[0]?.who,
      fromMs: Math.min(...of.map(({ atMs }) => atMs)),
      toMs: Math.max(...of.map(({ endMs }) => endMs)),
    }));
    owners.sort((a, b) => a.token - b.token);
    owners.forEach((owner, at) => {
      const before = owners[at - 1];
      if (before && before.toMs > owner.fromMs) {
        const byMs = Math.round(before.toMs - owner.fromMs);
        overlaps.push(
          `partition ${ofPartition[0]?.partition}: ${owner.who} began ${byMs} ms before ${before.who} ended`,
        );
      }
    });
  }
  return overlaps;
}

function worstGap(done: readonly Run[]): number {
  let worst = 0;
  for (const of of Map.groupBy(done, ({ partition }) => partition).values()) {
    const times = of.map(({ endMs }) => endMs).sort((a, b) => a - b);
    for (let at = 1; at < times.length; at++)
      worst = Math.max(worst, (times[at] as number) - (times[at - 1] as number));
  }
  return worst;
}
