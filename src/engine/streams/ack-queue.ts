/**
 * Acknowledgements on their way to Redis: everything of one tick in one script, the next batch while the reply of the
 * last is awaited. What fails is sent again, which is harmless: an entry is acknowledged once.
 */
import { backoffMs } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { Gate } from './gate.ts';

export interface AckBatch {
  ids: string[];
  filtered: number;
  redelivered: number;
  lost: number;
}

export interface AckTransport {
  send(batch: AckBatch): Promise<void>;
  /** Redis has them. */
  confirmed(ids: readonly string[]): void;
  failed(error: unknown): void;
}

/** Bounded by what Lua can unpack, and by how long Redis is busy with one. */
const MAX_BATCH = 1000;
/** Replies awaited at once: one more hides the way there and back. */
const MAX_SENDING = 2;
const RETRY = { baseMs: 50, maxMs: 2000 };

export class AckQueue {
  readonly #clock: Clock;
  readonly #transport: AckTransport;
  readonly #empty = new Gate();
  #ids: string[] = [];
  #counters = { filtered: 0, redelivered: 0, lost: 0 };
  #sendingIds = 0;
  #sending = 0;
  #scheduled = false;
  #retry: Timer | undefined;
  #failures = 0;
  #closed = false;

  constructor(clock: Clock, transport: AckTransport) {
    this.#clock = clock;
    this.#transport = transport;
  }

  /** Not confirmed yet. */
  get size(): number {
    return this.#ids.length + this.#sendingIds;
  }

  add(id: string): void {
    this.#ids.push(id);
    this.#schedule();
  }

  addFiltered(id: string | undefined): void {
    this.#counters.filtered++;
    if (id !== undefined) this.#ids.push(id);
    this.#schedule();
  }

  /** An entry that is gone: there is nothing to deliver, and nothing may stay pending. */
  addLost(id: string): void {
    this.#counters.lost++;
    this.add(id);
  }

  countRedelivered(): void {
    this.#counters.redelivered++;
    this.#schedule();
  }

  /** Resolves when everything is confirmed, or `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    while ((this.size > 0 || this.#scheduled || this.#hasCounts) && !signal.aborted) {
      if (!this.#retry) this.#schedule();
      await this.#empty.wait(signal);
    }
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
  }

  get #hasCounts(): boolean {
    const { filtered, redelivered, lost } = this.#counters;
    return filtered > 0 || redelivered > 0 || lost > 0;
  }

  #schedule(): void {
    if (this.#scheduled || this.#sending >= MAX_SENDING || this.#retry || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#sending < MAX_SENDING && !this.#closed && (this.#ids.length > 0 || this.#hasCounts)) this.#send();
    });
  }

  #send(): void {
    const ids = this.#ids.length <= MAX_BATCH ? this.#ids : this.#ids.slice(0, MAX_BATCH);
    this.#ids = ids === this.#ids ? [] : this.#ids.slice(MAX_BATCH);
    const batch: AckBatch = { ids, ...this.#counters };
    this.#counters = { filtered: 0, redelivered: 0, lost: 0 };
    this.#sending++;
    this.#sendingIds += ids.length;
    this.#transport.send(batch).then(
      () => {
        this.#failures = 0;
        this.#ended(batch);
        this.#transport.confirmed(batch.ids);
      },
      error => {
        this.#ids = batch.ids.concat(this.#ids);
        for (const name of ['filtered', 'redelivered', 'lost'] as const) this.#counters[name] += batch[name];
        this.#transport.failed(error);
        this.#wait();
        this.#ended(batch);
      },
    );
  }

  #ended(batch: AckBatch): void {
    this.#sending--;
    this.#sendingIds -= batch.ids.length;
    if (this.#ids.length > 0 || this.#hasCounts) this.#schedule();
    this.#empty.open();
  }

  #wait(): void {
    if (this.#retry || this.#closed) return;
    this.#failures++;
    this.#retry = this.#clock.after(backoffMs(this.#failures, RETRY), () => {
      this.#retry = undefined;
      this.#schedule();
    });
  }
}
