import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import type { MapMessage } from '../../../src/engine/maps/message.ts';
import { Replica, type ReplicaOutcome } from '../../../src/engine/maps/replica.ts';
import { Watcher } from '../../../src/engine/maps/watcher.ts';
import { readValues, SlowScan, TruthMap } from './model.ts';

const KEYS = ['a', 'b', 'c', 'd', '__proto__', ''];

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('set'), key: fc.nat(5), value: fc.nat(9), big: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('many'), value: fc.nat(9), big: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('delete'), key: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reset') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('destroy') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('flush') }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('deliver'), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('drop') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('repeat') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('swap') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('disconnect') }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('scan'), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('fetch') }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('consume'), watcher: fc.nat(2) }) },
) as fc.Arbitrary<Step>;

interface Step {
  type: string;
  key?: number;
  value?: number;
  big?: boolean;
  count?: number;
  watcher?: number;
}

/** A replica with its channel and its readers; what a shell does with time and sockets, done step by step. */
class Bench {
  readonly truth = new TruthMap();
  readonly replica: Replica;
  readonly changes: MapChange[] = [];
  readonly watchers: { watcher: Watcher; seen: MapChange[] }[];
  /** Every state Redis was in, by generation and revision. */
  readonly history = new Map<string, Map<string, string>>();
  readonly #newest = new Map<string, number>();
  #valueCount = 0;
  #delivered = 0;
  #channel: MapMessage[] = [];
  #scan: SlowScan | undefined;
  #fetch: { ticket: number; keys: string[] } | undefined;
  #wantsScan = true;
  #wantsReassert = false;

  constructor(keepsLost: boolean) {
    this.replica = new Replica({ keepsLost });
    this.watchers = [0, 2, 100].map(exact => ({ watcher: new Watcher(this.replica, {}, () => {}, exact), seen: [] }));
    this.remember();
  }

