import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import { Watcher, type WatchFilter } from '../../../src/engine/maps/watcher.ts';

/** A map whose changes are offered to one watcher. */
class Source {
  readonly entries = new Map<string, string>();
  revision = 0;
  readonly watcher: Watcher;
  readonly offered: MapChange[] = [];

  constructor(filter: WatchFilter = {}, present: Record<string, string> = {}, exactCount?: number) {
    for (const [key, value] of Object.entries(present)) this.entries.set(key, value);
    this.watcher = new Watcher(this, filter, () => {}, exactCount);
  }

  set(key: string, value: string): void {
    const previous = this.entries.get(key);
    this.entries.set(key, value);
    this.#offer({ kind: 'set', key, value, previous, revision: ++this.revision });
  }

  delete(key: string): void {
    const previous = this.entries.get(key);
    if (this.entries.delete(key)) this.#offer({ kind: 'delete', key, previous, revision: ++this.revision });
  }

  reset(): void {
    this.entries.clear();
    this.#offer({ kind: 'reset', revision: ++this.revision, cause: 'reset' });
  }

  async rest(): Promise<MapChange[]> {
    this.watcher.end();
    const rest: MapChange[] = [];
    for await (const change of this.watcher) rest.push(change);
    return rest;
  }

  #offer(change: MapChange): void {
    this.offered.push(change);
    this.watcher.offer(change);
  }
}

