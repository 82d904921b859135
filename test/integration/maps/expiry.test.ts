import { describe, expect, it } from 'vitest';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap, type ReplicatedMapOptions } from '../../../src/engine/maps/replicated-map.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';

describe('a map that expires', () => {
  const redis = useRedis();
  const join = async (options: ReplicatedMapOptions = {}, access: 'read-write' | 'read-only' = 'read-write') => {
    const map = await ReplicatedMap.join(await redis.connect({ access }), 'm', options);
    redis.defer(() => map.close());
    return map;
  };

  it('empties every replica at the deadline with a reset that has a revision, and goes on', async () => {
    const replicas = await Promise.all([join({ ttlMs: 300 }), join(), join({}, 'read-only')]);
    const [first] = replicas;
    const start = performance.now();
    const { revision } = await first!.set('a', '1');
    await Promise.all(replicas.map(replica => replica.waitFor(revision)));
    const resets = replicas.map(replica => {
      const seen: MapChange[] = [];
      replica.events.on('change', change => seen.push(change));
      return seen;
    });
    await first!.set('b', '1');
    await until(() => replicas.every(replica => replica.size === 0), 'the map to expire', { limitMs: 2000 });
    expect(performance.now() - start).toBeGreaterThan(290);
    await until(() => replicas.every(replica => replica.revision === first!.revision), 'one revision');
    for (const seen of resets) {
      expect(seen.filter(change => change.kind === 'reset')).toMatchObject([{ kind: 'reset' }]);
      expect(seen.at(-1)!.revision).toBeGreaterThan(revision);
    }
    expect(resets[0]!.at(-1)).toMatchObject({ cause: 'expired' });
    await first!.setAndWait('c', '1');
    await until(() => replicas.every(replica => replica.get('c') === '1'), 'the write after it');
    expect(replicas.map(replica => replica.size)).toEqual([1, 1, 1]);
    await until(() => replicas.every(replica => replica.size === 0), 'it to expire again');
  });

  it('slides with each write when that is asked for', async () => {
    const map = await join({ ttlMs: 300, ttlMode: 'sliding' });
    const plain = await MapClient.open(await redis.connect(), 'm');
    const resets: MapChange[] = [];
    map.events.on('change', change => change.kind === 'reset' && resets.push(change));
    const start = performance.now();
    for (let i = 0; performance.now() - start < 700; i++) {
      await plain.set('a', String(i));
      await map.setAndWait('b', String(i));
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    expect(resets).toEqual([]);
    expect(map.size).toBe(2);
    await until(() => resets.length === 1, 'the map to expire');
    expect(map.size).toBe(0);
  });

  it('is empty for everybody at the deadline when no replica is alive', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'm', { ttlMs: 80 });
    const { generation, revision } = await map.set('a', '1');
    await until(async () => (await map.getFresh('a')) === undefined, 'the entry to go');
    expect((await map.readAll()).entries.size).toBe(0);
    const next = await map.set('b', '1');
    expect(next).toMatchObject({ generation, changed: true });
    expect(next.revision).toBeGreaterThan(revision + 1);
    expect((await map.readAll()).entries).toEqual(new Map([['b', '1']]));
  });

  it('empties a replica that cannot reach Redis at the deadline', async () => {
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 200 });
    const map = await ReplicatedMap.join(link, 'm', { ttlMs: 300 });
    redis.defer(() => map.close());
    await map.setAndWait('a', '1');
    proxy.mode = 'refuse';
    await until(() => map.size === 0, 'the copy to expire', { limitMs: 3000 });
    const writer = await MapClient.open(await redis.connect(), 'm');
    proxy.mode = 'pass';
    let count = 0;
    await until(async () => {
      await writer.set('b', String(++count));
      return map.has('b');
    }, 'the copy to come back');
    expect(map.size).toBe(1);
  });

  it('leaves no key behind for ever', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'm', { ttlMs: 60_000 });
    await map.set('a', '1');
    for (const key of (await link.commands.call('KEYS', `${redis.prefix}:{*`)) as Buffer[]) {
      expect(await link.commands.call('PTTL', key)).toBeGreaterThan(0);
    }
  });
});
