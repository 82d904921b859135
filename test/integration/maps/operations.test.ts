import { describe, expect, it } from 'vitest';
import { applyDifferences, diffEntries } from '../../../src/engine/admin/map-entries.ts';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import { MapClient, type MapClientOptions } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap } from '../../../src/engine/maps/replicated-map.ts';
import { dumpKeys } from '../../support/dump.ts';
import { useRedis } from '../../support/fixture.ts';

describe('the operations of a map', () => {
  const redis = useRedis();
  const open = async (options: MapClientOptions = {}) => MapClient.open(await redis.connect(), 'm', options);

  it('set tells the value before, and gives the same value again no revision', async () => {
    const map = await open();
    const first = await map.set('a', '1');
    expect(first).toMatchObject({ changed: true, previous: undefined });
    const second = await map.set('a', '2');
    expect(second).toMatchObject({ changed: true, previous: '1', generation: first.generation });
    expect(second.revision).toBeGreaterThan(first.revision);
    const third = await map.set('a', '2');
    expect(third).toMatchObject({ changed: false, previous: '2', revision: second.revision });
    expect(await map.getFresh('a')).toBe('2');
    expect(await map.getFresh('b')).toBeUndefined();
  });

  it('setMany is one change', async () => {
    const map = await open();
    await map.set('a', '1');
    const write = await map.setMany([
      ['a', '1'],
      ['b', ''],
      ['c', 'x'],
      ['c', '3'],
    ]);
    expect(write).toMatchObject({ changed: true, changedCount: 2 });
    expect(await map.readAll()).toMatchObject({
      revision: write.revision,
      entries: new Map([
        ['a', '1'],
        ['b', ''],
        ['c', '3'],
      ]),
    });
    expect(await map.setMany([['b', '']])).toMatchObject({ changed: false, revision: write.revision });
    const tooMany = Array.from({ length: 1001 }, (_, i) => [String(i), ''] as const);
    await expect(map.setMany(tooMany)).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' });
  });

  it('edit sets and deletes as one change, or changes nothing and says what was in the way', async () => {
    const map = await open();
    await map.setMany([
      ['a', '1'],
      ['b', ''],
      ['c', '3'],
    ]);
    const replica = await ReplicatedMap.join(await redis.connect(), 'm');
    redis.defer(() => replica.close());
    const seen: MapChange[] = [];
    replica.events.on('change', change => seen.push(change));
    const edits = [
      { key: 'a', before: '1', after: undefined },
      { key: 'b', before: '', after: '2' },
      { key: 'd', before: undefined, after: '' },
      { key: 'c', before: '3', after: '3' },
    ];
    const before = await map.readAll();
    const wrong = [...edits, { key: 'x', before: '1', after: '2' }, { key: 'c', before: undefined, after: '2' }];
    expect(await map.edit(wrong)).toMatchObject({ applied: false, changed: false, conflicts: ['c', 'x'] });
    expect(await map.readAll()).toEqual(before);
    const done = await map.edit(edits);
    expect(done).toMatchObject({ applied: true, changed: true, changedCount: 3, conflicts: [] });
    const after = new Map([
      ['b', '2'],
      ['c', '3'],
      ['d', ''],
    ]);
    expect(await map.readAll()).toMatchObject({ revision: done.revision, entries: after });
    await replica.waitFor(done.revision);
    expect(new Map(replica.entries())).toEqual(after);
    expect(new Set(seen.map(({ revision }) => revision))).toEqual(new Set([done.revision]));
    expect(new Set(seen.map(({ kind, key }) => `${kind} ${key}`))).toEqual(new Set(['delete a', 'set b', 'set d']));
    expect(await map.edit([{ key: 'b', before: '2', after: '2' }])).toMatchObject({ applied: true, changed: false });
    const clear = [...after].map(([key, value]) => ({ key, before: value, after: undefined }));
    expect(await map.edit(clear)).toMatchObject({ applied: true, changedCount: 3 });
    expect((await map.readAll()).entries.size).toBe(0);
  });

  it('edit refuses what is too much for one change, and keeps the limits of the map', async () => {
    const map = await open({ maxEntries: 2, maxBytes: 10 });
    await map.setMany([
      ['a', '1'],
      ['b', '1'],
    ]);
    const before = await map.readAll();
    const many = Array.from({ length: 1001 }, (_, n) => ({ key: `${n}`, before: undefined, after: '' }));
    await expect(map.edit(many)).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' });
    const long = Array.from({ length: 17 }, (_, n) => ({ key: `${n}`, before: 'x'.repeat(1024 ** 2), after: '' }));
    await expect(map.edit(long)).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' });
    const full = { code: 'MAP_FULL' };
    await expect(map.edit([{ key: 'c', before: undefined, after: '' }])).rejects.toMatchObject(full);
    await expect(map.edit([{ key: 'a', before: '1', after: '12345678' }])).rejects.toMatchObject(full);
    expect(await map.readAll()).toEqual(before);
    const swap = [
      { key: 'a', before: '1', after: undefined },
      { key: 'c', before: undefined, after: '1234567' },
    ];
    expect(await map.edit(swap)).toMatchObject({ applied: true });
  });

  it('makes the differences of an edited file all at once, whoever writes meanwhile', async () => {
    const [link, other] = [await redis.connect(), await open()];
    const outcomes = new Set<boolean>();
    for (let round = 0; round < 20; round++) {
      const before = new Map(Array.from({ length: 500 }, (_, n) => [`k${n}`, `${round}`]));
      await other.setMany(before);
      const after = new Map([...before].map(([key]) => [key, `${round} mine`]));
      // First and last one after the other, in between at once.
      if (round === 0) await other.set('k499', 'theirs');
      const applying = applyDifferences(link, 'm', diffEntries(before, after));
      if (round === 19) await applying;
      for (let wait = 0; wait < round / 2; wait++) await other.getFresh('k0');
      await other.set('k499', 'theirs');
      const { applied, conflicts } = await applying;
      const mine = [...(await other.readAll()).entries.values()].filter(value => value === `${round} mine`);
      expect(mine.length).toBe(applied.length === 0 ? 0 : 499);
      expect(conflicts.map(({ key }) => key)).toEqual(applied.length === 0 ? ['k499'] : []);
      outcomes.add(applied.length > 0);
    }
    expect(outcomes).toEqual(new Set([true, false]));
  });

  it('setIfAbsent lets the first win', async () => {
    const map = await open();
    const writes = await Promise.all(['1', '2', '3'].map(value => map.setIfAbsent('a', value)));
    expect(writes.map(write => write.applied)).toEqual([true, false, false]);
    expect(writes.map(write => write.current)).toEqual(['1', '1', '1']);
  });

  it('compareAndSet compares the value, the absence, or the revision of the map', async () => {
    const map = await open();
    expect(await map.compareAndSet('a', { value: undefined }, '1')).toMatchObject({ applied: true, current: '1' });
    expect(await map.compareAndSet('a', { value: undefined }, '2')).toMatchObject({ applied: false, current: '1' });
    expect(await map.compareAndSet('a', { value: '0' }, '2')).toMatchObject({ applied: false, current: '1' });
    const { applied, revision } = await map.compareAndSet('a', { value: '1' }, '2');
    expect(applied).toBe(true);
    expect(await map.compareAndSet('a', { revision: revision - 1 }, '3')).toMatchObject({ applied: false });
    expect(await map.compareAndSet('b', { revision }, '3')).toMatchObject({ applied: true });
    expect(await map.compareAndSet('b', { revision: 0 }, '4')).toMatchObject({ applied: false, current: '3' });
  });

  it('increment is exact over the whole of 64 bits and refuses what is no integer', async () => {
    const map = await open();
    expect(await map.increment('n')).toMatchObject({ value: 1n, changed: true });
    await map.set('n', '9007199254740993');
    expect((await map.increment('n', 2)).value).toBe(9007199254740995n);
    expect((await map.increment('n', -9007199254740996n)).value).toBe(-1n);
    await map.set('n', String(2n ** 63n - 1n));
    await expect(map.increment('n')).rejects.toMatchObject({ code: 'OVERFLOW' });
    expect(await map.getFresh('n')).toBe(String(2n ** 63n - 1n));
    expect((await map.increment('m', -(2n ** 63n))).value).toBe(-(2n ** 63n));
    for (const value of ['', '1.5', 'x', '1 ', '01', '99999999999999999999']) {
      await map.set('n', value);
      await expect(map.increment('n')).rejects.toMatchObject({ code: 'NOT_INTEGER' });
      expect(await map.getFresh('n')).toBe(value);
    }
    await expect(map.increment('n', 1.5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(map.increment('n', 2n ** 63n)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('append, appendUnique and remove keep a list as a JSON array of strings', async () => {
    const map = await open();
    expect(await map.append('l', 'a', 'b/"\\', 'a')).toMatchObject({ items: ['a', 'b/"\\', 'a'], changed: true });
    expect(await map.getFresh('l')).toBe(JSON.stringify(['a', 'b/"\\', 'a']));
    expect((await map.appendUnique('l', 'a', '😀', '😀')).items).toEqual(['a', 'b/"\\', 'a', '😀']);
    const { revision } = await map.append('l', '\0\n');
    expect(await map.appendUnique('l', 'a')).toMatchObject({ changed: false, revision });
    expect((await map.remove('l', 'a')).items).toEqual(['b/"\\', '😀', '\0\n']);
    expect(await map.remove('l', 'zz')).toMatchObject({ changed: false });
    expect(await map.remove('l', 'b/"\\', '😀', '\0\n')).toMatchObject({ items: [], changed: true });
    expect(await map.getFresh('l')).toBeUndefined();
    expect(await map.remove('l', 'x')).toMatchObject({ items: [], changed: false });
    for (const value of ['', 'x', '{"1":"a"}', '[1]', '["a",null]', '[["a"]]', '["a"', '"a"']) {
      await map.set('l', value);
      await expect(map.append('l', 'x')).rejects.toMatchObject({ code: 'NOT_LIST' });
      expect(await map.getFresh('l')).toBe(value);
    }
    await map.set('l', '[]');
    expect((await map.append('l', 'x')).items).toEqual(['x']);
  });

  it('delete and compareAndDelete tell what was there', async () => {
    const map = await open();
    await map.set('a', '1');
    expect(await map.compareAndDelete('a', '2')).toMatchObject({ applied: false, current: '1' });
    expect(await map.compareAndDelete('a', '1')).toMatchObject({ applied: true, current: undefined });
    const { revision } = await map.set('a', '2');
    const gone = await map.delete('a');
    expect(gone).toMatchObject({ changed: true, previous: '2' });
    expect(gone.revision).toBeGreaterThan(revision);
    expect(await map.delete('a')).toMatchObject({ changed: false, previous: undefined, revision: gone.revision });
  });

  it('reset empties, and compareAndReset only at the revision it knows', async () => {
    const map = await open();
    const { revision } = await map.set('a', '1');
    expect(await map.compareAndReset(revision - 1)).toMatchObject({ applied: false, changed: false });
    expect(await map.compareAndReset(revision)).toMatchObject({ applied: true, changed: true });
    expect(await map.reset()).toMatchObject({ changed: false });
    expect((await map.readAll()).entries.size).toBe(0);
  });

  it('destroy refuses those who knew the map, and lets a newcomer begin another', async () => {
    const map = await open();
    const other = await open();
    const { generation } = await map.set('a', '1');
    await other.set('b', '1');
    expect(await map.destroy()).toMatchObject({ changed: true });
    await expect(other.set('b', '2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await other.getFresh('a')).toBeUndefined();
    const newcomer = await open();
    expect(await newcomer.destroy()).toMatchObject({ changed: false });
    const begun = await (await open()).set('c', '1');
    expect(begun.generation).not.toBe(generation);
    expect((await newcomer.readAll()).entries).toEqual(new Map([['c', '1']]));
  });

  it('lets a newcomer begin another also after it found nothing to delete', async () => {
    const map = await open();
    await map.set('a', '1');
    await map.destroy();
    const newcomer = await open();
    expect(await newcomer.delete('a')).toMatchObject({ changed: false, generation: '' });
    expect(await newcomer.compareAndSet('a', { value: '1' }, '2')).toMatchObject({ applied: false });
    await expect(map.set('a', '3')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await newcomer.set('a', '2')).toMatchObject({ changed: true });
  });

  it('leaves revisions growing over a flush', async () => {
    const map = await open();
    const { revision } = await map.set('a', '1');
    await (await redis.connect()).commands.call('FLUSHDB');
    expect((await map.set('a', '1')).revision).toBeGreaterThan(revision);
  });
});

describe('the limits of a map', () => {
  const redis = useRedis();
  const open = async (options: MapClientOptions) => MapClient.open(await redis.connect(), 'm', options);
  const dump = async () => {
    const link = await redis.connect();
    const keys = link.keys.map('m');
    return [await link.commands.call('HGETALL', keys.data), await link.commands.call('HGETALL', keys.meta)];
  };

  it('refuses a key or value over its size, before anything is sent', async () => {
    const map = await open({ maxValueBytes: 10 });
    await map.set('k'.repeat(1024), 'v'.repeat(10));
    const before = await dump();
    await expect(map.set('k'.repeat(1025), 'v')).rejects.toMatchObject({ code: 'KEY_TOO_LARGE' });
    await expect(map.set('é'.repeat(513), 'v')).rejects.toMatchObject({ code: 'KEY_TOO_LARGE' });
    await expect(map.set('k', 'v'.repeat(11))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
    await expect(
      map.setMany([
        ['a', '1'],
        ['k', 'v'.repeat(11)],
      ]),
    ).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
    await expect(map.set(1 as unknown as string, 'v')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await dump()).toEqual(before);
  });

  it('refuses a list that outgrows a value', async () => {
    const map = await open({ maxValueBytes: 10 });
    await map.append('l', '1234');
    await expect(map.append('l', '5678')).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
    expect(await map.getFresh('l')).toBe('["1234"]');
  });

  it('takes exactly as many entries as allowed', async () => {
    const map = await open({ maxEntries: 3 });
    await map.set('a', '1');
    await map.set('b', '1');
    await expect(
      map.setMany([
        ['c', '1'],
        ['d', '1'],
      ]),
    ).rejects.toMatchObject({ code: 'MAP_FULL' });
    await map.set('c', '1');
    const before = await dump();
    await expect(map.set('d', '1')).rejects.toMatchObject({ code: 'MAP_FULL' });
    await expect(map.increment('d')).rejects.toMatchObject({ code: 'MAP_FULL' });
    await expect(map.append('d', 'x')).rejects.toMatchObject({ code: 'MAP_FULL' });
    expect(await dump()).toEqual(before);
    await map.set('c', '22');
    await map.delete('a');
    await map.set('d', '1');
  });

  it('takes exactly as many bytes as allowed, and counts them through every operation', async () => {
    const map = await open({ maxBytes: 30 });
    await map.set('a', '123456789');
    await map.set('b', '123456789');
    await map.increment('c', 12345678);
    await map.set('d', '');
    await expect(map.set('e', '')).rejects.toMatchObject({ code: 'MAP_FULL' });
    await expect(map.increment('c', 90_000_000)).rejects.toMatchObject({ code: 'MAP_FULL' });
    await expect(map.set('a', '1234567890')).rejects.toMatchObject({ code: 'MAP_FULL' });
    expect(await map.getFresh('c')).toBe('12345678');
    await map.set('a', '1');
    await map.append('f', 'x');
    await map.remove('f', 'x');
    await map.appendUnique('g', 'y');
    await map.setMany([
      ['a', '22'],
      ['b', ''],
    ]);
    await map.delete('d');
    const { entries } = await map.readAll();
    let bytes = 0;
    for (const [key, value] of entries) bytes += key.length + value.length;
    const link = await redis.connect();
    expect(String(await link.commands.call('HGET', link.keys.map('m').meta, 'bytes'))).toBe(String(bytes));
  });

  it('passes when 50 clients race for the last places', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => open({ maxEntries: 20 })));
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => clients[i % 10]!.set(`k${i}`, 'x')));
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(20);
    expect((await clients[0]!.readAll()).entries.size).toBe(20);
  });
});

describe('keys of other types under a map', () => {
  const redis = useRedis();

  it('fails every operation with a typed error that names the key, and writes nothing', async () => {
    const link = await redis.connect();
    const keys = link.keys.map('m');
    for (const broken of ['data', 'meta', 'ops'] as const) {
      await link.commands.call('FLUSHDB');
      const map = await MapClient.open(link, 'm');
      await map.set('a', '1');
      const name = keys[broken];
      await link.commands.call('DEL', name);
      await link.commands.call('SET', name, 'precious');
      const before = await dumpKeys(link, '');
      const expected = { code: 'WRONG_TYPE', message: expect.stringContaining(name) };
      await expect(map.set('a', '2')).rejects.toMatchObject(expected);
      await expect(map.setMany([['a', '2']])).rejects.toMatchObject(expected);
      await expect(map.increment('n')).rejects.toMatchObject(expected);
      await expect(map.append('l', 'x')).rejects.toMatchObject(expected);
      await expect(map.delete('a')).rejects.toMatchObject(expected);
      await expect(map.reset()).rejects.toMatchObject(expected);
      await expect(map.destroy()).rejects.toMatchObject(expected);
      if (broken !== 'ops') await expect(map.readAll()).rejects.toMatchObject(expected);
      if (broken === 'data') await expect(map.getFresh('a')).rejects.toMatchObject(expected);
      expect(await dumpKeys(link, '')).toEqual(before);
    }
  });
});
