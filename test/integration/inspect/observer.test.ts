import { describe, expect, it } from 'vitest';
import type { Clock, FleetFocus, FleetSnapshot } from '../../../src/engine/index.ts';
import { addRoute, FleetObserver, MapClient, PoolClient } from '../../../src/engine/index.ts';
import { isReadCommand } from '../../../src/engine/redis/access.ts';
import { type RedisFixture, useRedis } from '../../support/fixture.ts';
import { FleetProcess } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';

const HURRY = 40;

/** Time that passes faster, so that a budget per second can be measured in little time. */
function hurried(factor: number): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now() * factor,
    after(delayMs, call, options) {
      const handle = setTimeout(call, delayMs / factor);
      if (options?.ref === false) handle.unref();
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

async function startFleet(redis: RedisFixture): Promise<FleetProcess> {
  const fleet = await FleetProcess.start(redis.server.url, redis.prefix);
  redis.defer(() => fleet.kill());
  return fleet;
}

async function observe(redis: RedisFixture, options: { clock?: Clock; focus?: FleetFocus; refreshMs?: number } = {}) {
  const link = await redis.connect({ access: 'read-only', clock: options.clock });
  const observer = FleetObserver.watch(link, { refreshMs: options.refreshMs });
  if (options.focus) observer.setFocus(options.focus);
  redis.defer(() => observer.close());
  const see = <T>(what: string, look: (fleet: FleetSnapshot) => T) => until(() => look(observer.getSnapshot()), what);
  return { observer, link, see };
}

/** Calls of each command so far, as Redis counts them. */
async function commandCounts(redis: RedisFixture): Promise<Map<string, number>> {
  const link = await redis.connect();
  const info = String(await link.commands.call('INFO', 'commandstats'));
  return new Map(
    [...info.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, calls]) => [name as string, Number(calls)]),
  );
}

async function keysAndConsumers(redis: RedisFixture): Promise<string[]> {
  const link = await redis.connect();
  const keys = ((await link.commands.call('KEYS', `${redis.prefix}*`)) as Buffer[]).map(String).sort();
  const { events } = link.keys.stream('readings');
  const consumers = (await link.commands.call('XINFO', 'CONSUMERS', events, 'fold')) as unknown[];
  return [...keys, `${consumers.length} consumers`];
}

