/**
 * A map as Redis keeps it, reduced to what a replica can see of it: entries, record, messages; and a channel that loses,
 * repeats and reorders. Snapshots are read in steps, with writes in between, as HSCAN does.
 */
import type { MapMessage } from '../../../src/engine/maps/message.ts';
import type { FetchedValues, MapSnapshot } from '../../../src/engine/maps/replica.ts';

export class TruthMap {
  entries = new Map<string, string>();
  generation = '';
  prior = '';
  destroyed = false;
  revision = 0;
  resetRevision = 0;
  /** Generation whose last copy was written back. */
  restored = '';
  #now = 0;
  #generations = 0;

  /** Messages in the order they were published. */
  readonly published: MapMessage[] = [];

  set(key: string, value: string, big: boolean): void {
    if (this.entries.get(key) === value) return;
    this.#begin();
    this.entries.set(key, value);
    this.#publish(big ? { kind: 'fetch', keys: [key] } : { kind: 'set', key, value });
  }

  setMany(entries: [string, string][], big: boolean): void {
    const changed = [...new Map(entries)].filter(([key, value]) => this.entries.get(key) !== value);
    if (changed.length === 0) return;
    this.#begin();
    for (const [key, value] of changed) this.entries.set(key, value);
    this.#publish(big ? { kind: 'fetch', keys: changed.map(([key]) => key) } : { kind: 'batch', entries: changed });
  }

  delete(key: string): void {
    if (!this.entries.has(key)) return;
    this.entries.delete(key);
    this.#publish({ kind: 'delete', key });
  }

  reset(): void {
    if (this.entries.size === 0) return;
    this.entries.clear();
    this.#publish({ kind: 'reset' });
    this.resetRevision = this.revision;
  }

  destroy(): void {
    if (this.generation === '' || this.destroyed) return;
    this.entries.clear();
    this.destroyed = true;
    this.#publish({ kind: 'destroyed' });
    this.resetRevision = this.revision;
  }

  /** Redis forgets everything; only its clock goes on. */
  flush(): void {
    this.entries.clear();
    this.generation = '';
    this.prior = '';
    this.destroyed = false;
    this.revision = 0;
    this.resetRevision = 0;
    this.restored = '';
  }

  /** Writes back what Redis lost, unless that was settled some way. */
  restore(lost: string, copied: number, entries: ReadonlyMap<string, string>): boolean {
    const settled = this.generation === lost || this.destroyed || this.resetRevision > 0;
    if (settled || this.restored !== '' || this.prior !== '') return false;
    this.entries = new Map([...entries, ...this.entries]);
    if (this.generation === '') this.generation = `g${++this.#generations}`;
    this.restored = lost;
    this.revision = Math.max(this.revision, copied) + 1;
    this.#publish({ kind: 'restored' });
    return true;
  }

  get record() {
    const { generation, prior, destroyed, revision, resetRevision, restored } = this;
    const resetCause = destroyed ? ('destroyed' as const) : ('reset' as const);
    return {
      generation,
      prior,
      destroyed,
      revision,
      resetRevision,
      resetCause,
      expired: false,
      restored,
      restorer: 'other',
    };
  }

  #begin(): void {
    if (this.generation !== '' && !this.destroyed) return;
    this.prior = this.generation;
    this.generation = `g${++this.#generations}`;
    this.destroyed = false;
    this.resetRevision = 0;
    this.restored = '';
  }

  #publish(
    change:
      | { kind: 'set'; key: string; value: string }
      | { kind: 'fetch'; keys: string[] }
      | { kind: 'delete'; key: string }
      | { kind: 'batch'; entries: [string, string][] }
      | { kind: 'reset' }
      | { kind: 'destroyed' }
      | { kind: 'restored' },
  ): void {
    const previous = this.revision;
    this.#now += 3;
    this.revision = Math.max(previous + 1, this.#now);
    this.published.push({ generation: this.generation, previous, revision: this.revision, expiresAtMs: 0, ...change });
  }
}

/** A snapshot read key by key while others write: each key present all along is returned, others perhaps. */
export class SlowScan {
  readonly #truth: TruthMap;
  readonly #first: TruthMap['record'];
  readonly #keys: string[];
  readonly #entries = new Map<string, string>();

  constructor(truth: TruthMap, keys: readonly string[]) {
    this.#truth = truth;
    this.#first = truth.record;
    this.#keys = [...keys];
  }

  step(count: number): void {
    for (const key of this.#keys.splice(0, count)) {
      const value = this.#truth.entries.get(key);
      if (value !== undefined) this.#entries.set(key, value);
    }
  }

  finish(): MapSnapshot {
    this.step(this.#keys.length);
    const last = this.#truth.record;
    const before = last.generation === this.#first.generation ? this.#first.revision : Number.POSITIVE_INFINITY;
    return { ...last, before, after: last.revision, expiresAtMs: 0, entries: this.#entries };
  }
}

export function readValues(truth: TruthMap, keys: readonly string[]): FetchedValues {
  return {
    generation: truth.generation,
    revision: truth.revision,
    values: new Map(keys.map(key => [key, truth.entries.get(key)])),
  };
}
