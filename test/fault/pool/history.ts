/** Reads what the processes of a fault test wrote, while they write, and answers what the test waits for. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type JournalEvent, nowMs } from './journal.ts';

/** Children of `--exec` jobs know the wall clock only. */
type Line = JournalEvent & { wallNs?: number };

const CHUNK_BYTES = 1 << 20;

export class History {
  readonly events: JournalEvent[] = [];
  /** Last sign of life of each key. */
  readonly #aliveMs = new Map<string, { atMs: number; who: string }>();
  readonly #accepted = new Set<string>();
  /** Keys of jobs that somebody asked to stop. */
  readonly #stopping = new Set<string>();
  readonly #files = new Map<string, { offset: number; rest: string }>();
  readonly #folder: string;
  readonly #wallOffsetMs = Date.now() - nowMs();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes in what was written since. */
  read(): this {
    for (const name of readdirSync(this.#folder)) if (name.endsWith('.jsonl')) this.#readFile(join(this.#folder, name));
    return this;
  }

  get accepted(): ReadonlySet<string> {
    return this.#accepted;
  }

  /** Keys that were accepted, not to be stopped, and have not shown themselves since. */
  silentSince(fromMs: number): string[] {
    const wanted = [...this.#accepted].filter(key => !this.#stopping.has(key));
    return wanted.filter(key => (this.#aliveMs.get(key)?.atMs ?? 0) <= fromMs);
  }

  /** Who showed a sign of life of each key last. */
  owners(): Map<string, string> {
    return new Map([...this.#aliveMs].map(([key, { who }]) => [key, who]));
  }

  keysOf(who: string): string[] {
    return [...this.#aliveMs].filter(([, last]) => workerOf(last.who) === who).map(([key]) => key);
  }

  /** Every process that a worker had for its jobs. */
  processes(who?: string): number[] {
    const all = new Set(this.events.map(event => event.who));
    return [...all].filter(one => who === undefined || workerOf(one) === who).flatMap(one => processOf(one) ?? []);
  }

  find(what: JournalEvent['what'], options: { who?: string; key?: string; fromMs?: number } = {}): JournalEvent[] {
    const { who, key, fromMs = 0 } = options;
    return this.events.filter(
      event =>
        event.what === what &&
        event.atMs >= fromMs &&
        (who === undefined || workerOf(event.who) === who) &&
        (key === undefined || event.jobs?.some(([of]) => of === key)),
    );
  }

  #readFile(path: string): void {
    const state = this.#files.get(path) ?? { offset: 0, rest: '' };
    this.#files.set(path, state);
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(CHUNK_BYTES);
      for (let size = -1; size !== 0; ) {
        size = readSync(file, bytes, 0, CHUNK_BYTES, state.offset);
        state.offset += size;
        const lines = (state.rest + bytes.toString('latin1', 0, size)).split('\n');
        state.rest = lines.pop() ?? '';
        for (const line of lines) this.#take(JSON.parse(line) as Line);
      }
    } finally {
      closeSync(file);
    }
  }

  #take({ wallNs, ...event }: Line): void {
    if (wallNs !== undefined) event.atMs = wallNs / 1e6 - this.#wallOffsetMs;
    this.events.push(event);
    const { what, who, atMs, jobs = [] } = event;
    if (what === 'accepted') for (const [key] of jobs) this.#accepted.add(key);
    if (what === 'stopping') for (const [key] of jobs) this.#stopping.add(key);
    if (what !== 'start' && what !== 'tick') return;
    for (const [key] of jobs) if ((this.#aliveMs.get(key)?.atMs ?? 0) < atMs) this.#aliveMs.set(key, { atMs, who });
  }
}

/** Processes that a worker has for its jobs write as `<worker>/<process id>`. */
export function workerOf(who: string): string {
  return who.split('/')[0] as string;
}

function processOf(who: string): number | undefined {
  return Number(who.split('/')[1]) || undefined;
}