describe('an observer of a real fleet', () => {
  const redis = useRedis();
  it('sees what there is and how it moves', async () => {
    await startFleet(redis);
    const { observer, see } = await observe(redis);
    await see('the pool', fleet => fleet.pools?.[0]?.state === 'OK' && fleet.pools[0].jobCount === 20);
    await see('a rate of events', fleet => (fleet.rates.get('stream:readings')?.perSecond ?? 0) > 5);
    const fleet = observer.getSnapshot();
    expect(fleet.connection).toMatchObject({ state: 'LIVE', error: null });
    expect(fleet.pools?.[0]).toMatchObject({ name: 'video', workerCount: 3, nodeCount: 1, queuedCount: 0 });
    expect(fleet.streams?.[0]).toMatchObject({ name: 'readings', sinkCount: 1 });
    expect(fleet.server?.version).toMatch(/^\d+\./);
    expect(fleet.findings.map(finding => finding.code)).toEqual(['NO_PERSISTENCE']);
  });

  it('reads keys of all jobs, and records of those on screen alone', async () => {
    await startFleet(redis);
    const visible = ['tenant-3', 'tenant-7'];
    const { observer, see } = await observe(redis, { focus: { view: 'jobs', pool: 'video', visible } });
    await see('the records', fleet => fleet.jobs?.records.size === 2);
    const { jobs, workers } = observer.getSnapshot();
    expect(jobs?.keys).toHaveLength(20);
    expect([...(jobs?.records.values() ?? [])].map(job => job.state)).toEqual(['RUNNING', 'RUNNING']);
    expect(workers.get('video')?.reduce((sum, worker) => sum + worker.jobCount, 0)).toBe(20);
    observer.setFocus({ view: 'jobs', pool: 'video', visible: ['tenant-9'] });
    await see('the record scrolled to', fleet => fleet.jobs?.records.has('tenant-9'));
  });

  it('reads a payload, pending events, entries and events only while they are opened', async () => {
    await startFleet(redis);
    const { observer, see } = await observe(redis);
    observer.setFocus({ view: 'job', pool: 'video', key: 'tenant-3' });
    await see('the job', fleet => fleet.detail?.value?.payload.data.includes('"n":3'));
    observer.setFocus({ view: 'pending', stream: 'readings', sink: 'fold' });
    await see('the pending event', fleet => fleet.pending?.rows.some(row => row.deliveryCount === 1));
    expect(observer.getSnapshot().detail).toBeNull();
    observer.setFocus({ view: 'entries', map: 'settings' });
    await see('the entries', fleet => fleet.entries?.rows.some(entry => entry.value.data === '250'));
    observer.setFocus({ view: 'tail', stream: 'readings' });
    await see('the events', fleet => fleet.tail?.rows.some(event => event.topic === 'cpu'));
    observer.setFocus({ view: 'sinks', stream: 'readings' });
    await see('the sink', fleet => fleet.sinks.get('readings')?.some(sink => sink.name === 'fold'));
    observer.setFocus({ view: 'events', pool: 'video' });
    await see('the ledger', fleet => fleet.events?.rows.some(entry => entry.type === 'joined'));
    observer.setFocus({ view: 'nodes', pool: 'video' });
    await see('the node', fleet => fleet.nodes.get('video')?.[0]?.workerCount === 3);
    const { pending, entries, tail, events } = observer.getSnapshot();
    expect([pending, entries, tail, events]).toEqual([null, null, null, null]);
  });

  it('is told at once when the map that is opened changes', async () => {
    await startFleet(redis);
    const { observer, link, see } = await observe(redis, {
      focus: { view: 'entries', map: 'settings' },
      // By itself it would look again after a minute.
      refreshMs: 60_000,
    });
    await see('the entries', fleet => fleet.entries !== null);
    const writer = await redis.connect();
    const map = await MapClient.open(writer, 'settings');
    const { changes } = link.keys.map('settings');
    // The fleet's own replica, and this one.
    await until(async () => {
      const [, count] = (await writer.commands.call('PUBSUB', 'SHARDNUMSUB', changes)) as [Buffer, number];
      return Number(count) === 2;
    }, 'the subscription');
    for (const value of ['1', '2', '3']) await map.set('interval', value);
    await see('the change', fleet => fleet.entries?.rows.some(entry => entry.value.data === '3'));
    expect(observer.getSnapshot().entries?.map).toBe('settings');
    observer.setFocus({ view: 'overview' });
    await until(async () => {
      const [, count] = (await writer.commands.call('PUBSUB', 'SHARDNUMSUB', changes)) as [Buffer, number];
      return Number(count) === 1;
    }, 'the end of the subscription');
    await map.close();
  });

  it('says what does not exist instead of failing', async () => {
    await startFleet(redis);
    const { observer, see } = await observe(redis, { focus: { view: 'job', pool: 'video', key: 'nope' } });
    await see('the answer', fleet => fleet.detail !== null);
    expect(observer.getSnapshot().detail?.value).toBeNull();
    observer.setFocus({ view: 'jobs', pool: 'nope', visible: [] });
    await see('no keys', fleet => fleet.jobs?.keys.length === 0);
    expect(observer.getSnapshot().connection.state).toBe('LIVE');
  });

  it('finds the workers of a fleet that was killed, and what they hold', async () => {
    const fleet = await startFleet(redis);
    const { observer, see } = await observe(redis);
    await see('the pool', ({ pools }) => pools?.[0]?.state === 'OK');
    await fleet.kill();
    await see('stale workers', ({ findings }) => findings.filter(({ code }) => code === 'STALE_WORKER').length === 3);
    const stale = observer.getSnapshot().staleWorkers;
    expect(stale.reduce((sum, worker) => sum + worker.jobCount, 0)).toBe(20);
  });

  it('keeps the last data when Redis dies, says so, and is live again after a restart', async () => {
    const fleet = await startFleet(redis);
    const { observer, see } = await observe(redis);
    await see('the pool', ({ pools }) => pools?.[0]?.jobCount === 20);
    await fleet.kill();
    await redis.server.down('SIGKILL');
    await see('that it is stale', ({ connection }) => connection.state === 'STALE');
    await see('a further attempt', ({ connection }) => connection.attempts >= 3);
    expect(observer.getSnapshot().pools?.[0]?.jobCount).toBe(20);
    expect(observer.getSnapshot().connection.error).toMatch(/does not answer|closed/);
    await redis.server.up();
    await see('that it is live', ({ connection }) => connection.state === 'LIVE');
    await see('that all is gone', ({ pools }) => pools?.length === 0);
    expect(observer.getSnapshot().connection).toMatchObject({ attempts: 0, error: null });
  });

  it('reads nothing while paused', async () => {
    await startFleet(redis);
    const { observer, link, see } = await observe(redis, { clock: hurried(20) });
    await see('the pool', ({ pools }) => pools !== null);
    observer.setPaused(true);
    await until(async () => {
      const before = link.commands.sentCount;
      await new Promise(resolve => setTimeout(resolve, 300));
      return link.commands.sentCount === before;
    }, 'six hurried seconds without a command');
    observer.setPaused(false);
    const before = link.commands.sentCount;
    await until(() => link.commands.sentCount > before, 'reading again');
    expect(observer.getSnapshot().connection.state).toBe('LIVE');
  });
});

