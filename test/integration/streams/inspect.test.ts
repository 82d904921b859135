import { describe, expect, it } from 'vitest';
import { replayDead } from '../../../src/engine/admin/dead-letters.ts';
import { listDead, listEvents } from '../../../src/engine/inspect/events.ts';
import { listPending, listSinks, listStreams, showSink, showStream } from '../../../src/engine/inspect/streams.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { openSink, openStream, publish, untilDone } from './sinks.ts';

describe('looking at streams', () => {
  const redis = useRedis();

  it('shows streams and sinks without joining or writing', async () => {
    const { link, stream } = await openStream(redis, 's');
    await EventStream.open(link, 'empty');
    const ids = await publish(stream, 0, 10);
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'], concurrency: 2 }, event => {
      if (Number(event.payload) === 3) event.deadLetter('no use');
      return Number(event.payload) >= 4 ? new Promise<void>(() => {}) : undefined;
    });
    const observer = await redis.connect({ access: 'read-only' });
    await until(async () => {
      const { deadCount, pendingCount } = await showSink(observer, 's', 'k');
      return deadCount === 1 && pendingCount >= 2 && sink.stats.running === 2;
    }, 'two events to stay pending');
    const { pendingCount, lag } = await showSink(observer, 's', 'k');
    expect(pendingCount + (lag.count ?? 0)).toBe(6);
    expect(lag.exact).toBe(true);
    expect(await listStreams(observer)).toMatchObject([
      { name: 'empty', length: 0, addedTotal: 0, firstId: null, lastId: null, lastAtMs: null, sinkCount: 0 },
      {
        name: 's',
        length: 10,
        addedTotal: 10,
        firstId: ids[0],
        lastId: ids[9],
        lastAtMs: Number(ids[9]?.split('-')[0]),
        sinkCount: 1,
        maxLag: lag,
        maxPendingCount: pendingCount,
        deadCount: 1,
      },
    ]);
    const shown = await showSink(observer, 's', 'k');
    expect(shown).toMatchObject({ name: 'k', stream: 's', consumerCount: 1, lostTotal: 0, filteredTotal: 0 });
    expect(shown.oldestPendingMs).toBeGreaterThanOrEqual(0);
    expect(shown.oldestPendingMs).toBeLessThan(60_000);
    expect(shown.consumers).toMatchObject([{ name: sink.consumer, pendingCount, alive: true }]);
    expect((await listPending(observer, 's', 'k', { count: 1 }))[0]).toMatchObject({
      id: ids[4],
      consumer: sink.consumer,
      deliveryCount: 1,
    });
    expect(await listSinks(observer)).toHaveLength(1);
    expect(await listDead(observer, 's', 'k')).toMatchObject([{ id: ids[3], reason: 'no use', deliveryCount: 1 }]);
    expect((await listEvents(observer, 's', { count: 2 })).map(event => event.id)).toEqual(ids.slice(8));
    expect(JSON.parse(JSON.stringify(shown))).toEqual(shown);
  });

  it('shows a consumer that has not been given anything yet', async () => {
    const { link } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    const consumer = { name: sink.consumer, pendingCount: 0, alive: true };
    expect(await showSink(link, 's', 'k')).toMatchObject({ consumerCount: 1, consumers: [consumer] });
  });

  it('counts the consumers that are alive, and not the one that holds replayed events', async () => {
    const { link, stream } = await openStream(redis, 's');
    const settings = { streams: ['s'], maxDeliveries: 1, claimIdleMs: 60_000 };
    const first = await openSink(redis, link, 'k', settings, () => Promise.reject(new Error('no use')));
    await publish(stream, 0, 1);
    await until(async () => (await listDead(link, 's', 'k')).length === 1, 'a dead letter');
    await first.sink.close();
    await link.commands.call('XGROUP', 'CREATECONSUMER', link.keys.stream('s').events, 'k', 'gone');
    const [dead] = await listDead(link, 's', 'k');
    await replayDead(link, 's', 'k', [dead?.deadId ?? ''], {}, () => {});
    const [pending] = await listPending(link, 's', 'k');
    expect(pending).toMatchObject({ consumer: 'replay' });
    const shown = await showSink(link, 's', 'k');
    expect(shown.consumerCount).toBe(0);
    expect(shown.consumers.map(({ name }) => name)).not.toContain('replay');
    expect(shown.consumers).toContainEqual(expect.objectContaining({ name: 'gone', alive: false }));
    await openSink(redis, link, 'k', settings);
    await until(async () => (await showSink(link, 's', 'k')).consumerCount === 1, 'the consumer');
  });

  it('says that a consumer is not alive whose lease is over', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    await publish(stream, 0, 1);
    await untilDone(link, 's', 'k');
    await link.commands.call('ZADD', link.keys.stream('s').consumers('k'), 'XX', 1, sink.consumer);
    expect((await showSink(link, 's', 'k')).consumers).toMatchObject([{ name: sink.consumer, alive: false }]);
  });

  it('tells of a sink that has events to come and no consumer for a week, until one comes', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    await sink.close();
    expect((await showSink(link, 's', 'k')).attendedAtMs).toBeGreaterThan(Date.now() - 60_000);
    const attendedAtMs = Date.now() - 8 * 86_400_000;
    const { sinks } = link.keys.stream('s');
    const abandon = () => link.commands.call('HSET', sinks, 'k:attendedAtMs', attendedAtMs);
    await abandon();
    expect(await showStream(link, 's')).toMatchObject({ abandoned: [] });
    await publish(stream, 0, 1);
    expect(await showStream(link, 's')).toMatchObject({ abandoned: [{ sink: 'k', attendedAtMs }] });
    await openSink(redis, link, 'k', { streams: ['s'], claimIdleMs: 300 }, () => new Promise<void>(() => {}));
    expect(await showStream(link, 's')).toMatchObject({ abandoned: [] });
    await abandon();
    await until(
      async () => (await showStream(link, 's')).abandoned.length === 0,
      'the consumer to say that it is there',
    );
  });

  it('never shows a lag of 0 while events are unread, whatever was deleted', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    await publish(stream, 0, 10);
    await untilDone(link, 's', 'k');
    await sink.close();
    const ids = await publish(stream, 10, 30);
    const { events } = link.keys.stream('s');
    expect((await showSink(link, 's', 'k')).lag).toEqual({ count: 20, exact: true });
    await link.commands.call('XDEL', events, ids[15] as string);
    const { lag } = await showSink(link, 's', 'k');
    expect(lag.exact).toBe(false);
    expect(lag.count).toBeGreaterThan(0);
    await stream.trim({ maxLength: 5 });
    expect((await showSink(link, 's', 'k')).lag).toEqual({ count: 5, exact: true });
  });

  it('shows groups made by another program', async () => {
    const { link } = await openStream(redis, 's');
    await link.commands.call('XGROUP', 'CREATE', link.keys.stream('s').events, 'a group: of others', '0');
    expect(await listSinks(link, 's')).toMatchObject([{ name: 'a group: of others', consumers: [], deadCount: 0 }]);
  });

  it('shows entries that are no events, and cuts long payloads', async () => {
    const { link, stream } = await openStream(redis, 's');
    await stream.publish('long', 'ü'.repeat(5000), { headers: { a: 'b' } });
    await stream.publish('bytes', Buffer.from([0xff, 0]));
    await link.commands.call('XADD', link.keys.stream('s').events, '*', 'x', 'y');
    const [long, bytes, malformed] = await listEvents(link, 's');
    expect(long?.payload).toEqual({ encoding: 'utf8', data: 'ü'.repeat(2048), sizeBytes: 10_000 });
    expect(long?.headers).toEqual([['a', 'b']]);
    expect(bytes?.payload).toEqual({ encoding: 'base64', data: '/wA=', sizeBytes: 2 });
    expect(malformed).toMatchObject({ name: null, payload: null, malformed: 'entry has no name (field n)' });
  });

  it('finds nothing that does not exist', async () => {
    const { link } = await openStream(redis, 's');
    const notFound = { code: 'NOT_FOUND' };
    await expect(showStream(link, 'other')).rejects.toMatchObject(notFound);
    await expect(listSinks(link, 'other')).rejects.toMatchObject(notFound);
    await expect(showSink(link, 's', 'other')).rejects.toMatchObject(notFound);
    await expect(listPending(link, 's', 'other')).rejects.toMatchObject(notFound);
    await expect(listDead(link, 's', 'other')).rejects.toMatchObject(notFound);
    await expect(listEvents(link, 'other')).rejects.toMatchObject(notFound);
    // A name that outlived its stream.
    await link.registry.add('streams', 'ghost');
    expect((await listStreams(link)).map(({ name }) => name)).toEqual(['s']);
  });

  it('names the key of another type', async () => {
    const { link } = await openStream(redis, 's');
    await link.commands.call('DEL', link.keys.stream('s').events);
    await link.commands.call('SET', link.keys.stream('s').events, 'x');
    await expect(showStream(link, 's')).rejects.toMatchObject({ code: 'WRONG_TYPE' });
  });
});
