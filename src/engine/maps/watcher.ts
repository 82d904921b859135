/**
 * The changes one consumer has not taken yet. While few wait it gets each of them. When it is slow they are coalesced: of a
 * key its last delete and the last set after it; of all that a reset ended, only the deletes. So the consumer ends in the true
 * state, sees every key's last change, and no delete and no reset is dropped.
 *
 * What waits is bounded by the entries present: beyond that (ten thousand keys more, made and deleted while the consumer
 * sleeps) it starts over with a reset of cause `behind` and the entries present. That is the one way to lose a delete, so it
 * is told also to a consumer that did not ask for resets. One that asked for sets alone loses none that still holds.
 */
import { ArgumentError } from '../core/errors.ts';
import { globMatcher } from '../core/glob.ts';
import type { MapChange, MapChangeKind } from './changes.ts';

export interface WatchFilter {
  /** This key only. */
  key?: string | undefined;
  /** Keys that match a pattern of Redis's kind: `*`, `?`, `[a-z]`, `\`. */
  glob?: string | undefined;
  /**
   * These kinds only; default all. A reset concerns every key, so it passes `key` and `glob`; one of cause `behind` says
   * that deletes were dropped, so it passes `kinds` unless these are sets alone.
   */
  kinds?: readonly MapChangeKind[] | undefined;
  /** Gives the entries present first, as sets. */
  current?: boolean | undefined;
}

/** What a watcher starts over from. */
export interface WatchedMap {
  readonly entries: ReadonlyMap<string, string>;
  readonly revision: number;
}

interface Consumer {
  resolve(result: IteratorResult<MapChange, undefined>): void;
  reject(error: unknown): void;
}

const KINDS: readonly MapChangeKind[] = ['set', 'delete', 'reset'];
/** Changes that may wait before they are coalesced. */
const EXACT_COUNT = 100;
/** Changes that may wait beyond twice the entries present. */
const SLACK_COUNT = 10_000;
const RESET_SLOT = 'reset';

export class Watcher implements AsyncIterableIterator<MapChange, undefined> {
  readonly #filter: WatchFilter;
  readonly #matches: (key: string) => boolean;
  readonly #map: WatchedMap;
  readonly #onEnd: (watcher: Watcher) => void;
  readonly #exactCount: number;
  /** All that happened, while it is not much. Empty as long as anything waits coalesced. */
  #exact: MapChange[] = [];
  /** Coalesced, in order of revision. A slot names a kind and a key. */
  readonly #waiting = new Map<string, MapChange>();
  #consumer: Consumer | undefined;
  #ended = false;
  #error: unknown;

  /** @throws ArgumentError on a kind there is not. */
  constructor(map: WatchedMap, filter: WatchFilter, onEnd: (watcher: Watcher) => void, exactCount = EXACT_COUNT) {
    for (const kind of filter.kinds ?? []) {
      if (!KINDS.includes(kind)) {
        throw new ArgumentError(`"${kind}" is no kind of change`, { hint: `Kinds are ${KINDS.join(', ')}.` });
      }
    }
    this.#filter = filter;
    this.#matches = filter.glob === undefined ? () => true : globMatcher(filter.glob);
    this.#map = map;
    this.#onEnd = onEnd;
    this.#exactCount = exactCount;
    if (filter.current) this.#offerPresent();
  }

  /** Number of changes that wait for the consumer. */
  get waitingCount(): number {
    return this.#exact.length + this.#waiting.size;
  }

  offer(change: MapChange): void {
    if (this.#ended || !this.#passes(change)) return;
    if (this.#consumer) {
      const { resolve } = this.#consumer;
      this.#consumer = undefined;
      resolve({ value: change, done: false });
      return;
    }
    if (this.#waiting.size === 0) {
      this.#exact.push(change);
      if (this.#exact.length <= this.#exactCount) return;
      for (const each of this.#exact) this.#enqueue(each);
      this.#exact = [];
    } else this.#enqueue(change);
    if (this.#waiting.size > 2 * this.#map.entries.size + SLACK_COUNT) this.#startOver();
  }

  /** Ends the watch: what waits is still delivered, then the consumer ends, or throws `error`. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    const consumer = this.#consumer;
    this.#consumer = undefined;
    this.#onEnd(this);
    if (!consumer) return;
    this.#error = undefined;
    if (error === undefined) consumer.resolve({ value: undefined, done: true });
    else consumer.reject(error);
  }

  next(): Promise<IteratorResult<MapChange, undefined>> {
    const exact = this.#exact.shift();
    if (exact) return Promise.resolve({ value: exact, done: false });
    for (const [slot, value] of this.#waiting) {
      this.#waiting.delete(slot);
      return Promise.resolve({ value, done: false });
    }
    if (this.#ended) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
    }
    if (this.#consumer) return Promise.reject(new TypeError('a watch has one consumer'));
    return new Promise((resolve, reject) => {
      this.#consumer = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<MapChange, undefined>> {
    this.#exact = [];
    this.#waiting.clear();
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #passes(change: MapChange): boolean {
    const { kinds } = this.#filter;
    if (kinds && !kinds.includes(change.kind)) return false;
    return change.key === undefined || this.#concerns(change.key);
  }

  #concerns(key: string): boolean {
    const { key: only } = this.#filter;
    return (only === undefined || key === only) && this.#matches(key);
  }

  #enqueue(change: MapChange): void {
    const { kind, key } = change;
    if (kind === 'reset') {
      for (const [slot, waiting] of this.#waiting) if (waiting.kind === 'set') this.#waiting.delete(slot);
      this.#push(RESET_SLOT, change);
      return;
    }
    const unseen = this.#waiting.get(`set:${key}`);
    if (unseen) this.#waiting.delete(`set:${key}`);
    if (kind === 'set') {
      // What the consumer saw last of this key, not what it never saw.
      this.#push(`set:${key}`, unseen ? { ...change, previous: unseen.previous } : change);
    } else {
      const earlier = this.#waiting.get(`delete:${key}`);
      const previous = earlier?.previous ?? unseen?.previous ?? change.previous;
      this.#push(`delete:${key}`, { ...change, previous });
    }
  }

  #push(slot: string, change: MapChange): void {
    // Deleting first moves the slot to the end.
    this.#waiting.delete(slot);
    this.#waiting.set(slot, change);
  }

  #startOver(): void {
    const { kinds } = this.#filter;
    if (kinds && !kinds.includes('delete') && !kinds.includes('reset')) {
      this.#dropStale();
      return;
    }
    this.#waiting.clear();
    this.#waiting.set(RESET_SLOT, { kind: 'reset', revision: this.#map.revision, cause: 'behind' });
    this.#offerPresent();
  }

  /** The sets of keys that are gone: what would have replaced them did not pass. */
  #dropStale(): void {
    for (const [slot, { key }] of this.#waiting) if (!this.#map.entries.has(key as string)) this.#waiting.delete(slot);
  }

  #offerPresent(): void {
    const { revision, entries } = this.#map;
    for (const [key, value] of entries) {
      const change: MapChange = { kind: 'set', key, value, revision };
      if (this.#passes(change)) this.#waiting.set(`set:${key}`, change);
    }
  }
}
