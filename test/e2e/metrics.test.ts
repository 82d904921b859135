import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MapClient } from '../../src/engine/maps/map-client.ts';
import { Sink } from '../../src/engine/streams/sink.ts';
import { EventStream } from '../../src/engine/streams/stream.ts';
import { Exposition } from '../support/exposition.ts';
import { useRedis } from '../support/fixture.ts';
import { poolCli, SERVICE_HANDLER } from '../support/pool-cli.ts';
import { RedisServer } from '../support/redis.ts';
import { ClusterServers } from '../support/topology/cluster.ts';
import { tell } from '../support/topology/commands.ts';
import { until } from '../support/until.ts';

const SECRET = 'open-sesame-7';

describe('ponos metrics', () => {
  const redis = useRedis();
  const { run, start, worker, file } = poolCli(redis);
  const expose = async (...args: string[]) => {
    const { stdout, stderr, code } = await run(['metrics', ...args]);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    return new Exposition(stdout);
  };
  const listen = async (...args: string[]) => {
    const running = start(['metrics', '--listen', '0', ...args]);
    await running.says(/http:\S+/);
    return { running, url: /http:\S+/.exec(running.stderr)?.[0] ?? '' };
  };

  it('tells how long a job waits when no worker is left to move the clock of the pool', async () => {
    await run(['job', 'dispatch', 'a', '--create']);
    const link = await redis.connect();
    await link.commands.call('HSET', link.keys.pool('default', 0).config, 'clamp-ms', 10);
    await until(
      async () => ((await expose()).value('ponos_pool_oldest_pending_seconds') ?? 0) > 0.1,
      'the age to pass what one script adds to the clock',
    );
  });

  it('tells of pools and their workers', async () => {
    const { id } = await worker([file('service.js', SERVICE_HANDLER), '--group', 'default', '--concurrency', '5']);
    await run(['job', 'dispatch', 'a', '--wait', 'started']);
    await run(['job', 'dispatch', 'b', '--wait', 'started']);
    await run(['pool', 'route', 'add', 'idle-*', 'nobody']);
    await run(['job', 'dispatch', 'idle-1']);
    const shown = await until(async () => {
      const found = await expose('--workers');
      return (found.value('ponos_pool_oldest_pending_seconds') ?? 0) > 0 && found;
    }, 'the waiting job to be told');
    const pool = { pool: 'default' };
    expect(shown.value('ponos_pool_jobs', { ...pool, state: 'owned' })).toBe(2);
    expect(shown.value('ponos_pool_jobs', { ...pool, state: 'pending' })).toBe(1);
    expect(shown.value('ponos_pool_jobs', { ...pool, state: 'dead' })).toBe(0);
    expect(shown.value('ponos_pool_oldest_pending_seconds', pool)).toBeLessThan(60);
    expect(shown.value('ponos_pool_jobs_dispatched_total', pool)).toBe(3);
    expect(shown.value('ponos_pool_workers', { ...pool, state: 'alive' })).toBe(1);
    expect(shown.value('ponos_pool_workers', { ...pool, state: 'stale' })).toBe(0);
    expect(shown.value('ponos_pool_capacity_jobs', { group: 'default' })).toBe(5);
    expect(shown.value('ponos_pool_lease_left_seconds', pool)).toBeGreaterThan(0);
    expect(shown.value('ponos_pool_zombies', pool)).toBe(0);
    expect(shown.value('ponos_pool_quarantined', pool)).toBe(0);
    expect(shown.value('ponos_worker_jobs', { worker: id })).toBe(2);
    const names = new Set((await expose()).series.flatMap(({ labels }) => Object.keys(labels)));
    expect([...names].filter(name => ['worker', 'job', 'key'].includes(name))).toEqual([]);
  });

  it('tells of streams, sinks and maps, at most so many as asked for', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 'orders');
    const sink = await Sink.open(link, 'audit', { streams: ['orders'], retryBaseMs: 60_000 }, event => {
      if (String(event.payload) === 'refused') throw new Error('as asked');
    });
    redis.defer(() => sink.close());
    for (const payload of ['taken', 'refused']) await stream.publish('n', payload);
    for (const name of ['flags', 'limits', 'zones']) {
      const map = await MapClient.open(link, name);
      await map.set('key', 'value');
      await map.close();
    }
    await until(() => sink.stats.acked === 1 && sink.stats.retried === 1, 'one to be done and one refused');
    const shown = await until(async () => {
      const found = await expose();
      return found.value('ponos_sink_pending_events') === 1 && found;
    }, 'the acknowledgement to be seen');
    expect(shown.value('ponos_stream_events', { stream: 'orders' })).toBe(2);
    expect(shown.value('ponos_stream_events_added_total')).toBe(2);
    expect(shown.value('ponos_stream_memory_bytes')).toBeGreaterThan(100);
    expect(shown.value('ponos_sink_lag_events', { stream: 'orders', sink: 'audit' })).toBe(0);
    expect(shown.value('ponos_sink_oldest_pending_seconds')).toBeGreaterThanOrEqual(0);
    expect(shown.value('ponos_sink_consumers', { state: 'alive' })).toBe(1);
    expect(shown.value('ponos_sink_dead_events')).toBe(0);
    expect(shown.value('ponos_map_entries', { map: 'flags' })).toBe(1);
    expect(shown.value('ponos_map_size_bytes', { map: 'flags' })).toBe(8);
    expect(shown.value('ponos_map_revision', { map: 'flags' })).toBeGreaterThan(1e15);
    expect(shown.value('ponos_redis_memory_used_bytes')).toBeGreaterThan(0);
    const fewer = await expose('--max', '2');
    expect(fewer.series.filter(({ name }) => name === 'ponos_map_entries')).toHaveLength(2);
    expect(fewer.value('ponos_left_out', { kind: 'maps' })).toBe(1);
  });

  it('tells the rest when a part cannot be read', async () => {
    const link = await redis.connect();
    const map = await MapClient.open(link, 'flags');
    await map.set('key', 'value');
    await map.close();
    await (await EventStream.open(link, 'readings')).publish('n', 'x');
    await EventStream.open(link, 'orders');
    await link.commands.call('SET', link.keys.stream('orders').events, 'no stream');
    const { stdout, stderr, code } = await run(['metrics']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: stream "orders" is broken: key .*\n$/);
    const shown = new Exposition(stdout);
    expect(shown.value('ponos_broken', { kind: 'stream', name: 'orders' })).toBe(1);
    for (const part of ['streams', 'sinks', 'maps']) expect(shown.value('ponos_up', { part })).toBe(1);
    expect(shown.value('ponos_unreadable', { kind: 'streams' })).toBe(0);
    expect(shown.value('ponos_stream_events', { stream: 'readings' })).toBe(1);
    expect(shown.value('ponos_map_entries', { map: 'flags' })).toBe(1);
    const registry = link.keys.registry('streams');
    await link.commands.call('DEL', registry, link.keys.stream('orders').events);
    await link.commands.call('SET', registry, 'no set');
    const second = await run(['metrics']);
    expect(second.stderr).toMatch(/^warning: the streams could not be read: key .*\nwarning: the sinks could not/);
    const without = new Exposition(second.stdout);
    expect(without.value('ponos_unreadable', { kind: 'streams' })).toBeUndefined();
    expect(without.value('ponos_up', { part: 'streams' })).toBe(0);
    expect(without.value('ponos_up', { part: 'maps' })).toBe(1);
    await link.commands.call('DEL', registry);
  });

  it('has other forms for other programs', async () => {
    const { stdout } = await run(['metrics', '--json']);
    const { kind, items } = JSON.parse(stdout) as { kind: string; items: { name: string }[] };
    expect(kind).toBe('MetricList');
    expect(items).toContainEqual({
      name: 'ponos_up',
      type: 'gauge',
      help: expect.any(String),
      labels: { part: 'pools' },
      value: 1,
    });
  });

  it('serves them until it is told to stop; scrapes at once share one reading', async () => {
    const { running, url } = await listen();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    const link = await redis.connect();
    await link.commands.call('CLIENT', 'PAUSE', 1500, 'ALL');
    const texts = await Promise.all(
      [1, 2, 3].map(async () => {
        const response = await fetch(url);
        expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
        return response.text();
      }),
    );
    // The time it took would be another for each reading.
    expect(new Set(texts).size).toBe(1);
    expect(new Exposition(texts[0] as string).value('ponos_up', { part: 'maps' })).toBe(1);
    expect((await fetch(new URL('/', url))).status).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    expect(await (await fetch(url, { method: 'HEAD' })).text()).toBe('');
    expect(await running.stop('SIGINT')).toMatchObject({ code: 130, stdout: '' });
  });

  it('answers 503 with the reason and no secret while Redis is away, and goes on when it is back', async () => {
    const url = (port: number) => `redis://:${SECRET}@127.0.0.1:${port}`;
    const own = await RedisServer.start({ args: ['--requirepass', SECRET], url });
    redis.defer(() => own.stop());
    const { running, url: metrics } = await listen('--redis', own.url, '--timeout', '500ms');
    expect((await fetch(metrics)).status).toBe(200);
    await own.down();
    const answer = await fetch(metrics);
    const reason = await answer.text();
    expect(answer.status).toBe(503);
    expect(reason).toMatch(/127\.0\.0\.1/);
    expect(reason).not.toContain(SECRET);
    await own.up();
    await until(async () => (await fetch(metrics)).status === 200, 'the metrics to be back');
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 143 });
    expect(running.stderr).not.toContain(SECRET);
  });

  it('refuses an address it cannot listen on', async () => {
    const { url } = await listen();
    const { port } = new URL(url);
    expect(await run(['metrics', '--listen', port])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`port ${port}`),
    });
    for (const address of ['x', '99999', '::1:80', '-1']) {
      expect(await run(['metrics', `--listen=${address}`])).toMatchObject({ code: 2, stdout: '' });
    }
    expect(await run(['metrics', '--listen', '192.0.2.1:0'])).toMatchObject({ code: 2 });
    expect(await run(['metrics', '--redis', 'redis://127.0.0.1:1'])).toMatchObject({ code: 5, stdout: '' });
  });
});

