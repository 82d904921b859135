import { describe, expect, it } from 'vitest';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap, type ReplicatedMapOptions } from '../../../src/engine/maps/replicated-map.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';

describe('a map that Redis lost and replicas write back', () => {
  const redis = useRedis();
  const join = async (options: ReplicatedMapOptions = {}, link?: RedisLink) => {
    const map = await ReplicatedMap.join(link ?? (await redis.connect()), 'm', {
      pollIntervalMs: 100,
      onStateLoss: 'reassert',
      ...options,
    });
    redis.defer(() => map.close());
    return map;
  };
  const fill = async (count: number, text = 'v') => {
    const writer = await MapClient.open(await redis.connect(), 'm');
    let revision = 0;
    for (let from = 0; from < count; from += 1000) {
      const size = Math.min(1000, count - from);
      const part = Array.from({ length: size }, (_, i) => [`k${from + i}`, text] as [string, string]);
      ({ revision } = await writer.setMany(part));
    }
    return { writer, revision };
  };
  const told = (map: ReplicatedMap) => {
    const seen = { changes: [] as MapChange[], reasserted: [] as { self: boolean }[], lost: 0 };
    map.events.on('change', change => seen.changes.push(change));
    map.events.on('reasserted', event => seen.reasserted.push(event));
    map.events.on('lost', () => seen.lost++);
    return seen;
  };
  const truth = async (link: RedisLink) => {
    const client = await MapClient.open(link, 'm');
    return (await client.readAll()).entries;
  };

  it('is as it was, without a change shown, and one of them did it', async () => {
    const control = await redis.connect();
    const { writer, revision } = await fill(2500, 'x'.repeat(900));
    await writer.set('\u0000\n=é', '\u001b');
    const maps = await Promise.all([1, 2, 3, 4].map(() => join()));
    const seen = maps.map(told);
    const before = maps[0]!.toObject();
    expect(maps[0]!.revision).toBeGreaterThan(revision);
    await control.commands.call('FLUSHDB');
    await until(() => seen.every(({ reasserted }) => reasserted.length === 1), 'all to tell it');
    expect(seen.flatMap(({ reasserted }) => reasserted).filter(({ self }) => self)).toHaveLength(1);
    for (const [i, map] of maps.entries()) {
      expect(map.toObject()).toEqual(before);
      expect(seen[i]).toMatchObject({ changes: [], lost: 0 });
      expect(map.generation).toBe(maps[0]!.generation);
    }
    expect(Object.fromEntries(await truth(control))).toEqual(before);
    expect(await control.registry.list('maps')).toEqual(['m']);
    const { base, meta, data } = control.keys.map('m');
    expect((await control.commands.call('KEYS', `${base}*`)) as string[]).toHaveLength(2);
    expect(await control.commands.call('TTL', data)).toBe(-1);
    const bytes = Object.entries(before).reduce((sum, [key, value]) => sum + Buffer.byteLength(key + value), 0);
    expect(Number(await control.commands.call('HGET', meta, 'bytes'))).toBe(bytes);
    await maps[3]!.setAndWait('after', '1');
    expect(await writer.getFresh('after')).toBe('1');
  });

  it('keeps what was written since the loss, and tells it as a change', async () => {
    const control = await redis.connect();
    const { writer } = await fill(3);
    const maps = await Promise.all([1, 2, 3].map(() => join()));
    const seen = maps.map(told);
    await control.commands.call('FLUSHDB');
    await writer.set('k1', 'newer');
    await writer.set('k9', 'new');
    await until(() => seen.every(({ reasserted }) => reasserted.length > 0), 'all to tell it');
    const expected = { k0: 'v', k1: 'newer', k2: 'v', k9: 'new' };
    for (const [i, map] of maps.entries()) {
      expect(map.toObject()).toEqual(expected);
      expect(new Set(seen[i]!.changes.map(({ kind, key }) => `${kind} ${key}`))).toEqual(new Set(['set k1', 'set k9']));
    }
    expect(Object.fromEntries(await truth(control))).toEqual(expected);
  });

  it('writes back the newest copy, whoever comes first', async () => {
    const control = await redis.connect();
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const { writer } = await fill(3);
    const behind = await join({}, await redis.connect({ url: proxy.url, commandTimeoutMs: 500 }));
    const ahead = await join({ pollIntervalMs: 150 });
    proxy.filter = bytes => (bytes.includes('smessage') ? undefined : bytes);
    const stale = new Promise(resolve => behind.events.on('stale', resolve));
    const { revision } = await writer.set('k0', 'last');
    await ahead.waitFor(revision);
    expect(behind.get('k0')).toBe('v');
    await control.commands.call('FLUSHDB');
    await stale;
    await until(() => behind.get('k0') === 'last' && behind.connected, 'the one behind to follow');
    expect(await writer.getFresh('k0')).toBe('last');
  });

  it('is not written back when it was emptied or begun anew on purpose since', async () => {
    for (const since of ['reset', 'destroy', 'again'] as const) {
      const control = await redis.connect();
      const proxy = await TcpProxy.start(redis.server.port);
      redis.defer(() => proxy.stop());
      const { writer } = await fill(2);
      const map = await join({}, await redis.connect({ url: proxy.url }));
      const seen = told(map);
      proxy.mode = 'refuse';
      await control.commands.call('FLUSHDB');
      await writer.set('k0', 'x');
      if (since === 'reset') await writer.reset();
      else await writer.destroy();
      if (since === 'again') await (await MapClient.open(await redis.connect(), 'm')).set('fresh', '1');
      proxy.mode = 'pass';
      await until(() => seen.lost === 1, `the loss to be followed after ${since}`);
      expect(seen.reasserted).toEqual([]);
      expect(map.toObject()).toEqual(since === 'again' ? { fresh: '1' } : {});
      await map.close();
      await control.commands.call('FLUSHDB');
    }
  });

  it('is led by another when the one that leads is gone, and never seen in part', async () => {
    const control = await redis.connect();
    await fill(20_000);
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 300 });
    const leading = await join({ pollIntervalMs: 20 }, link);
    const other = await join({ pollIntervalMs: 5000 });
    const sizes = new Set<number>();
    other.events.on('change', () => sizes.add(other.size));
    const { stage, data } = control.keys.map('m');
    await control.commands.call('FLUSHDB');
    await until(async () => Number(await control.commands.call('HLEN', stage)) > 0, 'a part to be staged', {
      everyMs: 1,
    });
    proxy.mode = 'refuse';
    expect(Number(await control.commands.call('EXISTS', data))).toBe(0);
    await until(async () => Number(await control.commands.call('HLEN', data)) === 20_000, 'another to write it back');
    proxy.mode = 'pass';
    await until(
      () => leading.connected && other.connected && leading.generation === other.generation,
      'both to follow',
    );
    expect([leading.size, other.size]).toEqual([20_000, 20_000]);
    expect(sizes).toEqual(new Set());
  });

  it('keeps the deadline of a map that expires', async () => {
    const control = await redis.connect();
    const first = await join({ ttlMs: 60_000 });
    await first.setAndWait('a', '1');
    const deadline = await control.commands.call('HGET', control.keys.map('m').meta, 'expiresAtMs');
    const reasserted = first.events.once('reasserted');
    await control.commands.call('FLUSHDB');
    await reasserted;
    expect(String(await control.commands.call('HGET', control.keys.map('m').meta, 'expiresAtMs'))).toBe(
      String(deadline),
    );
    expect(Number(await control.commands.call('PTTL', control.keys.map('m').data))).toBeGreaterThan(40_000);
  });

  it('fails with a typed error where a key of its own has another type', async () => {
    const control = await redis.connect();
    await fill(2);
    const map = await join();
    const told = new Promise(resolve => {
      map.events.on('stale', ({ cause }) => cause.code === 'WRONG_TYPE' && resolve(cause));
    });
    await control.commands.call('FLUSHDB');
    await control.commands.call('SET', control.keys.map('m').stage, 'x');
    expect(await told).toMatchObject({ message: expect.stringContaining(':stage') });
    expect(map.toObject()).toEqual({ k0: 'v', k1: 'v' });
    await control.commands.call('DEL', control.keys.map('m').stage);
    await until(() => map.connected, 'it to be written back');
  });
});
