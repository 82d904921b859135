import { describe, expect, it, vi } from 'vitest';
import { RedisUnavailableError } from '../../../src/engine/core/errors.ts';
import type { MapChange } from '../../../src/engine/maps/changes.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap, type ReplicatedMapOptions } from '../../../src/engine/maps/replicated-map.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';

const POLL_MS = 1000;
/** For a machine that has other things to do. */
const LATE_MS = 250;

describe('a replicated map under faults', () => {
  const redis = useRedis();
  const join = async (link: RedisLink, options: ReplicatedMapOptions = {}) => {
    const map = await ReplicatedMap.join(link, 'm', { pollIntervalMs: 200, ...options });
    redis.defer(() => map.close());
    return map;
  };
  const startProxy = async () => {
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    return proxy;
  };
  const truthOf = async (link: RedisLink) => {
    const { data } = link.keys.map('m');
    const [keys, values] = await Promise.all([link.commands.call('HKEYS', data), link.commands.call('HVALS', data)]);
    return new Map((keys as Buffer[]).map((key, i) => [String(key), String((values as Buffer[])[i])]));
  };

  it('converges: 5 replicas, 2000 keys, subscribers killed during the writes', async () => {
    const control = await redis.connect();
    const replicas = await Promise.all(
      Array.from({ length: 5 }, async () => join(await redis.connect(), { pollIntervalMs: 5000 })),
    );
    const ends = replicas.map(replica => {
      const state = new Map<string, string>();
      replica.events.on('change', ({ kind, key, value }) => {
        if (kind === 'reset') state.clear();
        else if (kind === 'delete') state.delete(key as string);
        else state.set(key as string, value as string);
      });
      return state;
    });
    const writers = await Promise.all([1, 2].map(async () => MapClient.open(await redis.connect(), 'm')));
    let resyncs = 0;
    for (const replica of replicas) replica.events.on('synced', () => resyncs++);
    let last = 0;
    for (let round = 0; round < 20; round++) {
      const writes = Array.from({ length: 200 }, (_, i) => {
        const key = `k${(round * 100 + i) % 2000}`;
        const writer = writers[i % 2]!;
        return i % 10 === 9 ? writer.delete(key) : writer.set(key, `${round}:${i}`);
      });
      if (round % 2 === 1) await control.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      for (const { revision } of await Promise.all(writes)) last = Math.max(last, revision);
      if (round % 2 === 1) await until(() => resyncs >= ((round + 1) / 2) * replicas.length, 'all to subscribe again');
    }
    await Promise.all(replicas.map(replica => replica.waitFor(last, { timeoutMs: 5000 })));
    const truth = await truthOf(control);
    expect(truth.size).toBeGreaterThan(1500);
    for (const replica of replicas) expect(new Map(replica.entries())).toEqual(truth);
    for (const state of ends) expect(state).toEqual(truth);
    expect(resyncs).toBe(50);
  });

  it('finds the last message lost, by its poll, within the time of a poll', async () => {
    const proxy = await startProxy();
    const writer = await MapClient.open(await redis.connect(), 'm');
    // Each polls at moments of its own, so the slowest is near to the worst that may be.
    const maps = await Promise.all(
      Array.from({ length: 10 }, async () =>
        join(await redis.connect({ url: proxy.url }), { pollIntervalMs: POLL_MS }),
      ),
    );
    const { revision: before } = await writer.set('a', '1');
    await Promise.all(maps.map(map => map.waitFor(before)));
    let eaten = 0;
    proxy.filter = bytes => {
      if (!bytes.includes('smessage')) return bytes;
      eaten++;
      return undefined;
    };
    const { revision } = await writer.set('a', '2');
    await until(() => eaten === maps.length, 'the messages to be eaten');
    const lostMs = performance.now();
    proxy.filter = undefined;
    expect(maps.map(map => map.get('a'))).toEqual(maps.map(() => '1'));
    await Promise.all(maps.map(map => map.waitFor(revision, { timeoutMs: 5000 })));
    expect(performance.now() - lostMs).toBeLessThan(POLL_MS + LATE_MS);
    expect(maps.map(map => map.get('a'))).toEqual(maps.map(() => '2'));
  });

  it('finds a message lost in the middle at once, by the gap', async () => {
    const proxy = await startProxy();
    const writer = await MapClient.open(await redis.connect(), 'm');
    const map = await join(await redis.connect({ url: proxy.url }), { pollIntervalMs: 60_000 });
    await map.waitFor((await writer.set('a', '1')).revision);
    let eaten = 0;
    proxy.filter = bytes => (bytes.includes('smessage') && eaten++ === 0 ? undefined : bytes);
    await writer.set('a', '2');
    await until(() => eaten > 0, 'the message to be eaten');
    await map.waitFor((await writer.set('b', '1')).revision);
    expect(map.toObject()).toEqual({ a: '2', b: '1' });
  });

  it('is not brought out of step by foreign messages, nor by entries changed behind its back', async () => {
    const link = await redis.connect();
    const map = await join(link, { pollIntervalMs: 100 });
    await map.setAndWait('a', '1');
    const keys = link.keys.map('m');
    await link.commands.call('SPUBLISH', keys.changes, 'nonsense');
    await link.commands.call('SPUBLISH', keys.changes, Buffer.from([0, 10, 255]));
    await link.commands.call('SPUBLISH', keys.changes, `${map.generation} 1 ${map.revision + 5} 0 set 1\nax`);
    await map.setAndWait('b', '1');
    expect(map.toObject()).toEqual({ a: '1', b: '1' });
    await link.commands.call('HSET', keys.data, 'foreign', 'x');
    await until(() => map.get('foreign') === 'x', 'the poll to find the foreign entry');
  });

  it('empties once when Redis lost the map, tells it, and follows what comes', async () => {
    const control = await redis.connect();
    const replicas = await Promise.all([1, 2, 3].map(async () => join(await redis.connect())));
    const writer = await MapClient.open(await redis.connect(), 'm');
    const { revision } = await writer.setMany([
      ['a', '1'],
      ['b', '1'],
    ]);
    await Promise.all(replicas.map(replica => replica.waitFor(revision)));
    const changes = replicas.map(replica => {
      const seen: MapChange[] = [];
      replica.events.on('change', change => seen.push(change));
      return seen;
    });
    const lost = Promise.all(replicas.map(replica => replica.events.once('lost')));
    const old = replicas[0]!.generation;
    await control.commands.call('FLUSHDB');
    await lost;
    const waiting = replicas[0]!.waitFor(9e15, { generation: old });
    const refused = expect(waiting).rejects.toMatchObject({ code: 'GENERATION_CHANGED' });
    const again = await writer.set('c', '1');
    expect(again.generation).not.toBe(old);
    await refused;
    await until(() => replicas.every(replica => replica.get('c') === '1'), 'the write after the flush');
    for (const seen of changes) {
      expect(seen).toMatchObject([
        { kind: 'reset', cause: 'lost' },
        { kind: 'set', key: 'c' },
      ]);
    }
    expect(await control.registry.list('maps')).toEqual(['m']);
  });

  it('counts a write as done although the map could not be listed after it, and lists it with the next', async () => {
    const link = await redis.connect();
    const writer = await MapClient.open(link, 'm');
    await writer.set('a', '1');
    await link.commands.call('FLUSHDB');
    vi.spyOn(link.registry, 'add').mockRejectedValueOnce(new RedisUnavailableError('gone'));
    expect(await writer.set('b', '2')).toMatchObject({ changed: true });
    expect(await link.registry.list('maps')).toEqual([]);
    await writer.set('c', '3');
    expect(await link.registry.list('maps')).toEqual(['m']);
  });

  it('ends with an error instead when that is asked for', async () => {
    const control = await redis.connect();
    const map = await join(await redis.connect(), { onStateLoss: 'error', pollIntervalMs: 50 });
    await map.setAndWait('a', '1');
    const watching = map.watch().next();
    const refused = expect(watching).rejects.toMatchObject({ code: 'STATE_LOST' });
    await control.commands.call('FLUSHDB');
    await refused;
    expect(() => map.get('a')).toThrow(/lost map "m"/);
    await expect(map.set('a', '1')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('keeps its copy during an outage, says that it is stale, and catches up after it', async () => {
    const proxy = await startProxy();
    const writer = await MapClient.open(await redis.connect(), 'm');
    await writer.set('a', '1');
    const map = await join(await redis.connect({ url: proxy.url, commandTimeoutMs: 300 }), { retryMs: 0 });
    const stale = map.events.once('stale');
    proxy.mode = 'refuse';
    expect(await stale).toMatchObject({ cause: { code: 'REDIS_UNAVAILABLE' } });
    expect(map.connected).toBe(false);
    expect(map.get('a')).toBe('1');
    await writer.set('a', '2');
    await expect(map.set('b', '1')).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await until(() => map.stalenessMs > 300, 'its age to grow');
    const synced = map.events.once('synced');
    proxy.mode = 'pass';
    await synced;
    expect(map.connected).toBe(true);
    expect(map.get('a')).toBe('2');
    expect(map.stalenessMs).toBeLessThan(1000);
  });

  it('notices a half-open connection that says nothing', async () => {
    const proxy = await startProxy();
    const writer = await MapClient.open(await redis.connect(), 'm');
    await writer.set('a', '1');
    const map = await join(await redis.connect({ url: proxy.url, commandTimeoutMs: 300 }), { pollIntervalMs: 100 });
    const stale = map.events.once('stale');
    proxy.mode = 'blackhole';
    await stale;
    await writer.set('a', '2');
    proxy.mode = 'pass';
    await until(() => map.get('a') === '2', 'the copy to catch up');
    expect(map.connected).toBe(true);
  });

  it('does each write once when replies are lost, and returns its first result', async () => {
    const proxy = await startProxy();
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 200 });
    const map = await MapClient.open(link, 'm');
    await map.set('v', 'before');
    for (let round = 0; round < 3; round++) {
      proxy.mode = 'swallow';
      const control = await redis.connect();
      const before = await control.commands.call('HGET', link.keys.map('m').meta, 'revision');
      const writes = Promise.all([
        map.increment('n'),
        map.append('l', String(round)),
        map.set('v', `round ${round}`),
        map.setIfAbsent(`once ${round}`, 'x'),
        map.compareAndSet('cas', { value: round === 0 ? undefined : `${round - 1}` }, `${round}`),
        map.delete(`once ${round - 1}`),
      ]);
      await until(
        async () =>
          Number(await control.commands.call('HGET', link.keys.map('m').meta, 'revision')) > Number(before) + 4,
        'the writes to be done',
      );
      await until(async () => (await truthOf(control)).get('cas') === String(round), 'the last write to be done');
      proxy.mode = 'pass';
      const [n, l, v, once, cas, gone] = await writes;
      expect(n.value).toBe(BigInt(round + 1));
      expect(l.items).toHaveLength(round + 1);
      expect(v).toMatchObject({ changed: true, previous: round === 0 ? 'before' : `round ${round - 1}` });
      expect(once).toMatchObject({ applied: true });
      expect(cas).toMatchObject({ applied: true });
      expect(gone).toMatchObject({ changed: round > 0, previous: round > 0 ? 'x' : undefined });
    }
    expect(JSON.parse((await map.getFresh('l')) as string)).toEqual(['0', '1', '2']);
  });

  it('counts exactly over many clients whose replies are lost', async () => {
    const proxy = await startProxy();
    const clients = await Promise.all(
      Array.from({ length: 10 }, async () =>
        MapClient.open(await redis.connect({ url: proxy.url, commandTimeoutMs: 150 }), 'm', { retryMs: 20_000 }),
      ),
    );
    let running = true;
    const trouble = (async () => {
      while (running) {
        proxy.mode = 'swallow';
        await new Promise(resolve => setTimeout(resolve, 40));
        proxy.mode = 'pass';
        await new Promise(resolve => setTimeout(resolve, 60));
        proxy.cut();
      }
    })();
    const results = await Promise.allSettled(
      clients.flatMap((client, i) => [
        ...Array.from({ length: 10 }, () => client.increment('n')),
        ...Array.from({ length: 5 }, (_, j) => client.append('l', `${i}.${j}`)),
      ]),
    );
    running = false;
    await trouble;
    // Whether it was not sent or its reply was lost: every write was done, and once.
    const done = results.filter(result => result.status === 'fulfilled');
    expect(results.filter(result => result.status === 'rejected')).toEqual([]);
    const control = await redis.connect();
    const truth = await truthOf(control);
    const items = JSON.parse(truth.get('l') ?? '[]') as string[];
    expect(new Set(items).size).toBe(items.length);
    expect(Number(truth.get('n') ?? 0) + items.length).toBe(done.length);
    const values = done
      .map(({ value }) => ('value' in value ? value.value : undefined))
      .filter(value => value !== undefined);
    expect(new Set(values).size).toBe(values.length);
  });

  it('has writes wait that nobody can take, and fails them as not done when their patience is over', async () => {
    const proxy = await startProxy();
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 200 });
    const [map, hasty] = [await MapClient.open(link, 'm'), await MapClient.open(link, 'm', { retryMs: 300 })];
    await map.set('n', '1');
    proxy.mode = 'refuse';
    await until(() => !link.commands.ready, 'the connection to be lost');
    const write = map.increment('n');
    await expect(hasty.increment('n')).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: false });
    proxy.mode = 'pass';
    expect(await write).toMatchObject({ value: 2n });
  });

  it('says that a write is uncertain when no answer ever comes', async () => {
    const proxy = await startProxy();
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 100 });
    const map = await MapClient.open(link, 'm', { retryMs: 400 });
    await map.set('a', '1');
    proxy.mode = 'blackhole';
    await expect(map.set('a', '2')).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: true });
    proxy.mode = 'pass';
  });

  it('keeps the record of writes as small as the writes under way', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'm');
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => map.set(`k${i}`, String(round))));
    }
    expect(await link.commands.call('HLEN', link.keys.map('m').ops)).toBe(50);
  });

  it('keeps the result of a write for as long as it may be repeated, whenever the record was begun', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'm');
    await map.set('a', '1');
    const { ops } = link.keys.map('m');
    expect(await link.commands.call('TTL', ops)).toBeGreaterThan(720);
    await link.commands.call('EXPIRE', ops, 10);
    await (await MapClient.open(link, 'm')).set('a', '1');
    expect(await link.commands.call('TTL', ops)).toBeGreaterThan(720);
    // A lane looks after it once a minute: as if its last look were that long ago.
    await link.commands.call('EXPIRE', ops, 10);
    await map.set('a', '1');
    expect(await link.commands.call('TTL', ops)).toBeLessThanOrEqual(10);
    const lanes = ((await link.commands.call('HKEYS', ops)) as Buffer[]).map(String);
    for (const lane of lanes) {
      const [sequence, looked, ...rest] = String(await link.commands.call('HGET', ops, lane)).split(' ');
      await link.commands.call('HSET', ops, lane, [sequence, Number(looked) - 60, ...rest].join(' '));
    }
    await map.set('a', '1');
    expect(await link.commands.call('TTL', ops)).toBeGreaterThan(720);
  });

  it('forgets bit by bit what clients wrote that are gone, and what they wrote over', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'm');
    const { ops } = link.keys.map('m');
    const nowS = Math.floor(Date.now() / 1000);
    const gone = (n: number) => [`gone.${n}`, `000000000001 ${nowS - 1000} OK g 1 1 2`, `gone.${n}:payload`, 'x'];
    await link.commands.call('HSET', ops, ...Array.from({ length: 100 }, (_, n) => gone(n)).flat());
    await link.commands.call('HSET', ops, 'late.0', `000000000001 ${nowS - 100} OK g 1 1 2`, 'late.0:payload', 'x');
    const big = 'x'.repeat(2000);
    await map.set('big', big);
    await map.set('big', 'small');
    await map.set('big', 'smaller');
    const lanes = async () => ((await link.commands.call('HKEYS', ops)) as Buffer[]).map(String);
    const isOld = (lane: string) => /^(gone|late)|payload$/.test(lane);
    await until(
      async () => {
        await (await MapClient.open(link, 'm')).set('a', '1');
        return (await lanes()).filter(isOld).length === 2;
      },
      'what is old to go',
      { everyMs: 1 },
    );
    expect((await lanes()).filter(isOld).sort()).toEqual(['late.0', 'late.0:payload']);
  });

  it('cannot be joined when a key has another type, and says which', async () => {
    const link = await redis.connect();
    await link.commands.call('SET', link.keys.map('m').data, 'x');
    await expect(join(link)).rejects.toMatchObject({ code: 'WRONG_TYPE', message: expect.stringContaining(':data') });
  });

  it('gives up a join when Redis says nothing', async () => {
    const proxy = await startProxy();
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 100 });
    proxy.filter = bytes => (bytes.includes('ssubscribe') ? bytes : undefined);
    await expect(join(link, { joinTimeoutMs: 500 })).rejects.toMatchObject({
      code: expect.stringMatching(/TIMEOUT|REDIS_UNAVAILABLE/),
    });
  });
});
