import { describe, expect, it } from 'vitest';
import { listPending, showSink } from '../../../src/engine/inspect/streams.ts';
import type { SinkEvent } from '../../../src/engine/streams/delivery.ts';
import { MAX_COUNT } from '../../../src/engine/streams/intake.ts';
import { Sink } from '../../../src/engine/streams/sink.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { numbers, openSink, openStream, publish, sorted, untilDone } from './sinks.ts';

describe('a sink', () => {
  const redis = useRedis();

  it('gives every event once, in order, and acknowledges it', async () => {
    const { link, stream } = await openStream(redis, 's');
    await publish(stream, 0, 500);
    const { seen, sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    await publish(stream, 500, 1500);
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(numbers(0, 1500));
    expect(sink.stats).toMatchObject({ received: 1500, acked: 1500, redelivered: 0, running: 0, waiting: 0 });
  });

  it('gives bytes, names, topics and headers as they were published', async () => {
    const { link, stream } = await openStream(redis, 's');
    const any = '\udcff\x00\n=\x1b[31m';
    await stream.publish(any, Buffer.from([0, 255, 128]), { topic: any, headers: { [any]: any } });
    await stream.publish('', Buffer.alloc(1_048_576, 7), { topic: '' });
    const events: SinkEvent[] = [];
    await openSink(redis, link, 'k', { streams: ['s'] }, event => void events.push(event));
    await untilDone(link, 's', 'k');
    expect(events[0]).toMatchObject({ name: any, payload: Buffer.from([0, 255, 128]), topic: any, deliveryCount: 1 });
    expect(events[0]?.headers).toEqual(new Map([[any, any]]));
    expect(events[1]).toMatchObject({ name: '', topic: '', stream: 's' });
    expect(events[1]?.payload.equals(Buffer.alloc(1_048_576, 7))).toBe(true);
    expect(events[0]?.atMs).toBe(Number(events[0]?.id.split('-')[0]));
  });

  it('shares its events among its consumers, and other sinks have all of them too', async () => {
    const { link, stream } = await openStream(redis, 's');
    const other = await redis.connect();
    const slowly = () => new Promise<void>(resolve => setTimeout(resolve, 1));
    const first = await openSink(redis, link, 'k', { streams: ['s'] }, slowly);
    const second = await openSink(redis, other, 'k', { streams: ['s'] }, slowly);
    const alone = await openSink(redis, link, 'other', { streams: ['s'] });
    await publish(stream, 0, 300);
    await untilDone(link, 's', 'k');
    await untilDone(link, 's', 'other');
    expect(sorted([...first.seen, ...second.seen])).toEqual(numbers(0, 300));
    expect(first.seen.length).toBeGreaterThan(20);
    expect(second.seen.length).toBeGreaterThan(20);
    expect(alone.seen).toEqual(numbers(0, 300));
  });

  it('starts at the newest or after an id when it is new, and where it was when it is not', async () => {
    const { link, stream } = await openStream(redis, 's');
    const ids = await publish(stream, 0, 10);
    const newest = await openSink(redis, link, 'newest', { streams: ['s'], from: 'newest' });
    const after = await openSink(redis, link, 'after', { streams: ['s'], from: { after: ids[4] as string } });
    await publish(stream, 10, 12);
    await untilDone(link, 's', 'newest');
    await untilDone(link, 's', 'after');
    expect(newest.seen).toEqual(['10', '11']);
    expect(after.seen).toEqual(numbers(5, 12));
    await newest.sink.close();
    await publish(stream, 12, 14);
    const again = await openSink(redis, link, 'newest', { streams: ['s'], from: 'newest' });
    await untilDone(link, 's', 'newest');
    expect(again.seen).toEqual(['12', '13']);
  });

  it.each([
    ['a pattern', 'eu.*'],
    ['an expression', /^eu\./],
    ['an exact topic', { exact: 'eu.web' }],
  ])('keeps nothing pending of what %s filters out', async (_, topic) => {
    const { link, stream } = await openStream(redis, 's');
    let mostPending = 0;
    const watching = setInterval(async () => {
      const { pendingCount } = await showSink(link, 's', 'k').catch(() => ({ pendingCount: 0 }));
      mostPending = Math.max(mostPending, pendingCount);
    }, 5);
    const { seen, sink } = await openSink(redis, link, 'k', { streams: ['s'], topic });
    for (let i = 0; i < 20; i++) {
      await publish(stream, i * 500, i * 500 + 495, 'us.web');
      await publish(stream, i * 500 + 495, (i + 1) * 500, 'eu.web');
    }
    await publish(stream, 10_000, 10_010);
    await untilDone(link, 's', 'k');
    clearInterval(watching);
    expect(seen).toHaveLength(100);
    expect(sink.stats.filtered).toBe(9910);
    // The next is read while the last is being acknowledged, together never more than the largest.
    expect(mostPending).toBeLessThanOrEqual(MAX_COUNT);
    await until(async () => (await showSink(link, 's', 'k')).filteredTotal === 9910, 'the count in Redis');
  });

  it('runs as many handlers at once as it was told, and reads no more than it can run', async () => {
    const { link, stream } = await openStream(redis, 's');
    await publish(stream, 0, 200);
    const release: (() => void)[] = [];
    const { sink } = await openSink(
      redis,
      link,
      'k',
      { streams: ['s'], concurrency: 5 },
      () => new Promise<void>(resolve => release.push(resolve)),
    );
    await until(() => release.length === 5, 'five handlers');
    const { pendingCount } = await showSink(link, 's', 'k');
    expect(pendingCount).toBe(5);
    expect(sink.stats.running).toBe(5);
    while (sink.stats.acked < 200) {
      for (const go of release.splice(0)) go();
      await new Promise(setImmediate);
    }
    await untilDone(link, 's', 'k');
  });

  it('takes up and drops streams while it runs, and keeps its place on a dropped one', async () => {
    const { link, stream: a } = await openStream(redis, 'a');
    const b = await EventStream.open(link, 'b');
    const { seen, sink } = await openSink(redis, link, 'k', { streams: ['a'], blockMs: 30_000 });
    await publish(a, 0, 2);
    await untilDone(link, 'a', 'k');
    await publish(b, 2, 3);
    await sink.addStream('b', { from: 'newest' });
    await publish(b, 3, 5);
    await untilDone(link, 'b', 'k');
    await sink.removeStream('a');
    await publish(a, 5, 7);
    await publish(b, 7, 8);
    await untilDone(link, 'b', 'k');
    expect(seen).toEqual(['0', '1', '3', '4', '7']);
    expect(sink.streams).toEqual(['b']);
    expect(await showSink(link, 'a', 'k')).toMatchObject({ consumerCount: 0, lag: { count: 2 } });
    await sink.addStream('a');
    await untilDone(link, 'a', 'k');
    expect(seen.slice(5)).toEqual(['5', '6']);
    await expect(sink.addStream('a')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('fans in: many streams, one handler', async () => {
    const link = await redis.connect();
    const names = Array.from({ length: 50 }, (_, i) => `s${i}`);
    const streams = await Promise.all(names.map(name => EventStream.open(link, name)));
    const { seen } = await openSink(redis, link, 'k', { streams: names, concurrency: 10 });
    await Promise.all(streams.map((stream, i) => publish(stream, i * 20, (i + 1) * 20)));
    await until(() => seen.length === 1000, 'all events');
    expect(sorted(seen)).toEqual(numbers(0, 1000));
  });

  it('reads a stream that has much in large batches, however many others there are, and the others in between', async () => {
    const { link, stream } = await openStream(redis, 's-0');
    const streams = numbers(0, 100).map(n => `s-${n}`);
    const quiet = await EventStream.open(link, 's-99');
    await publish(stream, 0, 20_000);
    const { seen } = await openSink(redis, link, 'k', { streams }, () => {
      if (seen.length === 5000) void quiet.publish('n', 'quiet');
    });
    await until(() => seen.length === 20_001, 'all to be handled');
    expect(seen.indexOf('quiet')).toBeLessThan(15_000);
    const calls = /cmdstat_xreadgroup:calls=(\d+)/.exec(String(await link.commands.call('INFO', 'commandstats')))?.[1];
    // A hundredth of the room for each would take 4,000.
    expect(Number(calls)).toBeLessThan(1000);
  });

  it('hands out an event that was refused again, after the delay it was given', async () => {
    const { link, stream } = await openStream(redis, 's');
    const times: number[] = [];
    const { seen, sink } = await openSink(redis, link, 'k', { streams: ['s'] }, event => {
      times.push(performance.now());
      if (event.payload.toString() === '0' && event.deliveryCount === 1) event.nack(200);
    });
    await publish(stream, 0, 3);
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['0', '1', '2', '0']);
    expect((times[3] as number) - (times[0] as number)).toBeGreaterThan(180);
    expect(sink.stats).toMatchObject({ retried: 1, redelivered: 1, acked: 3 });
    await until(async () => (await showSink(link, 's', 'k')).redeliveredTotal === 1, 'the count in Redis');
  });

  it('lets what a handler says first count', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'] }, event => {
      event.ack();
      event.deadLetter('too late');
      throw new Error('after the acknowledgement');
    });
    await publish(stream, 0, 1);
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['0']);
    expect(told.deadLetter).toEqual([]);
    expect(told.failed).toMatchObject([{ deliveryCount: 1, error: { message: 'after the acknowledgement' } }]);
  });

  it('delivers at most once without acknowledgement', async () => {
    const { link, stream } = await openStream(redis, 's');
    await publish(stream, 0, 100);
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], noAck: true }, event => {
      if (event.payload.toString() === '3') throw new Error('lost');
      if (event.payload.toString() === '4') event.deadLetter('kept');
    });
    await until(() => seen.length === 100, 'all events');
    expect(seen).toEqual(numbers(0, 100));
    expect(await listPending(link, 's', 'k')).toEqual([]);
    await until(() => told.deadLetter.length === 1, 'the dead letter');
    expect((await showSink(link, 's', 'k')).deadCount).toBe(1);
  });

  it('refuses a consumer with other settings, until the others are gone', async () => {
    const { link } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'], topic: 'a' });
    const options = { streams: ['s'], topic: 'b' };
    await expect(Sink.open(link, 'k', options, () => {})).rejects.toMatchObject({
      code: 'CONFIG_MISMATCH',
      kind: 'outcome',
      message: expect.stringMatching(/glob:a.*glob:b/),
    });
    expect((await showSink(link, 's', 'k')).consumerCount).toBeLessThanOrEqual(1);
    await sink.close();
    await openSink(redis, link, 'k', { streams: ['s'], topic: 'b' });
  });

  it('refuses bad options, names and types, and leaves nothing behind', async () => {
    const link = await redis.connect();
    const handler = () => {};
    const bad = async (name: string, options: object) => Sink.open(link, name, { streams: ['s'], ...options }, handler);
    await expect(bad('a b', {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(bad('k', { concurrency: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(bad('k', { foo: 1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(bad('k', { topic: 5 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(bad('k', { from: { sinceMs: 5 } })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(bad('k', { streams: ['x y'] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const { events, sinks, meta } = link.keys.stream('s');
    await link.commands.call('SET', sinks, 'x');
    await expect(bad('k', {})).rejects.toMatchObject({ code: 'WRONG_TYPE', message: expect.stringContaining(sinks) });
    expect(await link.commands.call('EXISTS', events, meta)).toBe(0);
  });

  it('deletes its consumer when it leaves, and never the sink', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    await publish(stream, 0, 3);
    await untilDone(link, 's', 'k');
    expect((await showSink(link, 's', 'k')).consumers).toMatchObject([{ name: sink.consumer, alive: true }]);
    await sink.close();
    await sink.close();
    expect(await showSink(link, 's', 'k')).toMatchObject({ consumers: [], lag: { count: 0, exact: true } });
    await expect(sink.addStream('t')).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