describe('the load of an observer', () => {
  const redis = useRedis();
  const focuses: FleetFocus[] = [
    { view: 'overview' },
    { view: 'workers', pool: 'video' },
    { view: 'jobs', pool: 'video', visible: Array.from({ length: 20 }, (_, n) => `tenant-${n}`) },
    { view: 'streams' },
    { view: 'sinks', stream: 'readings' },
    { view: 'maps' },
    { view: 'events', pool: 'video' },
  ];

  it('is passive: reading commands alone, no key and no consumer more, as Redis itself counts', async () => {
    const fleet = await startFleet(redis);
    await fleet.kill();
    const [before, there] = [await commandCounts(redis), await keysAndConsumers(redis)];
    const { observer, see } = await observe(redis, { clock: hurried(20) });
    for (const focus of focuses) {
      const { readAtMs } = observer.getSnapshot().connection;
      observer.setFocus(focus);
      await see('another reading', ({ connection }) => connection.readAtMs !== readAtMs);
    }
    const used = [...(await commandCounts(redis))]
      .filter(([name, calls]) => calls > (before.get(name) ?? 0))
      .map(([name]) => name);
    expect(used).toContain('xinfo|groups');
    // KEYS and XINFO CONSUMERS are this test's own; HELLO, AUTH and the like are of its links.
    const own = new Set(['keys', 'hello', 'auth', 'select', 'quit']);
    for (const name of used)
      expect(own.has(name) || isReadCommand((name.split('|')[0] as string).toUpperCase()), name).toBe(true);
    expect(
      used.some(name =>
        /xreadgroup|xack|xclaim|eval|scan$/.test(name.replace('sscan', '').replace('zscan', '').replace('hscan', '')),
      ),
    ).toBe(false);
    for (const key of await keysAndConsumers(redis)) expect(there).toContain(key);
  });

  it.each(focuses)(
    'is at most six commands a second while $view is on screen and nobody presses a key',
    async focus => {
      await startFleet(redis);
      const { link, see } = await observe(redis, { clock: hurried(HURRY), focus });
      await see('the first data', ({ connection }) => connection.readAtMs !== null);
      // What may be spent at once at first, is spent.
      const start = performance.now();
      const startCount = link.commands.sentCount;
      await until(() => performance.now() - start > 1000, 'a second, forty hurried ones', { everyMs: 50 });
      const hurriedSeconds = ((performance.now() - start) * HURRY) / 1000;
      const spent = link.commands.sentCount - startCount;
      // How much of it a busy machine gets done says nothing; that it looks at all does.
      expect(spent).toBeGreaterThan(0);
      expect((spent - 60) / hurriedSeconds).toBeLessThanOrEqual(6);
    },
  );

  it('is not more while jobs wait in groups without a worker', async () => {
    await startFleet(redis);
    const writer = await redis.connect();
    for (let n = 0; n < 20; n++) await addRoute(writer, 'video', { glob: `g${n}:*`, group: `g${n}` });
    const client = await PoolClient.open(writer, 'video');
    for (let n = 0; n < 20; n++) await client.dispatch(`g${n}:job`);
    await client.close();
    const { link, observer, see } = await observe(redis, { clock: hurried(HURRY) });
    await see('the first data', ({ pools }) => pools !== null);
    expect(observer.getSnapshot().findings.filter(({ code }) => code === 'GROUP_WITHOUT_WORKERS')).toHaveLength(20);
    const start = performance.now();
    const startCount = link.commands.sentCount;
    await until(() => performance.now() - start > 1000, 'a second, forty hurried ones', { everyMs: 50 });
    const hurriedSeconds = ((performance.now() - start) * HURRY) / 1000;
    expect((link.commands.sentCount - startCount - 60) / hurriedSeconds).toBeLessThanOrEqual(6);
  });

  it('grows for a while when somebody presses a key', async () => {
    await startFleet(redis);
    const { observer, see } = await observe(redis, { focus: { view: 'jobs', pool: 'video', visible: ['tenant-1'] } });
    observer.attend();
    await see('a quick pace', ({ connection }) => connection.everyMs < 1500 && connection.readAtMs !== null);
    expect(observer.getSnapshot().connection.state).toBe('LIVE');
  });
});