describe('ponos metrics of a cluster that has lost a master', () => {
  let cluster: ClusterServers;
  beforeAll(async () => {
    cluster = await ClusterServers.start({ replicas: false });
    for (const node of cluster.nodes) await tell(node, 'CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
  });
  afterAll(() => cluster.stop());
  const redis = useRedis();
  const { run, start } = poolCli(redis, () => cluster.url);

  it('tells what the others have, and how much is missing', async () => {
    const link = await redis.connect({ url: cluster.url });
    const masterOf = async (key: string) => cluster.masterOf(await cluster.slotOf(key));
    const registry = await masterOf(link.keys.registry('maps'));
    const maps: { name: string; master: RedisServer }[] = [];
    for (let n = 0; new Set(maps.map(({ master }) => master)).size < 3; n++) {
      const name = `m${n}`;
      const map = await MapClient.open(link, name);
      await map.set('key', 'value');
      await map.close();
      maps.push({ name, master: await masterOf(link.keys.map(name).data) });
    }
    const lost = cluster.nodes.find(node => node !== registry) as RedisServer;
    const kept = maps.filter(({ master }) => master !== lost).map(({ name }) => name);
    const look = (text: string) => {
      const shown = new Exposition(text);
      return {
        maps: shown.series.filter(({ name }) => name === 'ponos_map_entries').map(({ labels }) => labels.map),
        up: shown.value('ponos_up', { part: 'maps' }),
        unreadable: shown.value('ponos_unreadable', { kind: 'maps' }),
        server: shown.value('ponos_up', { part: 'server' }),
      };
    };
    const listening = start(['metrics', '--listen', '0', '--timeout', '1s']);
    await listening.says(/http:\S+/);
    const url = /http:\S+/.exec(listening.stderr)?.[0] ?? '';
    await lost.down('SIGKILL');
    const expected = { maps: kept, up: 0, unreadable: maps.length - kept.length, server: 1 };
    const once = await run(['metrics', '--timeout', '1s']);
    expect(look(once.stdout)).toEqual(expected);
    expect(once.stderr).toMatch(/warning: \d+ maps? could not be read: /);
    expect(once.code).toBe(0);
    const scraped = await fetch(url);
    expect(look(await scraped.text())).toEqual(expected);
    expect(scraped.status).toBe(200);
    await lost.up();
    // It kept nothing on disk.
    const back = { ...expected, up: 1, unreadable: 0 };
    await until(async () => isDeepStrictEqual(look(await (await fetch(url)).text()), back), 'the master to be back');
  });
});
