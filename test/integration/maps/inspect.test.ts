import { describe, expect, it } from 'vitest';
import { destroyMap, resetMap } from '../../../src/engine/admin/maps.ts';
import { listMapEntries, listMaps, showMap } from '../../../src/engine/inspect/maps.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap } from '../../../src/engine/maps/replicated-map.ts';
import { useRedis } from '../../support/fixture.ts';

describe('what an observer sees of maps', () => {
  const redis = useRedis();

  it('lists the maps that exist, with their size and their replicas', async () => {
    const link = await redis.connect();
    const observer = await redis.connect({ access: 'read-only' });
    expect(await listMaps(observer)).toEqual([]);
    const map = await ReplicatedMap.join(link, 'b');
    redis.defer(() => map.close());
    expect(await listMaps(observer)).toEqual([]);
    const { revision, generation } = await map.setMany([
      ['key', 'value'],
      ['é', ''],
    ]);
    await (await MapClient.open(link, 'a', { ttlMs: 60_000 })).set('x', '1');
    const maps = await listMaps(observer);
    expect(maps).toMatchObject([
      { name: 'a', keyCount: 1, sizeBytes: 2, replicaCount: 0 },
      { name: 'b', keyCount: 2, sizeBytes: 10, replicaCount: 1, revision, generation, expiresAtMs: null },
    ]);
    expect(maps[0]!.expiresAtMs).toBeGreaterThan(Date.now());
    expect(await showMap(observer, 'b')).toEqual(maps[1]);
  });

  it('shows entries of any bytes, sorted, long values cut, as many as asked for', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'm');
    await map.setMany([
      ['b', '\uDCFF'],
      ['a', '😀'.repeat(3000)],
      ['😀', ''],
    ]);
    const entries = await listMapEntries(link, 'm');
    expect(entries.map(entry => entry.key)).toEqual(['a', 'b', '😀']);
    expect(entries[0]!.value).toEqual({ encoding: 'utf8', data: '😀'.repeat(2048), sizeBytes: 12_000 });
    expect(entries[1]!.value).toEqual({ encoding: 'base64', data: '/w==', sizeBytes: 1 });
    expect(await listMapEntries(link, 'm', { glob: '?', limit: 2 })).toHaveLength(2);
    expect((await listMapEntries(link, 'm', { glob: '[ab]' })).map(entry => entry.key)).toEqual(['a', 'b']);
    for (let i = 0; i < 3; i++) {
      await map.setMany(Array.from({ length: 500 }, (_, k) => [`k${i}.${k}`, 'x'] as const));
    }
    expect(await listMapEntries(link, 'm', { limit: 700 })).toHaveLength(700);
    expect(await listMapEntries(link, 'm', { limit: 5000 })).toHaveLength(1503);
  });

  it('knows no map that never was or is destroyed', async () => {
    const link = await redis.connect();
    await expect(showMap(link, 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(listMapEntries(link, 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(showMap(link, 'no name')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(destroyMap(link, 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(resetMap(link, 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await (await MapClient.open(link, 'm')).set('a', '1');
    await resetMap(link, 'm');
    expect(await showMap(link, 'm')).toMatchObject({ keyCount: 0, sizeBytes: 0 });
    await destroyMap(link, 'm');
    await expect(showMap(link, 'm')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await listMaps(link)).toEqual([]);
    expect(await link.registry.list('maps')).toEqual([]);
  });
});
