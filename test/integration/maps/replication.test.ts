import { describe, expect, it } from 'vitest';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap, type ReplicatedMapOptions } from '../../../src/engine/maps/replicated-map.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';

/** Any byte, and every name that has a meaning somewhere. */
const HOSTILE = [
  'a=b',
  '__proto__',
  'constructor',
  'toString',
  '',
  ' ',
  '😀',
  '\n\r\t',
  '\0',
  '\u202Eevil',
  '\x1b]52;c;\x07',
  '{x}*?[a]\\',
  '\uDC80\uDCFE\uDCFF',
  'é'.repeat(512),
];

describe('a replicated map', () => {
  const redis = useRedis();
  const join = async (options: ReplicatedMapOptions = {}, name = 'm') => {
    const map = await ReplicatedMap.join(await redis.connect(), name, options);
    redis.defer(() => map.close());
    return map;
  };

  it('is a full copy after the join, and follows every change', async () => {
    const writer = await MapClient.open(await redis.connect(), 'm');
    await writer.set('a', '1');
    const [one, two] = [await join(), await join()];
    expect(one.toObject()).toEqual({ a: '1' });
    expect(one.connected).toBe(true);
    const { revision } = await one.set('b', '2');
    await two.waitFor(revision);
    expect([...two.keys()].sort()).toEqual(['a', 'b']);
    expect(two.size).toBe(2);
    expect(two.has('b')).toBe(true);
    expect(two.get('missing')).toBeUndefined();
    await two.waitFor((await writer.delete('a')).revision);
    expect([...two.entries()]).toEqual([['b', '2']]);
    expect(two.stalenessMs).toBeLessThan(1000);
    expect(two.generation).toBe(one.generation);
  });

  it('reads its own write after setAndWait', async () => {
    const map = await join();
    for (let i = 0; i < 50; i++) {
      await map.setAndWait('a', String(i));
      expect(map.get('a')).toBe(String(i));
    }
  });

  it('carries any key and any value as they are, to another process and a watcher', async () => {
    const [one, two] = [await join(), await join()];
    const seen = new Map<string | undefined, string | undefined>();
    const stop = new AbortController();
    const watching = (async () => {
      for await (const change of two.watch({ kinds: ['set'] }, stop.signal)) seen.set(change.key, change.value);
    })();
    for (const key of HOSTILE) await one.set(key, `value of ${key}`);
    const { revision } = await one.setMany(
      HOSTILE.map(key => [`many ${key}`, key]).filter(([key]) => key!.length < 500) as [string, string][],
    );
    await two.waitFor(revision);
    for (const key of HOSTILE) {
      expect(two.get(key)).toBe(`value of ${key}`);
      expect(await one.getFresh(key)).toBe(`value of ${key}`);
    }
    const copy = two.toObject();
    expect(Object.keys(copy).sort()).toEqual([...two.keys()].sort());
    expect(Object.entries(copy).find(([key]) => key === '__proto__')?.[1]).toBe('value of __proto__');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    await until(() => seen.size === two.size, 'the watcher to see all');
    for (const [key, value] of seen) expect(two.get(key as string)).toBe(value);
    stop.abort();
    await watching;
    expect((await join()).toObject()).toEqual(copy);
    for (const key of HOSTILE) await one.delete(key);
    await two.waitFor((await one.set('end', '')).revision);
    expect(two.has('__proto__')).toBe(false);
  });

  it('shows setMany all at once', async () => {
    const [one, two] = [await join(), await join()];
    await one.setAndWait('a', '0');
    const torn: string[] = [];
    two.events.on('change', () => {
      const values = new Set(['a', 'b', 'c'].map(key => two.get(key)));
      if (values.size > 1 && two.has('c')) torn.push([...values].join());
    });
    let last = 0;
    for (let i = 1; i <= 100; i++) {
      const value = i % 10 === 0 ? `${i}`.padEnd(40_000, '.') : String(i);
      last = (await one.setMany(['a', 'b', 'c'].map(key => [key, value] as const))).revision;
    }
    await Promise.all([one.waitFor(last), two.waitFor(last)]);
    expect(torn).toEqual([]);
    expect(two.get('c')).toBe(one.get('c'));
  });

  it('fetches values too big for a message', async () => {
    const [one, two] = [await join(), await join()];
    const big = 'x'.repeat(1024 ** 2);
    const writes: Promise<{ revision: number }>[] = [];
    for (let i = 0; i < 20; i++) {
      writes.push(one.set('big', `${i}${big}`.slice(0, 1024 ** 2)));
      writes.push(one.set('small', String(i)));
    }
    const revisions = (await Promise.all(writes)).map(write => write.revision);
    await two.waitFor(Math.max(...revisions));
    expect(two.get('big')).toBe(`19${big}`.slice(0, 1024 ** 2));
    expect(two.get('small')).toBe('19');
    await expect(one.set('big', `${big}x`)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  });

  it('reads a big map in chunks while others write, and never shows a part', async () => {
    const writer = await MapClient.open(await redis.connect(), 'm');
    for (let part = 0; part < 20; part++) {
      await writer.setMany(Array.from({ length: 1000 }, (_, i) => [`k${part * 1000 + i}`, 'v0'] as const));
    }
    let writing = true;
    let writes = 0;
    const load = (async () => {
      while (writing) {
        await writer.set(`k${writes % 20_000}`, `v${++writes}`);
      }
    })();
    const maps = await Promise.all([join(), join(), join()]);
    for (const map of maps) expect(map.size).toBe(20_000);
    writing = false;
    await load;
    const { revision, entries } = await writer.readAll();
    for (const map of maps) {
      await map.waitFor(revision);
      expect(new Map(map.entries())).toEqual(entries);
    }
    expect(writes).toBeGreaterThan(0);
  });

  it('tells watchers what changed, from what, and ends them when it is closed', async () => {
    const map = await join();
    await map.setAndWait('a', '1');
    const changes: MapChange[] = [];
    const watching = (async () => {
      for await (const change of map.watch({ current: true })) changes.push(change);
    })();
    const set = await map.set('a', '2');
    const deleted = await map.delete('a');
    await map.set('b', '1');
    const reset = await map.reset();
    await map.waitFor(reset.revision);
    await until(() => changes.length === 5, 'five changes');
    await map.close();
    await watching;
    expect(changes).toMatchObject([
      { kind: 'set', key: 'a', value: '1' },
      { kind: 'set', key: 'a', value: '2', previous: '1', revision: set.revision },
      { kind: 'delete', key: 'a', previous: '2', revision: deleted.revision },
      { kind: 'set', key: 'b', value: '1' },
      { kind: 'reset', cause: 'reset', revision: reset.revision },
    ]);
    await expect(map.watch().next()).resolves.toMatchObject({ done: true });
    await expect(map.set('a', '1')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(map.waitFor(1e15)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('ends when its link is closed under it', async () => {
    const link = await redis.connect();
    const map = await ReplicatedMap.join(link, 'm', { pollIntervalMs: 50 });
    const watching = map.watch().next();
    await link.close();
    expect(await watching).toMatchObject({ done: true });
    await expect(map.set('a', '1')).rejects.toMatchObject({ code: 'CLOSED' });
    await map.close();
  });

  it('lets a watcher go by signal', async () => {
    const map = await join();
    const stop = new AbortController();
    const watcher = map.watch({}, stop.signal);
    const pending = watcher.next();
    stop.abort();
    expect(await pending).toMatchObject({ done: true });
    expect(await map.watch({}, stop.signal).next()).toMatchObject({ done: true });
  });

  it('gives up waiting for a revision that never comes', async () => {
    const map = await join();
    await expect(map.waitFor(9e15, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('follows a map that is destroyed and begun again by others, and cannot bring it back itself', async () => {
    const [one, two] = [await join(), await join()];
    await one.setAndWait('a', '1');
    await two.waitFor(one.revision);
    const changes: MapChange[] = [];
    two.events.on('change', change => changes.push(change));
    const told = two.events.once('destroyed');
    await one.destroy();
    await told;
    expect(two.size).toBe(0);
    expect(changes).toMatchObject([{ kind: 'reset', cause: 'destroyed' }]);
    await expect(two.set('a', '2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const late = await join();
    expect(late.size).toBe(0);
    await late.setAndWait('b', '1');
    await until(() => two.get('b') === '1', 'the new map to arrive');
    await two.setAndWait('c', '1');
    expect(late.generation).toBe(two.generation);
  });

  it('works on a read-only link, but for writes', async () => {
    const writer = await MapClient.open(await redis.connect(), 'm');
    await writer.set('a', '1');
    const link = await redis.connect({ access: 'read-only' });
    const map = await ReplicatedMap.join(link, 'm', { pollIntervalMs: 50 });
    redis.defer(() => map.close());
    expect(map.get('a')).toBe('1');
    await map.waitFor((await writer.set('b', 'x'.repeat(100_000))).revision);
    expect(map.get('b')).toHaveLength(100_000);
    await expect(map.set('a', '2')).rejects.toMatchObject({ code: 'READ_ONLY' });
  });

  it('refuses bad names and options', async () => {
    const link = await redis.connect();
    await expect(ReplicatedMap.join(link, 'a b')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(ReplicatedMap.join(link, 'm', { pollIntervalMs: 1 })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
    await expect(ReplicatedMap.join(link, 'm', { nope: 1 } as object)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
    await expect(MapClient.open(link, '')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
