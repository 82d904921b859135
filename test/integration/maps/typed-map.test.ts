import { describe, expect, it } from 'vitest';
import { ReplicatedMap } from '../../../src/engine/maps/replicated-map.ts';
import { type StandardSchema, type TypedChange, typedMap } from '../../../src/engine/maps/typed-map.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';

interface Settings {
  intervalMs: number;
}

const settingsSchema: StandardSchema<Settings> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: value =>
      typeof (value as Settings | null)?.intervalMs === 'number'
        ? { value: value as Settings }
        : { issues: [{ message: 'intervalMs must be a number', path: ['intervalMs'] }] },
  },
};

describe('a typed view of a map', () => {
  const redis = useRedis();
  const join = async () => {
    const map = await ReplicatedMap.join(await redis.connect(), 'm');
    redis.defer(() => map.close());
    return map;
  };

  it('holds values as JSON unless told otherwise', async () => {
    const map = await join();
    const typed = typedMap<{ n: number; list: string[] }>(map);
    await typed.setAndWait('a', { n: 1, list: ['x'] });
    expect(map.get('a')).toBe('{"n":1,"list":["x"]}');
    expect(typed.get('a')).toEqual({ n: 1, list: ['x'] });
    expect(typed.get('b')).toBeUndefined();
    expect(await typed.getFresh('a')).toEqual(typed.get('a'));
    expect(await typed.set('a', { n: 2, list: [] })).toMatchObject({ previous: { n: 1 }, changed: true });
    expect(await typed.setIfAbsent('a', { n: 3, list: [] })).toMatchObject({ applied: false, current: { n: 2 } });
    const swapped = await typed.compareAndSet('a', { value: { n: 2, list: [] } }, { n: 4, list: [] });
    expect(swapped).toMatchObject({ applied: true, current: { n: 4 } });
    await map.waitFor(swapped.revision);
    expect([...typed.entries()]).toEqual([['a', { n: 4, list: [] }]]);
  });

  it('takes a codec', async () => {
    const map = await join();
    const dates = typedMap<Date>(map, {
      codec: { encode: date => date.toISOString(), decode: text => new Date(text) },
    });
    await dates.setAndWait('now', new Date(0));
    expect(map.get('now')).toBe('1970-01-01T00:00:00.000Z');
    expect(dates.get('now')).toEqual(new Date(0));
  });

  it('refuses what the schema refuses, written or read, and names the entry', async () => {
    const map = await join();
    const typed = typedMap(map, { schema: settingsSchema });
    const refused = { code: 'INVALID_VALUE', message: expect.stringContaining('"a"') };
    await expect(typed.set('a', { intervalMs: 'x' } as unknown as Settings)).rejects.toMatchObject(refused);
    expect(await map.getFresh('a')).toBeUndefined();
    for (const text of ['{"intervalMs":"x"}', 'no json', 'null']) {
      await map.setAndWait('a', text);
      expect(() => typed.get('a')).toThrow(expect.objectContaining(refused));
    }
    expect(await typed.set('a', { intervalMs: 5 })).toMatchObject({ previous: undefined, changed: true });
    await expect(typed.set('u', undefined as unknown as Settings)).rejects.toMatchObject({ code: 'INVALID_VALUE' });
  });

  it('goes on watching past an entry that is not valid', async () => {
    const map = await join();
    // The first write begins the map, and is learned by a snapshot: what is written meanwhile may be in it already.
    await map.setAndWait('begun', '{"intervalMs":1}');
    const typed = typedMap(map, { schema: settingsSchema });
    const seen: TypedChange<Settings>[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const change of typed.watch({}, stop.signal)) seen.push(change);
    })();
    await map.set('a', 'no json');
    await typed.set('a', { intervalMs: 5 });
    await map.delete('a');
    await until(() => seen.length === 3, 'three changes');
    stop.abort();
    await watching;
    expect(seen).toMatchObject([
      { kind: 'set', key: 'a', error: { code: 'INVALID_VALUE' } },
      { kind: 'set', key: 'a', value: { intervalMs: 5 }, previous: undefined },
      { kind: 'delete', key: 'a', previous: { intervalMs: 5 } },
    ]);
  });
});