  run(step: Step): void {
    const key = KEYS[step.key ?? 0] as string;
    // Some values come again, most are new, so that it can be told which of two is older.
    const value = (step.value ?? 0) < 3 ? `same${step.value}` : String(++this.#valueCount);
    if (step.type === 'set') this.truth.set(key, value, step.big ?? false);
    else if (step.type === 'many')
      this.truth.setMany(
        KEYS.slice(0, 3).map(each => [each, value]),
        step.big ?? false,
      );
    else if (step.type === 'delete') this.truth.delete(key);
    else if (step.type === 'reset') this.truth.reset();
    else if (step.type === 'destroy') this.truth.destroy();
    else if (step.type === 'flush') this.truth.flush();
    this.remember();
    this.#channel.push(...this.truth.published.slice(this.#delivered));
    this.#delivered = this.truth.published.length;
    if (step.type === 'deliver') for (let i = 0; i < (step.count ?? 1); i++) this.#deliver();
    else if (step.type === 'drop') this.#channel.shift();
    else if (step.type === 'repeat' && this.#channel[0]) this.#channel.splice(2, 0, this.#channel[0]);
    else if (step.type === 'swap') this.#channel.unshift(...this.#channel.splice(0, 2).reverse());
    else if (step.type === 'disconnect') {
      this.#channel = [];
      this.replica.disconnected();
      this.#wantsScan = true;
    } else if (step.type === 'scan') this.#scanStep(step.count ?? 1);
    else if (step.type === 'fetch') this.#answerFetch();
    else if (step.type === 'consume') void this.#consume(step.watcher ?? 0);
    this.check();
  }

  /** Quiet: messages arrive, what is asked for is answered, and the poll finds what nobody told. */
  async settle(): Promise<void> {
    for (let round = 0; round < 50; round++) {
      while (this.#channel.length > 0) this.#deliver();
      this.#answerFetch();
      if (this.#wantsScan || this.#scan) this.#scanStep(100);
      const { generation, revision } = this.replica;
      const same = generation === this.truth.generation && revision === this.truth.revision;
      if (this.replica.live && same && this.#channel.length === 0) break;
      if (!this.#fetch && !this.#wantsScan) this.#wantsScan = true;
    }
    for (const { watcher, seen } of this.watchers) {
      watcher.end();
      for await (const change of watcher) seen.push(change);
    }
  }

  remember(): void {
    const { generation, revision, entries } = this.truth;
    this.history.set(`${generation}@${revision}`, new Map(entries));
  }

  /** What is shown is a state Redis was in, but for fetched values, which may be newer. Always. */
  check(): void {
    const { generation, revision, entries } = this.replica;
    const then = this.history.get(`${generation}@${revision}`);
    expect(then).toBeDefined();
    for (const [key, value] of entries) {
      if (then?.get(key) !== value) expect(this.fetchedEver.has(`${key}=${value}`)).toBe(true);
    }
    for (const [key, value] of entries) {
      if (value.startsWith('same')) continue;
      expect(Number(value)).toBeGreaterThanOrEqual(this.#newest.get(key) ?? 0);
      this.#newest.set(key, Number(value));
    }
    for (const key of then?.keys() ?? []) if (!entries.has(key)) expect(this.fetchedEver.has(`${key}=`)).toBe(true);
  }

  readonly fetchedEver = new Set<string>();

  #deliver(): void {
    const message = this.#channel.shift();
    if (message) this.#absorb(this.replica.message(message));
  }

  #scanStep(count: number): void {
    if (!this.#scan) {
      if (this.#wantsReassert) this.#reassert();
      if (!this.#wantsScan) return;
      this.#wantsScan = false;
      this.replica.startScan();
      this.#scan = new SlowScan(this.truth, KEYS);
    }
    if (count < 4) this.#scan.step(count);
    else {
      const snapshot = this.#scan.finish();
      this.#scan = undefined;
      this.#absorb(this.replica.snapshot(snapshot));
    }
  }

  #reassert(): void {
    this.#wantsReassert = false;
    const { generation, revision, entries } = this.replica;
    if (!this.truth.restore(generation, revision, entries)) this.replica.forgo();
    // An entry deleted since the loss may come back.
    this.#newest.clear();
    this.remember();
    this.#wantsScan = true;
  }

  #answerFetch(): void {
    if (!this.#fetch) return;
    const { ticket, keys } = this.#fetch;
    this.#fetch = undefined;
    for (const key of keys) this.fetchedEver.add(`${key}=${this.truth.entries.get(key) ?? ''}`);
    this.#absorb(this.replica.fetched(ticket, readValues(this.truth, keys)));
  }

  async #consume(index: number): Promise<void> {
    const entry = this.watchers[index];
    if (!entry || entry.watcher.waitingCount === 0) return;
    const { value } = await entry.watcher.next();
    if (value) entry.seen.push(value);
  }

  #absorb(outcome: ReplicaOutcome): void {
    for (const change of outcome.changes) {
      this.changes.push(change);
      for (const { watcher } of this.watchers) watcher.offer(change);
    }
    if (outcome.request?.kind === 'fetch') this.#fetch = outcome.request;
    else if (outcome.request?.kind === 'reassert') this.#wantsReassert = this.#wantsScan = true;
    else if (outcome.request) this.#wantsScan = true;
  }
}

function fold(changes: readonly MapChange[]): Map<string, string> {
  const state = new Map<string, string>();
  for (const { kind, key, value } of changes) {
    if (kind === 'reset') state.clear();
    else if (kind === 'delete') state.delete(key as string);
    else state.set(key as string, value as string);
  }
  return state;
}

/** Revisions of the last delete of each key, and of the last reset. */
function lastOfEach(changes: readonly MapChange[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const { kind, key, revision } of changes) if (kind !== 'set') last.set(`${kind}:${key}`, revision);
  return new Map([...last].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const sorted = (entries: ReadonlyMap<string, string>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));

describe('a replica', () => {
  it('ends equal to the truth, and so does each of its watchers, whatever the channel does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), fc.boolean(), async (steps, keepsLost) => {
        const bench = new Bench(keepsLost);
        for (const each of steps) bench.run(each);
        await bench.settle();
        expect(bench.replica.live).toBe(true);
        expect(sorted(bench.replica.entries)).toEqual(sorted(bench.truth.entries));
        expect(sorted(fold(bench.changes))).toEqual(sorted(bench.truth.entries));
        for (const { seen } of bench.watchers) {
          expect(sorted(fold(seen))).toEqual(sorted(bench.truth.entries));
          expect(lastOfEach(seen)).toEqual(lastOfEach(bench.changes));
        }
      }),
      { numRuns: 1500 },
    );
  });

  const snapshot = (revision: number, entries: Record<string, string>, resetRevision = 0) => ({
    generation: 'g',
    prior: '',
    restored: '',
    restorer: '',
    destroyed: false,
    before: revision,
    after: revision,
    resetRevision,
    resetCause: 'reset' as const,
    expired: false,
    expiresAtMs: 0,
    entries: new Map(Object.entries(entries)),
  });
  const live = (revision: number, entries: Record<string, string>) => {
    const replica = new Replica();
    replica.startScan();
    replica.snapshot(snapshot(revision, entries));
    return replica;
  };

  it('tells a reset it missed, even when the same entries are there again', () => {
    const replica = live(5, { a: '1' });
    replica.startScan();
    expect(replica.snapshot(snapshot(9, { a: '1' }, 7)).changes).toMatchObject([
      { kind: 'reset', revision: 9, cause: 'reset' },
      { kind: 'set', key: 'a', value: '1' },
    ]);
  });

  it('tells the differences of a resync and nothing else', () => {
    const replica = live(5, { a: '1', b: '2', c: '3' });
    replica.startScan();
    expect(replica.snapshot(snapshot(9, { a: '1', b: '5', d: '4' })).changes).toMatchObject([
      { kind: 'delete', key: 'c', previous: '3', revision: 9 },
      { kind: 'set', key: 'b', value: '5', previous: '2' },
      { kind: 'set', key: 'd', value: '4', previous: undefined },
    ]);
  });

  it('keeps the old copy until a new one is whole', () => {
    const replica = live(5, { a: '1' });
    replica.startScan();
    replica.snapshot({ ...snapshot(9, { b: '2' }), before: 7 });
    expect([...replica.entries]).toEqual([['a', '1']]);
    const head = { generation: 'g', expiresAtMs: 0 };
    replica.message({ ...head, previous: 7, revision: 9, kind: 'set', key: 'c', value: '3' });
    expect([...replica.entries]).toEqual([
      ['b', '2'],
      ['c', '3'],
    ]);
    expect(replica.revision).toBe(9);
  });

  it('follows when Redis went back, as after a failover', () => {
    const replica = live(9, { a: '2' });
    replica.startScan();
    replica.snapshot(snapshot(5, { a: '1' }));
    expect([replica.revision, replica.entries.get('a')]).toEqual([5, '1']);
  });

  it('says that Redis lost the map, but not of a map replaced on purpose or empty', () => {
    const lost = live(5, { a: '1' });
    lost.startScan();
    expect(lost.snapshot({ ...snapshot(9, {}), generation: 'other' })).toMatchObject({
      lost: true,
      changes: [{ kind: 'reset', cause: 'lost' }],
    });
    const replaced = live(5, { a: '1' });
    replaced.startScan();
    expect(replaced.snapshot({ ...snapshot(9, {}), generation: 'other', prior: 'g' })).toMatchObject({
      lost: false,
      changes: [{ kind: 'reset', cause: 'replaced' }],
    });
    const empty = live(5, {});
    empty.startScan();
    expect(empty.snapshot({ ...snapshot(9, {}), generation: 'other' })).toMatchObject({ lost: false, changes: [] });
  });

  it('keeps what Redis lost until it is written back, and tells only what is different then', () => {
    const replica = new Replica({ keepsLost: true });
    replica.startScan();
    replica.snapshot(snapshot(5, { a: '1', b: '1' }));
    replica.startScan();
    const other = { ...snapshot(9, { c: '1' }), generation: 'other' };
    expect(replica.snapshot(other)).toEqual({ changes: [], request: { kind: 'reassert' } });
    expect([...replica.entries.keys()]).toEqual(['a', 'b']);
    replica.startScan();
    const back = { ...snapshot(12, { a: '1', b: '2', c: '1' }), generation: 'other', restored: 'g', restorer: 'x' };
    expect(replica.snapshot(back)).toMatchObject({
      lost: false,
      restorer: 'x',
      changes: [
        { kind: 'set', key: 'b', previous: '1' },
        { kind: 'set', key: 'c' },
      ],
    });
  });

  it('follows what is there when what was lost will not be written back', () => {
    const replica = new Replica({ keepsLost: true });
    replica.startScan();
    replica.snapshot(snapshot(5, { a: '1' }));
    replica.forgo();
    replica.startScan();
    const other = { ...snapshot(9, { c: '1' }), generation: 'other' };
    expect(replica.snapshot(other)).toMatchObject({
      lost: true,
      changes: [{ kind: 'reset' }, { kind: 'set', key: 'c' }],
    });
    replica.startScan();
    expect(replica.snapshot({ ...snapshot(12, {}), generation: 'third' }).request).toEqual({ kind: 'reassert' });
  });
});
