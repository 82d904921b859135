import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { removeSink } from '../../../src/engine/admin/sink-removal.ts';
import { listJobKeys } from '../../../src/engine/inspect/jobs.ts';
import { listSinks, showSink } from '../../../src/engine/inspect/streams.ts';
import type { PartitionHandler } from '../../../src/engine/partitions/owned-partition.ts';
import { PartitionedSink, type PartitionedSinkOptions } from '../../../src/engine/partitions/partitioned-sink.ts';
import { PartitionedStream } from '../../../src/engine/partitions/partitioned-stream.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { partitionName } from '../../../src/engine/streams/partitioned.ts';
import { pullScript } from '../../../src/engine/streams/scripts.gen.ts';
import { Sink } from '../../../src/engine/streams/sink.ts';
import { sinkOptions, timesOf } from '../../../src/engine/streams/sink-options.ts';
import { useRedis } from '../../support/fixture.ts';
import { TEST_LEASE } from '../../support/pool.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';

const FAST = { retryBaseMs: 1, retryMaxMs: 5, blockMs: 200, closeTimeoutMs: 1000 } as const;
const KEYS = ['ann', 'bob', 'cy', 'dee', 'eve', 'fay', 'gil', 'hal', 'ida', 'jo'];

describe('a sink of a partitioned stream', () => {
  const redis = useRedis();

  /** A process, as far as one can be had in a test: everything of its own, and what its handler saw. */
  async function join(
    handler: PartitionHandler = () => {},
    options: Partial<PartitionedSinkOptions> & { link?: RedisLink } = {},
  ) {
    const { link = await redis.connect(), ...rest } = options;
    const seen: string[] = [];
    const pool = { lease: TEST_LEASE, reconcileMs: 100, settleMs: 50, ...rest.pool };
    const sink = await PartitionedSink.open(
      link,
      'billing',
      { stream: 'orders', ...FAST, ...rest, pool },
      async (event, context) => {
        seen.push(`${context.key} ${event.payload}`);
        await handler(event, context);
      },
    );
    redis.defer(() => sink.close());
    return { sink, seen };
  }

  async function open(partitions: number) {
    const link = await redis.connect();
    const stream = await PartitionedStream.open(link, 'orders', { partitions });
    const publish = (from: number, to: number) => {
      const numbers = Array.from({ length: to - from }, (_, n) => from + n);
      return stream.publishMany(numbers.flatMap(n => KEYS.map(key => ({ key, name: 'n', payload: `${n}` }))));
    };
    const done = () =>
      until(async () => {
        const names = Array.from({ length: partitions }, (_, index) => partitionName('orders', index));
        const sinks = await Promise.all(names.map(name => showSink(link, name, 'billing').catch(() => undefined)));
        return sinks.every(sink => sink?.pendingCount === 0 && sink.lag.count === 0);
      }, 'all partitions to be through');
    return { link, stream, publish, done };
  }

  const ofKey = (seen: readonly string[], key: string) =>
    seen.filter(text => text.startsWith(`${key} `)).map(text => Number(text.split(' ')[1]));
  const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

  it('gives each partition to one of the processes, and every event to its owner, in the order of its key', async () => {
    const { publish, done } = await open(8);
    const both = [await join(), await join()] as const;
    await until(() => both[0].sink.owned.length + both[1].sink.owned.length === 8, 'every partition to have an owner');
    await publish(0, 20);
    await done();
    // One may be on its way to the process that came last.
    const owned = () => [...both[0].sink.owned, ...both[1].sink.owned].sort();
    await until(() => isDeepStrictEqual(owned(), upTo(8)), 'every partition to have one owner');
    for (const key of KEYS) {
      const [of0, of1] = both.map(({ seen }) => ofKey(seen, key));
      expect([...(of0 ?? []), ...(of1 ?? [])]).toEqual(upTo(20));
    }
    expect([...both[0].sink.stats.keys()].sort()).toEqual(both[0].sink.owned);
  });

  it('gives the partitions of a process that leaves to the others, which go on where it was', async () => {
    const { publish, done } = await open(4);
    const first = await join(() => new Promise(resolve => setTimeout(resolve, 1)));
    await until(() => first.sink.owned.length === 4, 'the first to have all');
    await publish(0, 40);
    await until(() => first.seen.length > 20, 'it to be at work');
    const second = await join();
    const reasons: string[] = [];
    first.sink.events.on('released', ({ reason }) => reasons.push(reason));
    await first.sink.close();
    await done();
    expect(second.sink.owned).toEqual(upTo(4));
    expect(reasons.every(reason => reason === 'move' || reason === 'drain')).toBe(true);
    // In good order nothing is delivered twice.
    for (const key of KEYS) expect([...ofKey(first.seen, key), ...ofKey(second.seen, key)]).toEqual(upTo(40));
  });

  it('takes all that was left without a pause, also when handlers are done before it has asked', async () => {
    const { link, publish, done } = await open(1);
    const first = await join();
    await until(() => first.sink.owned.length === 1, 'the partition to have an owner');
    await first.sink.close();
    await publish(0, 40);
    const { events } = link.keys.stream('orders.0');
    await link.commands.call('XREADGROUP', 'GROUP', 'billing', 'vanished', 'COUNT', 400, 'STREAMS', events, '>');
    const startMs = performance.now();
    const second = await join(() => new Promise(setImmediate));
    await done();
    for (const key of KEYS) expect(ofKey(second.seen, key)).toEqual(upTo(40));
    // Each pause ends with a sign of life of the consumer.
    expect(performance.now() - startMs).toBeLessThan(timesOf(sinkOptions.claimIdleMs.default).beatMs);
  });

  it('lets a refused event hold back its own key, and no other', async () => {
    const { publish, done } = await open(1);
    let refusals = 0;
    const { seen } = await join(async (event, { key }) => {
      if (key === 'bob' && String(event.payload) === '1' && refusals < 3) {
        refusals++;
        throw new Error('not yet');
      }
    });
    await publish(0, 4);
    await done();
    expect(ofKey(seen, 'bob')).toEqual([0, 1, 1, 1, 1, 2, 3]);
    expect(ofKey(seen, 'cy')).toEqual(upTo(4));
    expect(seen.indexOf('cy 3')).toBeLessThan(seen.indexOf('bob 2'));
  });

  it('takes first, at once and in order, what a dead owner left, and counts only what is begun', async () => {
    const { link, publish, done } = await open(1);
    const first = await join();
    await until(() => first.sink.owned.length === 1, 'the partition to have an owner');
    await first.sink.close();
    await publish(0, 30);
    const { events } = link.keys.stream('orders.0');
    await link.commands.call('XREADGROUP', 'GROUP', 'billing', 'vanished', 'COUNT', 200, 'STREAMS', events, '>');
    const counts: number[] = [];
    let hold: (() => void) | undefined;
    const second = await join(async event => {
      counts.push(event.deliveryCount);
      // The first is at work when the rest is looked at.
      if (counts.length === 1) {
        await new Promise<void>(resolve => {
          hold = resolve;
        });
      }
    });
    const openedAtMs = performance.now();
    await until(() => hold, 'the first to begin');
    // 30 s would pass until a claim.
    expect(performance.now() - openedAtMs).toBeLessThan(5000);
    const rows = (await link.commands.call('XPENDING', events, 'billing', '-', '+', 300)) as [
      Buffer,
      Buffer,
      number,
      number,
    ][];
    expect(rows.map(row => row[3])).toEqual([2, ...new Array(199).fill(1)]);
    hold?.();
    await done();
    expect(second.seen).toEqual(upTo(30).flatMap(n => KEYS.map(key => `${key} ${n}`)));
    expect(counts).toEqual([...new Array(200).fill(2), ...new Array(100).fill(1)]);
  });

  it('is given nothing any more once another came with a later token', async () => {
    const { link, publish } = await open(1);
    const { sink } = await join();
    await until(() => sink.owned.length === 1, 'the partition to have an owner');
    await sink.close();
    await publish(0, 1);
    const { events, sinks } = link.keys.stream('orders.0');
    const pull = (consumer: string, token: number) =>
      link.commands.run(pullScript, { events, sinks }, { sink: 'billing', consumer, token, count: 3, most_left: 1 });
    const later = Number.MAX_SAFE_INTEGER;
    expect(await pull('late', later)).toMatchObject({ status: 'NEW' });
    expect(await pull('early', later - 1)).toEqual({ status: 'FENCED', token: String(later) });
    expect(await pull('late', later)).toMatchObject({ status: 'NEW' });
  });

  it('stops by itself in a process that is cut off, before the partitions go to another', async () => {
    const { publish, done } = await open(2);
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const aborts: number[] = [];
    let begun = 0;
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 1000 });
    const cutOff = await join(
      event =>
        new Promise(resolve => {
          begun++;
          event.signal.addEventListener('abort', () => {
            aborts.push(Date.now());
            resolve();
          });
        }),
      { link },
    );
    await until(() => cutOff.sink.owned.length === 2, 'it to have all');
    await publish(0, 1);
    await until(() => begun === 2, 'an event of each partition to be at work');
    let fenced = false;
    cutOff.sink.events.on('fenced', () => {
      fenced = true;
    });
    proxy.mode = 'blackhole';
    const begins: number[] = [];
    const second = await join(() => void begins.push(Date.now()));
    await done();
    expect(fenced).toBe(true);
    expect(aborts.length).toBe(2);
    expect(Math.max(...aborts)).toBeLessThan(Math.min(...begins));
    expect(new Set(second.seen).size).toBe(KEYS.length);
    expect(begun).toBe(2);
    proxy.mode = 'pass';
  });

  it('refuses an ordinary sink of the same name beside it', async () => {
    const { link } = await open(1);
    const { sink } = await join();
    await until(() => sink.owned.length === 1, 'the partition to have an owner');
    const other = Sink.open(link, 'billing', { streams: ['orders.0'] }, () => {});
    await expect(other).rejects.toMatchObject({ code: 'CONFIG_MISMATCH' });
  });

  it('goes on when Redis lost everything', async () => {
    const { link, publish, done } = await open(2);
    const { sink, seen } = await join();
    await until(() => sink.owned.length === 2, 'it to have all');
    const lost = sink.events.once('dataLoss');
    await link.commands.call('FLUSHALL');
    await lost;
    await publish(0, 3);
    await done();
    for (const key of KEYS) expect(ofKey(seen, key)).toEqual(upTo(3));
    expect((await PartitionedStream.open(link, 'orders')).partitions).toBe(2);
  });

  it('ends when the stream is removed, and says so', async () => {
    const { link, stream } = await open(2);
    const { sink } = await join();
    const told: object[] = [];
    sink.events.on('removed', removed => told.push(removed));
    await until(() => sink.owned.length === 2, 'it to have all');
    await stream.remove();
    await until(() => sink.owned.length === 0, 'it to have none');
    expect(told).toHaveLength(2);
    expect(told).toContainEqual({ stream: 'orders.1', partition: 1 });
    await sink.close();
    expect(await link.commands.call('EXISTS', link.keys.stream('orders.0').events)).toBe(0);
  });

  it('leaves no pool behind when its stream is removed, whether a process is there or not', async () => {
    const { link, stream } = await open(3);
    const pools = () => link.registry.list('pools');
    const first = await join();
    await until(() => first.sink.owned.length === 3, 'it to have all');
    await first.sink.close();
    expect(await pools()).toEqual(['orders..billing']);
    await stream.remove();
    expect(await pools()).toEqual([]);
    await expect(listJobKeys(link, 'orders..billing')).rejects.toMatchObject({ code: 'NOT_FOUND' });

    const again = await open(3);
    const second = await join();
    const third = await join();
    await until(() => second.sink.owned.length + third.sink.owned.length === 3, 'all to have an owner');
    await again.stream.remove();
    await until(() => second.sink.owned.length + third.sink.owned.length === 0, 'them to be told');
    await second.sink.close();
    expect(await pools()).toEqual(['orders..billing']);
    await third.sink.close();
    expect(await pools()).toEqual([]);
  });

  it('is removed from all partitions, with its pool; by force also from a process, which takes the pool along', async () => {
    const { link } = await open(2);
    const pools = () => link.registry.list('pools');
    const sinks = async () => (await listSinks(link, 'orders')).map(({ stream, name }) => `${stream} ${name}`);
    const first = await join();
    await until(() => first.sink.owned.length === 2, 'it to have all');
    await expect(removeSink(link, 'orders', 'billing')).rejects.toMatchObject({ code: 'SINK_IN_USE' });
    await removeSink(link, 'orders', 'billing', { force: true });
    await until(() => first.sink.owned.length === 0, 'it to be told');
    expect([await sinks(), await pools()]).toEqual([[], ['orders..billing']]);
    await first.sink.close();
    expect(await pools()).toEqual([]);

    const second = await join();
    await until(() => second.sink.owned.length === 2, 'it to have all, anew');
    await second.sink.close();
    // One after the other: the pool is needed as long as a partition has the sink.
    await removeSink(link, 'orders.0', 'billing');
    expect([await sinks(), await pools()]).toEqual([['orders.1 billing'], ['orders..billing']]);
    await removeSink(link, 'orders.1', 'billing');
    expect([await sinks(), await pools()]).toEqual([[], []]);
    await expect(removeSink(link, 'orders', 'billing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('takes no partition that a stream of its name had before', async () => {
    const { stream } = await open(4);
    const before = await join();
    await until(() => before.sink.owned.length === 4, 'it to have all');
    await before.sink.close();
    await stream.remove();
    const { link, publish, done } = await open(2);
    const { sink } = await join();
    await publish(0, 2);
    await done();
    expect(sink.owned).toEqual([0, 1]);
    const jobs = () => listJobKeys(link, 'orders..billing');
    await until(async () => (await jobs()).length === 2, 'the jobs of before to be over');
  });

  it('refuses bad options before anything is joined', async () => {
    const link = await redis.connect();
    const bad = (options: object) => PartitionedSink.open(link, 'billing', { stream: 'orders', ...options }, () => {});
    await expect(bad({})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(bad({ partitions: 2, noAck: true })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(bad({ partitions: 2, concurrency: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(bad({ partitions: 2, from: { sinceMs: 3 } })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect(await link.registry.list('streams')).toEqual([]);
  });
});