describe('a watcher', () => {
  it('gives a consumer that keeps up every change', async () => {
    const source = new Source();
    const seen: string[] = [];
    const consumer = (async () => {
      for await (const change of source.watcher) seen.push(`${change.kind}:${change.value}`);
    })();
    for (const value of ['1', '2', '3']) {
      source.set('a', value);
      await Promise.resolve();
      await new Promise(setImmediate);
    }
    source.watcher.end();
    await consumer;
    expect(seen).toEqual(['set:1', 'set:2', 'set:3']);
  });

  it('gives a slow one the last value of each key, and what it saw before it', async () => {
    const source = new Source({}, { a: '0' });
    for (let i = 1; i <= 1000; i++) source.set('a', String(i));
    source.set('b', 'x');
    expect(source.watcher.waitingCount).toBe(2);
    expect(await source.rest()).toMatchObject([
      { kind: 'set', key: 'a', value: '1000', previous: '0' },
      { kind: 'set', key: 'b', value: 'x', previous: undefined },
    ]);
  });

  it('gives a burst whole', async () => {
    const source = new Source();
    for (let i = 0; i < 50; i++) source.set('a', String(i));
    source.reset();
    expect((await source.rest()).map(change => change.value)).toEqual(
      [...Array(50).keys()].map(String).concat([undefined as never]),
    );
  });

  it('never drops a delete or a reset', async () => {
    const source = new Source({}, { a: '0', b: '0' });
    source.delete('a');
    for (let i = 0; i < 200; i++) source.set('a', String(i));
    source.set('b', '1');
    source.reset();
    source.set('a', '2');
    expect(await source.rest()).toMatchObject([
      { kind: 'delete', key: 'a', previous: '0' },
      { kind: 'reset' },
      { kind: 'set', key: 'a', value: '2' },
    ]);
  });

  it('ends a slow consumer in the true state, in order of revision, with every last delete and reset', async () => {
    const action = fc.tuple(
      fc.constantFrom('set', 'set', 'set', 'set', 'delete', 'delete', 'reset', 'take'),
      fc.constantFrom('a', 'b', 'c'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60, size: 'max' }), fc.nat(5), async (actions, exact) => {
        const source = new Source({}, {}, exact);
        const seen: MapChange[] = [];
        for (const [kind, key] of actions) {
          if (kind === 'set') source.set(key, `${source.revision}`);
          else if (kind === 'delete') source.delete(key);
          else if (kind === 'reset') source.reset();
          else if (source.watcher.waitingCount > 0) seen.push((await source.watcher.next()).value as MapChange);
        }
        seen.push(...(await source.rest()));
        const state = new Map<string, string>();
        for (const { kind, key, value } of seen) {
          if (kind === 'reset') state.clear();
          else if (kind === 'delete') state.delete(key as string);
          else state.set(key as string, value as string);
        }
        expect(new Map([...state].sort())).toEqual(new Map([...source.entries].sort()));
        const revisions = seen.map(change => change.revision);
        expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
        const lasts = (changes: MapChange[]) =>
          new Set(
            [...new Map(changes.map(change => [`${change.kind}:${change.key}`, change]))]
              .filter(([name]) => !name.startsWith('set'))
              .map(([name, change]) => `${name}@${change.revision}`),
          );
        expect(lasts(seen)).toEqual(lasts(source.offered));
      }),
      { numRuns: 1000 },
    );
  });

  it('starts over with what is present rather than grow without end', async () => {
    const source = new Source({}, { kept: '1' });
    for (let i = 0; i < 50_000; i++) {
      source.set(`k${i}`, 'x');
      source.delete(`k${i}`);
    }
    expect(source.watcher.waitingCount).toBeLessThan(11_000);
    const changes = await source.rest();
    expect(changes[0]).toMatchObject({ kind: 'reset', cause: 'behind' });
    expect(changes.find(change => change.key === 'kept')).toMatchObject({ kind: 'set', value: '1' });
  });

  it('says that deletes are gone also to one that asked for nothing else', async () => {
    const source = new Source({ kinds: ['delete'] }, { kept: '1' });
    for (let i = 0; i < 20_000; i++) {
      source.set(`k${i}`, 'x');
      source.delete(`k${i}`);
    }
    expect(source.watcher.waitingCount).toBeLessThan(11_000);
    const changes = await source.rest();
    expect(changes[0]).toMatchObject({ kind: 'reset', cause: 'behind' });
    expect(changes.slice(1).every(({ kind }) => kind === 'delete')).toBe(true);
    const told = new Set(changes.map(({ key }) => key));
    const untold = Array.from({ length: 20_000 }, (_, i) => `k${i}`).filter(key => !told.has(key));
    // Each delete was told, or is older than the reset.
    expect(untold).toEqual(Array.from({ length: untold.length }, (_, i) => `k${i}`));
  });

  it('tells one that asked for sets alone of no reset, and drops only sets of keys that are gone', async () => {
    const source = new Source({ kinds: ['set'] }, { old: '1' });
    source.set('first', '1');
    for (let i = 0; i < 50_000; i++) {
      source.set(`k${i}`, 'x');
      source.delete(`k${i}`);
    }
    source.set('last', '1');
    expect(source.watcher.waitingCount).toBeLessThan(11_000);
    const changes = await source.rest();
    expect(changes.every(({ kind }) => kind === 'set')).toBe(true);
    expect(changes.filter(({ key }) => !key?.startsWith('k')).map(({ key }) => key)).toEqual(['first', 'last']);
  });

  it('passes only the key, the pattern and the kinds asked for; a reset concerns every key', async () => {
    const only = async (filter: WatchFilter) => {
      const source = new Source(filter, { 'a.1': '0' });
      source.set('a.1', '1');
      source.set('b.1', '1');
      source.delete('a.1');
      source.reset();
      return (await source.rest()).map(({ kind, key }) => `${kind} ${key ?? ''}`);
    };
    expect(await only({ key: 'b.1', kinds: ['set'] })).toEqual(['set b.1']);
    expect(await only({ glob: 'a.*' })).toEqual(['set a.1', 'delete a.1', 'reset ']);
    expect(await only({ kinds: ['delete'] })).toEqual(['delete a.1']);
    expect(() => new Source({ kinds: ['nonsense' as 'set'] })).toThrow(/no kind of change/);
  });

  it('gives the entries present first when asked to', async () => {
    const source = new Source({ current: true, glob: 'a*' }, { a1: '1', b1: '1' });
    source.set('a2', '2');
    expect((await source.rest()).map(change => change.key)).toEqual(['a1', 'a2']);
  });

  it('throws its reason after what was waiting', async () => {
    const source = new Source();
    source.set('a', '1');
    source.watcher.end(new Error('lost'));
    expect((await source.watcher.next()).value).toMatchObject({ key: 'a' });
    await expect(source.watcher.next()).rejects.toThrow('lost');
    expect(await source.watcher.next()).toEqual({ done: true, value: undefined });
  });
});
