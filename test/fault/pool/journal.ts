/**
 * What every process of a fault test writes: one line of JSON for each event, at once, so that nothing is lost with the
 * process. All times are of one clock, the machine's monotonic one.
 */
import { openSync, writeSync } from 'node:fs';

/** A key and the token under which it is run. */
export type Held = [key: string, token: number];

export interface JournalEvent {
  /** Read before the question whether a job is owned, so that a process that is stopped in between does not say too much. */
  atMs: number;
  who: string;
  what: // Of workers.
    | 'ready'
    | 'start'
    | 'tick'
    | 'refused'
    | 'stop'
    | 'heard'
    | 'fenced'
    | 'registered'
    | 'zombie'
    | 'error'
    | 'left'
    // Of dispatchers. What was sent may have arrived; what was accepted must be there.
    | 'sent'
    | 'accepted'
    | 'exists'
    | 'failed'
    | 'noting'
    | 'noted'
    | 'stopping'
    | 'stopped'
    | 'told'
    | 'scheduled'
    /** Somebody breaks the pool on purpose, and has mended it again. */
    | 'broken'
    | 'mended'
    | 'removing'
    // Of who holds a ticker open.
    | 'ticked'
    // Of the test.
    | 'fault';
  /** What it is about; a tick is about everything that the worker holds. */
  jobs?: Held[];
  detail?: string;
}

export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class Journal {
  readonly #file: number;
  readonly #who: string;

  constructor(file: string, who: string) {
    this.#file = openSync(file, 'a');
    this.#who = who;
  }

  write(what: JournalEvent['what'], more: { atMs?: number; jobs?: Held[]; detail?: string | undefined } = {}): void {
    const event = { atMs: nowMs(), who: this.#who, what, ...more };
    writeSync(this.#file, `${JSON.stringify(event)}\n`);
  }
}
