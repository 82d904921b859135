/**
 * What the processes of a fault test wrote, and what it must show. All times are of one clock, the machine's monotonic one.
 */
import { readFileSync } from 'node:fs';

export interface HistoryEvent {
  atMs: number;
  what: 'ready' | 'start' | 'tick' | 'refused' | 'stop' | 'fenced' | 'registered' | 'left' | 'zombie';
  worker: string;
  key: string | null;
  token: number | null;
}

/** Signs of life of one job under one token. */
interface Life {
  key: string;
  token: number;
  worker: string;
  atMs: number;
}

export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class History {
  readonly events: HistoryEvent[];

  constructor(files: string[]) {
    this.events = files
      .flatMap(file => readFileSync(file, 'utf8').split('\n'))
      .filter(line => line.endsWith('}'))
      .map(line => JSON.parse(line) as HistoryEvent)
      .sort((a, b) => a.atMs - b.atMs);
  }

  /** Starts and owned ticks, per key, in order of time. */
  lives(): Map<string, Life[]> {
    const lives = new Map<string, Life[]>();
    for (const { what, key, token, worker, atMs } of this.events) {
      if ((what !== 'start' && what !== 'tick') || key === null || token === null) continue;
      const of = lives.get(key) ?? [];
      lives.set(key, of);
      of.push({ key, token, worker, atMs });
    }
    return lives;
  }

  /** A sign of life of an older token after one of a newer: two owners at once, or a token that went back. */
  overlaps(): string[] {
    return [...this.lives().values()].flatMap(overlapsOf);
  }

  /** The longest time any of the keys was silent between two moments. */
  longestGapMs(fromMs: number, toMs: number): { key: string; ms: number } {
    let worst = { key: '', ms: 0 };
    for (const [key, life] of this.lives()) {
      const times = [...life.map(({ atMs }) => atMs).filter(atMs => atMs > fromMs && atMs < toMs), toMs];
      let last = fromMs;
      for (const atMs of times) {
        if (atMs - last > worst.ms) worst = { key, ms: atMs - last };
        last = atMs;
      }
    }
    return worst;
  }

  /** Keys with a sign of life after a moment. */
  aliveAfter(fromMs: number): Set<string> {
    return new Set([...this.lives()].filter(([, life]) => life.some(({ atMs }) => atMs > fromMs)).map(([key]) => key));
  }

  count(what: HistoryEvent['what'], fromMs = 0): number {
    return this.events.filter(event => event.what === what && event.atMs > fromMs).length;
  }
}

export function overlapsOf(life: readonly Life[]): string[] {
  const found: string[] = [];
  let newest: Life | undefined;
  for (const sign of life) {
    if (newest && sign.token < newest.token) {
      found.push(
        `${sign.key}: ${sign.worker} alive with token ${sign.token} ${(sign.atMs - newest.atMs).toFixed(1)} ms after ${newest.worker} with ${newest.token}`,
      );
    } else newest = sign;
  }
  return found;
}