describe('a part that cannot be read', () => {
  const redis = useRedis();
  it('is told, and leaves the rest alive', async () => {
    const writer = await redis.connect();
    await writer.commands.call('SET', writer.keys.registry('maps'), 'no set');
    const { observer, see } = await observe(redis, { focus: { view: 'maps' } });
    await see('the problem', ({ problems }) => problems.has('maps'));
    await see('the rest', ({ pools }) => pools !== null);
    expect(observer.getSnapshot().connection.state).toBe('LIVE');
  });

  it('is one map, stream or pool when a key of it alone is of another type', async () => {
    const writer = await redis.connect();
    for (const kind of ['maps', 'streams', 'pools'] as const) await writer.registry.add(kind, 'broken');
    for (const key of [
      writer.keys.map('broken').meta,
      writer.keys.stream('broken').events,
      writer.keys.pool('broken').members,
    ]) {
      await writer.commands.call('SET', key, 'x');
    }
    const { observer, see } = await observe(redis, { focus: { view: 'maps' } });
    await see('all', ({ maps, streams, pools }) => maps !== null && streams !== null && pools !== null);
    const { maps, streams, pools, problems, findings } = observer.getSnapshot();
    const broken = { name: 'broken', broken: expect.stringContaining('broken') };
    expect({ maps, streams, pools }).toMatchObject({ maps: [broken], streams: [broken], pools: [broken] });
    expect(problems.size).toBe(0);
    expect(
      findings.filter(({ code }) => code === 'BROKEN').map(({ subject, command }) => [subject.kind, command]),
    ).toEqual([
      ['pool', 'ponos doctor broken'],
      ['stream', 'ponos stream remove broken'],
      ['map', 'ponos map destroy broken'],
    ]);
  });

  it('waits for a Redis that is not there yet', async () => {
    const link = await redis.connect({ access: 'read-only' });
    await redis.server.down('SIGKILL');
    const observer = FleetObserver.watch(link);
    redis.defer(() => observer.close());
    await until(() => observer.getSnapshot().connection.attempts > 0, 'a failed attempt');
    expect(observer.getSnapshot().connection.state).toBe('CONNECTING');
    await redis.server.up();
    await until(() => observer.getSnapshot().connection.state === 'LIVE', 'a live connection');
  });
});
