import { describe, expect, it } from 'vitest';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap, type ReplicatedMapOptions } from '../../../src/engine/maps/replicated-map.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';

const MIB = 1024 ** 2;
const HUGE = { maxValueBytes: 64 * MIB, maxBytes: 256 * MIB };

describe('a map of big values and slow consumers', () => {
  const redis = useRedis();
  const join = async (options: ReplicatedMapOptions = {}, url?: string) => {
    const map = await ReplicatedMap.join(await redis.connect(url ? { url } : {}), 'm', options);
    redis.defer(() => map.close());
    return map;
  };

  it('refuses a value of 50 MB without asking Redis', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'm');
    const calls = async () => /calls=(\d+)/.exec(String(await link.commands.call('INFO', 'commandstats')))?.[1];
    await expect(map.set('a', 'x'.repeat(50 * MIB))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
    expect(await calls()).toBeDefined();
    const commands = String(await link.commands.call('INFO', 'commandstats'));
    expect(commands).not.toMatch(/cmdstat_(evalsha|eval|hset|script\|load):/);
  });

  it('carries a value of 50 MB where that is allowed, and cuts no subscriber off', async () => {
    const [one, two] = [await join(HUGE), await join(HUGE)];
    const stale: unknown[] = [];
    two.events.on('stale', event => stale.push(event));
    const value = 'x'.repeat(50 * MIB);
    await one.set('small', '1');
    const { revision } = await one.set('a', value);
    await two.waitFor(revision);
    expect(two.get('a') === value).toBe(true);
    expect(two.get('small')).toBe('1');
    expect(stale).toEqual([]);
  });

  // The larger ones are not in the messages: replicas fetch them, without end as long as others write.
  it.each([30, 100])(
    'is read in chunks by who joins while values of %i KB are written, and never shown in part',
    async size => {
      const writer = await MapClient.open(await redis.connect(), 'm');
      const text = '.'.repeat(size * 1000);
      for (let i = 0; i < 300; i++) await writer.set(`k${i}`, `0${text}`);
      let writing = true;
      let writes = 0;
      const load = (async () => {
        for (; writing; writes++) await writer.set(`k${writes % 300}`, `${writes}${text}`);
      })();
      const sizes = new Set<number>();
      const maps = await Promise.all(
        [1, 2, 3].map(async () => {
          const map = await join();
          sizes.add(map.size);
          map.events.on('change', () => sizes.add(map.size));
          return map;
        }),
      );
      const soFar = writes;
      await until(() => writes > soFar + 20, 'more writes');
      writing = false;
      await load;
      const { revision, entries } = await writer.readAll();
      for (const map of maps) {
        await map.waitFor(revision);
        expect(new Map(map.entries())).toEqual(entries);
      }
      expect(sizes).toEqual(new Set([300]));
    },
  );

  it('gives a consumer that is slow the last of each key and never withholds a reset', async () => {
    const [one, two] = [await join(), await join()];
    await one.setAndWait('before', '1');
    await two.waitFor(one.revision);
    const seen: MapChange[] = [];
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const stop = new AbortController();
    const watching = (async () => {
      for await (const change of two.watch({}, stop.signal)) {
        seen.push(change);
        if (seen.length === 1) await held;
      }
    })();
    await one.set('first', '1');
    await until(() => seen.length === 1, 'the consumer to be busy');
    let last = 0;
    for (let i = 0; i < 1000; i++) {
      if (i === 500) await one.reset();
      last = (await one.set(`k${i % 10}`, String(i))).revision;
    }
    await two.waitFor(last);
    release();
    await until(() => seen.filter(({ value }) => Number(value) >= 990).length === 10, 'the last of each key');
    stop.abort();
    await watching;
    const kinds = seen.map(({ kind }) => kind);
    expect(kinds.filter(kind => kind === 'reset')).toHaveLength(1);
    // Coalesced: of each key only its last value after the reset, beside the first change.
    expect(seen.length).toBeLessThan(40);
    const after = seen.slice(kinds.indexOf('reset') + 1);
    expect(new Map(after.map(({ key, value }) => [key, value]))).toEqual(new Map(two.entries()));
  });

  it('knows how old its copy may be', async () => {
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const map = await join({ pollIntervalMs: 50 }, proxy.url);
    await map.setAndWait('a', '1');
    // Polls confirm it although nothing changes.
    await until(() => map.stalenessMs > 20, 'time to pass');
    await until(() => map.stalenessMs < 20, 'a poll');
    const stale = map.events.once('stale');
    proxy.mode = 'refuse';
    await stale;
    expect(map.connected).toBe(false);
    await until(() => map.stalenessMs > 500, 'the copy to age');
    expect(map.get('a')).toBe('1');
    proxy.mode = 'pass';
    await until(() => map.connected && map.stalenessMs < 200, 'the copy to be fresh again');
  });
});
