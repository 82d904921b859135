import type { Timer } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ClosedError, ConflictError, type PonosError, TimeoutError, UnsafeServerError } from '../core/errors.ts';
import { type OptionInput, type OptionValues, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import type { MapChange } from './changes.ts';
import { type EntryWrite, MapWriter } from './map-writer.ts';
import { replicaOptions } from './options.ts';
import type { ReplicaOutcome } from './replica.ts';
import { Synchronizer } from './synchronizer.ts';
import { Watcher, type WatchFilter } from './watcher.ts';

export type ReplicatedMapOptions = OptionInput<typeof replicaOptions>;

export interface ReplicatedMapEvents {
  /** Each change this replica shows, at once and uncoalesced. */
  change: MapChange;
  /** The copy is the map's present state: after the join and after each time it was stale. */
  synced: { generation: string; revision: number };
  /** The copy may be behind; it is kept, and brought up to date as soon as Redis can be heard. */
  stale: { cause: PonosError };
  /** Redis lost the map. With `onStateLoss: 'clear'` the copy follows what is there now. */
  lost: { generation: string; entryCount: number };
  /**
   * Redis lost the map, and one replica wrote back the last copy known (`onStateLoss: 'reassert'`): what the others and this one
   * show now. `self`: it was this replica.
   */
  reasserted: { lostGeneration: string; generation: string; entryCount: number; self: boolean };
  /** Somebody destroyed the map. */
  destroyed: { generation: string };
}

export interface WaitOptions {
  /** Default 10 s. */
  timeoutMs?: number | undefined;
  /** Generation the revision belongs to; default the one this replica shows. */
  generation?: string | undefined;
}

interface Waiter {
  revision: number;
  generation: string;
  resolve(): void;
  reject(error: PonosError): void;
}

const WAIT_MS = 10_000;

/**
 * A map of strings with a full copy in this process. Reads are local and synchronous, and may be behind by the time a change takes
 * to arrive; writes go to Redis, and every copy follows within milliseconds.
 */
export class ReplicatedMap extends MapWriter {
  readonly events = new Emitter<ReplicatedMapEvents>();
  readonly #sync: Synchronizer;
  readonly #replicaOptions: OptionValues<typeof replicaOptions>;
  readonly #watchers = new Set<Watcher>();
  readonly #waiters = new Set<Waiter>();
  #generation = '';
  #entryCount = 0;
  /** Code of the cause last told, while stale. */
  #staleCode: string | undefined;
  /** Why this replica ended, when it did not by `close`. */
  #failure: PonosError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(link: RedisLink, name: string, options: OptionValues<typeof replicaOptions>) {
    super(link, name, options);
    this.#replicaOptions = options;
    const { pollIntervalMs, onStateLoss } = options;
    const listener = {
      outcome: (outcome: ReplicaOutcome) => this.#outcome(outcome),
      synced: () => this.#onSynced(),
      stale: (cause: PonosError) => this.#onStale(cause),
    };
    this.#sync = new Synchronizer(link, name, { pollIntervalMs, reasserts: onStateLoss === 'reassert' }, listener);
  }

  /**
   * Joins a map: resolves with a full copy. A map that does not exist is empty, and begins with its first write.
   * @throws ArgumentError on a bad name, OptionError, WrongTypeError, RedisUnavailableError, RedisDeniedError, TimeoutError.
   */
  static async join(link: RedisLink, name: string, options: ReplicatedMapOptions = {}): Promise<ReplicatedMap> {
    const map = new ReplicatedMap(link, name, resolveOptions('ReplicatedMap', replicaOptions, options));
    try {
      await map.#start();
    } catch (error) {
      await map.close();
      throw error;
    }
    return map;
  }

  get(key: string): string | undefined {
    if (this.#failure) throw this.#failure;
    return this.#sync.replica.entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): IterableIterator<[string, string]> {
    return this.#entries.entries();
  }

  /** A copy without prototype: a key named `__proto__` is a key. */
  toObject(): Record<string, string> {
    const object: Record<string, string> = Object.create(null);
    for (const [key, value] of this.#entries) object[key] = value;
    return object;
  }

  /** Revision of the state shown. */
  get revision(): number {
    return this.#sync.replica.revision;
  }

  /** Changes when the map is destroyed and begun again, or lost by Redis. Empty: there is no map. */
  get generation(): string {
    return this.#sync.replica.generation;
  }

  /** Subscribed and up to date as far as is known. */
  get connected(): boolean {
    return this.#sync.synced;
  }

  /** Milliseconds since the copy was last known to be the map's present state. */
  get stalenessMs(): number {
    return this.link.clock.monotonicMs() - this.#sync.confirmedAtMs;
  }

  /**
   * Resolves when this replica shows `revision` or a later one: read your writes with the revision of the write.
   * @throws TimeoutError, ClosedError; ConflictError (GENERATION_CHANGED) when the map was lost or replaced meanwhile.
   */
  async waitFor(revision: number, options: WaitOptions = {}): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#closing) throw new ClosedError(`map "${this.name}"`);
    const generation = options.generation ?? this.generation;
    if (this.#reached(revision, generation)) return;
    const { clock } = this.link;
    const timeoutMs = options.timeoutMs ?? WAIT_MS;
    let timer: Timer | undefined;
    let waiter: Waiter | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { revision, generation, resolve, reject };
        this.#waiters.add(waiter);
        timer = clock.after(timeoutMs, () => {
          reject(new TimeoutError(`map "${this.name}" did not reach revision ${revision} within ${timeoutMs} ms`));
        });
      });
    } finally {
      timer?.cancel();
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  /** Sets, and waits until this replica shows it. */
  async setAndWait(key: string, value: string, options: { timeoutMs?: number } = {}): Promise<EntryWrite> {
    const write = await this.set(key, value);
    await this.waitFor(write.revision, { ...options, generation: write.generation });
    return write;
  }

  /**
   * The changes of this replica from now on, one consumer per call. A slow consumer gets them coalesced per key, and no delete
   * and no reset is dropped, or it is told so by a reset of cause `behind` (watcher.ts). Ends when `signal` aborts, when the
   * consumer leaves its loop, or when the map is closed.
   */
  watch(filter: WatchFilter = {}, signal?: AbortSignal): AsyncIterableIterator<MapChange, undefined> {
    if (this.#failure) throw this.#failure;
    const abort = () => watcher.end();
    const watcher = new Watcher(this.#sync.replica, filter, ended => {
      this.#watchers.delete(ended);
      signal?.removeEventListener('abort', abort);
    });
    this.#watchers.add(watcher);
    if (this.#closing || signal?.aborted) watcher.end();
    else signal?.addEventListener('abort', abort, { once: true });
    return watcher;
  }

  /** Leaves the map: watches end, waiting calls fail, writes under way finish. The copy can still be read. */
  close(): Promise<void> {
    this.#closing ??= this.#end(new ClosedError(`map "${this.name}"`), undefined);
    return this.#closing;
  }

  get #entries(): ReadonlyMap<string, string> {
    if (this.#failure) throw this.#failure;
    return this.#sync.replica.entries;
  }

  async #start(): Promise<void> {
    const { joinTimeoutMs } = this.#replicaOptions;
    const { clock } = this.link;
    const offs: (() => void)[] = [];
    let cause: PonosError | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = clock.after(joinTimeoutMs, () =>
          reject(new TimeoutError(`map "${this.name}" was not read within ${joinTimeoutMs} ms`, { cause })),
        );
        offs.push(() => timer.cancel());
        offs.push(this.events.on('synced', () => resolve()));
        offs.push(
          this.events.on('stale', event => {
            cause = event.cause;
            // An outage may pass; anything else is as true on the next attempt.
            if (cause.code !== 'REDIS_UNAVAILABLE' && cause.code !== 'TIMEOUT') reject(cause);
          }),
        );
        this.#sync.start().catch(reject);
      });
    } finally {
      for (const off of offs) off();
    }
  }

  #outcome(outcome: ReplicaOutcome): void {
    const previous = { generation: this.#generation, entryCount: this.#entryCount };
    const { generation, destroyed, entries } = this.#sync.replica;
    const otherGeneration = generation !== this.#generation;
    this.#generation = generation;
    this.#entryCount = entries.size;
    if (otherGeneration && !destroyed) this.noteGeneration(generation);
    if (outcome.lost) {
      this.events.emit('lost', previous);
      if (this.#replicaOptions.onStateLoss === 'error') {
        this.#fail(previous.entryCount);
        return;
      }
    }
    for (const change of outcome.changes) {
      for (const watcher of this.#watchers) watcher.offer(change);
      this.events.emit('change', change);
    }
    if (outcome.restorer !== undefined) {
      const self = outcome.restorer === this.#sync.id;
      this.events.emit('reasserted', {
        lostGeneration: previous.generation,
        generation,
        entryCount: entries.size,
        self,
      });
    }
    if (outcome.destroyed) this.events.emit('destroyed', { generation });
    if (this.#waiters.size > 0) this.#settleWaiters(otherGeneration);
  }

  #reached(revision: number, generation: string): boolean {
    return this.revision >= revision && (generation === '' || this.generation === generation);
  }

  #settleWaiters(otherGeneration: boolean): void {
    for (const waiter of this.#waiters) {
      if (this.#reached(waiter.revision, waiter.generation)) waiter.resolve();
      else if (otherGeneration && waiter.generation !== '' && waiter.generation !== this.generation) {
        waiter.reject(
          new ConflictError(`map "${this.name}" was lost or replaced before it reached revision ${waiter.revision}`, {
            code: 'GENERATION_CHANGED',
          }),
        );
      }
    }
  }

  #onSynced(): void {
    this.#staleCode = undefined;
    this.events.emit('synced', { generation: this.generation, revision: this.revision });
  }

  #onStale(cause: PonosError): void {
    if (this.#staleCode === cause.code) return;
    this.#staleCode = cause.code;
    this.events.emit('stale', { cause });
    // The link was closed under the map: nothing more can come. What closing finds is for whoever calls close().
    if (cause.code === 'CLOSED') this.close().catch(() => {});
  }

  #fail(entryCount: number): void {
    this.#failure = new UnsafeServerError('STATE_LOST', `Redis lost map "${this.name}" (${entryCount} entries)`, {
      hint: 'Join again to follow what is there now.',
    });
    this.#closing ??= this.#end(this.#failure, this.#failure);
    // Whoever calls close() gets this promise; a failure in it is theirs to see then.
    this.#closing.catch(() => {});
  }

  async #end(reason: PonosError, watchError: PonosError | undefined): Promise<void> {
    for (const watcher of [...this.#watchers]) watcher.end(watchError);
    for (const waiter of this.#waiters) waiter.reject(reason);
    await this.closeWrites();
    await this.#sync.close();
  }
}
