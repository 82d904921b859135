import { describe, expect, it } from 'vitest';
import { listDead } from '../../../src/engine/inspect/events.ts';
import { listPending, showSink } from '../../../src/engine/inspect/streams.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { SinkEvent } from '../../../src/engine/streams/delivery.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { numbers, openSink, openStream, publish, sorted, untilDone } from './sinks.ts';

/** Long for an idle machine; a busy one may still claim from itself, which is why few tests count deliveries. */
const CLAIM_MS = 500;

const forever = () => new Promise<void>(() => {});

describe('a sink that meets trouble', () => {
  const redis = useRedis();

  /** Reads with a consumer of no process: it has a name, and will never be heard of again. */
  async function abandon(link: RedisLink, stream: string, sink: string, count: number): Promise<void> {
    const { events } = link.keys.stream(stream);
    await link.commands.call('XREADGROUP', 'GROUP', sink, 'vanished', 'COUNT', count, 'STREAMS', events, '>');
  }

  it('claims what a consumer left that vanished, oldest first, and deletes the consumer', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS });
    await sink.close();
    await publish(stream, 0, 120);
    await abandon(link, 's', 'k', 100);
    const counts = new Map<string, number>();
    const {
      seen,
      told,
      sink: second,
    } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS }, event => {
      counts.set(event.payload.toString(), event.deliveryCount);
    });
    await untilDone(link, 's', 'k');
    expect(sorted(seen)).toEqual(numbers(0, 120));
    const claimed = seen.map(Number).filter(number => number < 100);
    // One pass over the pending list, or one that was under way when the events became old enough, and the next.
    expect(claimed.filter((number, at) => at > 0 && number < (claimed[at - 1] as number)).length).toBeLessThanOrEqual(
      1,
    );
    expect(counts.get('0')).toBe(2);
    expect(counts.get('119')).toBe(1);
    expect(second.stats).toMatchObject({ claimed: 100, redelivered: 100 });
    expect(told.error).toEqual([]);
    await until(
      async () => (await showSink(link, 's', 'k')).consumers.every(({ name }) => name !== 'vanished'),
      'the vanished consumer to be deleted',
    );
  });

  it('never deletes a consumer with something pending', async () => {
    const { link, stream } = await openStream(redis, 's');
    const claimIdleMs = 60_000;
    const first = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs });
    await first.sink.close();
    await publish(stream, 0, 1);
    await abandon(link, 's', 'k', 1);
    const { consumers } = link.keys.stream('s');
    await link.commands.call('ZADD', consumers('k'), 1, 'vanished');
    const script = await import('../../../src/engine/streams/scripts.gen.ts');
    const { events, meta } = link.keys.stream('s');
    const keys = { events, meta, consumers: consumers('k') };
    const sweep = () => link.commands.run(script.sweepConsumersScript, keys, { sink: 'k', lease_ms: 0 });
    expect(await sweep()).toEqual({ status: 'OK', deleted: 0, aged: 0 });
    expect(await listPending(link, 's', 'k')).toMatchObject([{ consumer: 'vanished', deliveryCount: 1 }]);
    await link.commands.call('XACK', keys.events, 'k', String((await listPending(link, 's', 'k'))[0]?.id));
    expect(await sweep()).toEqual({ status: 'OK', deleted: 1, aged: 0 });
  });

  it('shares the claiming: no event is claimed twice', async () => {
    const { link, stream } = await openStream(redis, 's');
    const opened = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: 2000 });
    await opened.sink.close();
    await publish(stream, 0, 2000);
    await abandon(link, 's', 'k', 2000);
    const links = await Promise.all([1, 2, 3].map(() => redis.connect()));
    const all = await Promise.all(
      links.map(other => openSink(redis, other, 'k', { streams: ['s'], claimIdleMs: 2000 })),
    );
    await untilDone(link, 's', 'k');
    expect(sorted(all.flatMap(({ seen }) => seen))).toEqual(numbers(0, 2000));
  });

  it('leaves an event with a handler that is slow, however long, without counting deliveries', async () => {
    const { link, stream } = await openStream(redis, 's');
    const other = await redis.connect();
    const controller = new AbortController();
    const slow = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS }, event => {
      if (event.payload.toString() !== '0') return;
      event.signal.addEventListener('abort', () => controller.abort());
      return new Promise<void>(resolve => setTimeout(resolve, 4 * CLAIM_MS));
    });
    await publish(stream, 0, 1);
    await until(() => slow.seen.length === 1, 'the slow handler');
    const eager = await openSink(redis, other, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS });
    let mostDeliveries = 0;
    await until(async () => {
      const [pending] = await listPending(link, 's', 'k');
      mostDeliveries = Math.max(mostDeliveries, pending?.deliveryCount ?? 0);
      return pending === undefined;
    }, 'the slow handler to end');
    expect(mostDeliveries).toBe(1);
    expect(eager.seen).toEqual([]);
    expect(slow.seen).toEqual(['0']);
    expect(slow.sink.stats).toMatchObject({ acked: 1, redelivered: 0 });
    expect(controller.signal.aborted).toBe(false);
  });

  it('tells a handler that its event went to another consumer', async () => {
    const { link, stream } = await openStream(redis, 's');
    let signal: AbortSignal | undefined;
    const { told, sink } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS }, event => {
      signal = event.signal;
      return forever();
    });
    const [id] = await publish(stream, 0, 1);
    await until(() => signal, 'the handler');
    await link.commands.call('XCLAIM', link.keys.stream('s').events, 'k', 'other', 0, id as string);
    await until(() => signal?.aborted, 'the signal');
    expect(told.moved).toEqual([{ stream: 's', id }]);
    await sink.close();
    expect(await listPending(link, 's', 'k')).toMatchObject([{ consumer: 'other' }]);
  });

  it('gives up on an event that fails every time, and keeps it with the reason', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], maxDeliveries: 3 }, event => {
      if (event.payload.toString() === '1') throw new Error('poison');
    });
    await stream.publish('good', '0');
    const id = await stream.publish('bad', '1', { topic: 't', headers: { a: 'b' } });
    await publish(stream, 2, 50);
    await untilDone(link, 's', 'k');
    expect(seen.filter(payload => payload === '1')).toHaveLength(3);
    expect(seen.filter(payload => payload !== '1')).toEqual(['0', ...numbers(2, 50)]);
    expect(told.failed).toHaveLength(3);
    await until(() => told.deadLetter.length === 1, 'the dead letter to be told');
    expect(told.deadLetter).toMatchObject([{ id, deliveryCount: 3 }]);
    expect(await showSink(link, 's', 'k')).toMatchObject({ deadCount: 1, pendingCount: 0, redeliveredTotal: 2 });
    expect(await listDead(link, 's', 'k')).toMatchObject([
      {
        id,
        name: 'bad',
        topic: 't',
        headers: [['a', 'b']],
        payload: { data: '1' },
        deliveryCount: 3,
        reason: 'delivered 3 times, last: Error: poison',
      },
    ]);
  });

  it('counts the deliveries of consumers that died', async () => {
    const { link, stream } = await openStream(redis, 's');
    const opened = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS, maxDeliveries: 2 });
    await opened.sink.close();
    const [id] = await publish(stream, 0, 1);
    await abandon(link, 's', 'k', 1);
    // A second consumer got it, and died as well.
    await link.commands.call('XCLAIM', link.keys.stream('s').events, 'k', 'second', 0, id as string, 'IDLE', 1000);
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS, maxDeliveries: 2 });
    await until(async () => (await showSink(link, 's', 'k')).deadCount === 1, 'the dead letter');
    expect(seen).toEqual([]);
    expect(await listDead(link, 's', 'k')).toMatchObject([
      { id, deliveryCount: 2, reason: 'delivered 2 times, never settled' },
    ]);
    expect(await listPending(link, 's', 'k')).toEqual([]);
  });

  it('keeps entries that are no events as dead letters, and goes on', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen, sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    const { events } = link.keys.stream('s');
    await publish(stream, 0, 1);
    await link.commands.call('XADD', events, '*', 'foo', Buffer.from([0xff, 0x00]));
    await link.commands.call('XADD', events, '*', ...Array.from({ length: 2000 }, (_, i) => `f${i}`));
    await link.commands.call('XADD', events, '*', 'n', 'x', 'p', 'x', 'h', 'no json');
    await publish(stream, 1, 2);
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['0', '1']);
    const dead = await listDead(link, 's', 'k');
    expect(dead.map(letter => letter.reason).sort()).toEqual([
      'malformed: entry has 1000 fields',
      'malformed: entry has no name (field n)',
      'malformed: headers (field h) are no JSON array of pairs',
    ]);
    expect(sink.stats.deadLettered).toBe(3);
  });

  it('keeps all of an entry that is no event, or says how much it does not keep', async () => {
    const { link } = await openStream(redis, 's');
    const { events, dead } = link.keys.stream('s');
    const values = (count: number) => Array.from({ length: count }, (_, i) => `v${i}`);
    await openSink(redis, link, 'k', { streams: ['s'] });
    await link.commands.call('XADD', events, '*', ...values(7000));
    await link.commands.call('XADD', events, '*', ...values(20_000));
    await untilDone(link, 's', 'k');
    const letters = (await link.commands.call('XRANGE', dead('k'), '-', '+')) as [Buffer, Buffer[]][];
    expect(letters.map(([, fields]) => fields.slice(6).map(String))).toEqual([values(7000), values(7000)]);
    expect(letters.map(([, fields]) => String(fields[5]))).toEqual([
      'malformed: entry has 3500 fields',
      'malformed: entry has 10000 fields (6500 of its 10000 fields are not kept)',
    ]);
  });

  it('lets a handler put an event away at once', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] }, event => event.deadLetter('of no use'));
    await publish(stream, 0, 2);
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['0', '1']);
    expect((await listDead(link, 's', 'k')).map(letter => letter.reason)).toEqual(['of no use', 'of no use']);
  });

  it('drops the oldest dead letters over the cap', async () => {
    const { link, stream } = await openStream(redis, 's');
    const options = { streams: ['s'], maxDeadLetters: 3 };
    await openSink(redis, link, 'k', options, event => event.deadLetter('no'));
    await publish(stream, 0, 10);
    await untilDone(link, 's', 'k');
    expect((await listDead(link, 's', 'k')).map(letter => letter.payload?.data)).toEqual(['9', '8', '7']);
    expect(String(await link.commands.call('HGET', link.keys.stream('s').sinks, 'k:deadDropped'))).toBe('7');
  });

  it('delivers on a new connection what was read and never arrived, without waiting for a claim', async () => {
    const { link: direct, stream } = await openStream(redis, 's');
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 500 });
    const counts: number[] = [];
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: 60_000 }, event => {
      counts.push(event.deliveryCount);
    });
    await publish(stream, 0, 1);
    await until(() => seen.length === 1, 'the first event');
    proxy.mode = 'swallow';
    await publish(stream, 1, 11);
    await until(async () => (await listPending(direct, 's', 'k')).length > 0, 'the sink to read in vain');
    proxy.cut();
    proxy.mode = 'pass';
    await untilDone(direct, 's', 'k');
    expect(seen).toEqual(numbers(0, 11));
    expect(counts.every(count => count === 1)).toBe(true);
  });

  it('notices a half-open connection and goes on', async () => {
    const { link: direct, stream } = await openStream(redis, 's');
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 300 });
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], blockMs: 100, claimIdleMs: 60_000 });
    await publish(stream, 0, 1);
    await untilDone(direct, 's', 'k');
    proxy.mode = 'blackhole';
    await publish(stream, 1, 3);
    await until(() => told.disconnected.length > 0, 'the loss to be noticed', { limitMs: 5000 });
    proxy.mode = 'pass';
    await untilDone(direct, 's', 'k');
    expect(seen).toEqual(['0', '1', '2']);
  });

  it('survives kills of all its connections under load, and loses nothing', async () => {
    const { link, stream } = await openStream(redis, 's');
    const other = await redis.connect();
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    const publishing = await EventStream.open(other, 's');
    for (let i = 0; i < 10; i++) {
      await publish(publishing, i * 100, (i + 1) * 100);
      const list = String(await other.commands.call('CLIENT', 'LIST'));
      const own = String(await other.commands.call('CLIENT', 'ID'));
      for (const [, id] of list.matchAll(/^id=(\d+) /gm)) {
        if (id !== own) await other.commands.call('CLIENT', 'KILL', 'ID', id as string).catch(() => {});
      }
    }
    await untilDone(other, 's', 'k');
    expect([...new Set(sorted(seen))]).toEqual(numbers(0, 1000));
    expect(stream.name).toBe('s');
  });

  it('makes its group anew after a flush, tells of the loss once, and reads what comes then', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS });
    await publish(stream, 0, 3);
    await untilDone(link, 's', 'k');
    await link.commands.call('FLUSHDB');
    await until(() => told.dataLoss.length === 1, 'the loss to be told', { limitMs: 3000 });
    await link.commands.call('CONFIG', 'RESETSTAT');
    await publish(stream, 3, 6);
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(numbers(0, 6));
    expect(told.dataLoss).toMatchObject([{ stream: 's', reason: 'stream' }]);
    expect(told.error).toEqual([]);
    expect(await link.registry.list('streams')).toEqual(['s']);
    const stats = String(await link.commands.call('INFO', 'commandstats'));
    expect(Number(/cmdstat_xgroup\|create:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBe(0);
  });

  it('makes a destroyed group anew where it was, never at the end', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS });
    await publish(stream, 0, 5);
    await untilDone(link, 's', 'k');
    const { events, sinks } = link.keys.stream('s');
    const last = (await showSink(link, 's', 'k')).lastDeliveredId;
    await until(async () => String(await link.commands.call('HGET', sinks, 'k:cursor')) === last, 'the cursor');
    await link.commands.call('XGROUP', 'DESTROY', events, 'k');
    await publish(stream, 5, 10);
    await untilDone(link, 's', 'k').catch(() => {});
    await until(() => seen.length === 10, 'the events since');
    expect(seen).toEqual(numbers(0, 10));
    expect(told.dataLoss).toMatchObject([{ stream: 's', reason: 'group', cursor: last }]);
  });

  it('gives un-acknowledged events again when its group was destroyed', async () => {
    const { link, stream } = await openStream(redis, 's');
    const opened = await openSink(redis, link, 'k', { streams: ['s'] });
    const ids = await publish(stream, 0, 5);
    await untilDone(link, 's', 'k');
    await opened.sink.close();
    const { events, sinks } = link.keys.stream('s');
    await link.commands.call('XGROUP', 'DESTROY', events, 'k');
    await link.commands.call('HSET', sinks, 'k:cursor', ids[2] as string);
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], from: 'newest' });
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['3', '4']);
    expect(told.dataLoss).toMatchObject([{ reason: 'group', cursor: ids[2] }]);
  });

  it('goes on with the other streams when one has another type, and with that one when it is right again', async () => {
    const { link, stream: a } = await openStream(redis, 'a');
    const b = await EventStream.open(link, 'b');
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['a', 'b'] });
    const { events } = link.keys.stream('a');
    await link.commands.call('DEL', events);
    await link.commands.call('SET', events, 'x');
    await publish(b, 0, 3);
    await untilDone(link, 'b', 'k');
    expect(seen).toEqual(['0', '1', '2']);
    await until(() => told.error.length > 0, 'the error to be told');
    expect(told.error[0]).toMatchObject({ stream: 'a', error: { code: 'WRONG_TYPE' } });
    await link.commands.call('DEL', events);
    await until(
      () =>
        publish(a, 3, 5).then(
          () => true,
          () => false,
        ),
      'a publish',
    );
    await until(() => seen.length === 5, 'the events of the first stream');
  });

  it('ends with a stream that was removed on purpose', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink, told } = await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS });
    await publish(stream, 0, 1);
    await untilDone(link, 's', 'k');
    await stream.remove();
    await until(() => told.removed.length === 1, 'the removal to be told');
    expect(told.dataLoss).toEqual([]);
    expect(sink.streams).toEqual([]);
    expect(await link.commands.call('EXISTS', link.keys.stream('s').events)).toBe(0);
  });

  it('counts what a trim took while it was pending or unread', async () => {
    const { link, stream } = await openStream(redis, 's');
    const held: SinkEvent[] = [];
    await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: CLAIM_MS, concurrency: 3 }, event => {
      held.push(event);
      return forever();
    });
    await publish(stream, 0, 10);
    await until(() => held.length === 3, 'three events in handlers');
    expect(await stream.trim({ maxLength: 2 })).toBe(8);
    await until(async () => (await showSink(link, 's', 'k')).lostTotal === 8, 'the count');
    expect((await showSink(link, 's', 'k')).pendingCount).toBe(0);
  });

  it('works on through SCRIPT FLUSH', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    for (let i = 0; i < 5; i++) {
      await link.commands.call('SCRIPT', 'FLUSH');
      await publish(stream, i * 10, (i + 1) * 10);
    }
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(numbers(0, 50));
  });
});
