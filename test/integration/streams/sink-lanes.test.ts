import { describe, expect, it } from 'vitest';
import { listDead } from '../../../src/engine/inspect/events.ts';
import { listPending, showSink } from '../../../src/engine/inspect/streams.ts';
import type { SinkEvent } from '../../../src/engine/streams/delivery.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { numbers, openSink, openStream, publish, sorted, untilDone } from './sinks.ts';

/** Payloads are numbers; those with the same last digit are of one lane. */
const lastDigit = ({ payload }: { payload: Buffer }) => payload.toString().slice(-1);
const forever = () => new Promise<void>(() => {});

describe('lanes of a sink', () => {
  const redis = useRedis();

  it('handle one event of a lane at a time, in order, and many lanes at once', async () => {
    const { link, stream } = await openStream(redis, 's');
    await publish(stream, 0, 400);
    const atWork = new Set<string>();
    let most = 0;
    let overlaps = 0;
    const { seen } = await openSink(
      redis,
      link,
      'k',
      { streams: ['s'], concurrency: 8, laneBy: lastDigit },
      async event => {
        const lane = lastDigit(event);
        if (atWork.has(lane)) overlaps++;
        atWork.add(lane);
        most = Math.max(most, atWork.size);
        await new Promise(resolve => setTimeout(resolve, Number(event.payload.toString()) % 3));
        atWork.delete(lane);
      },
    );
    await untilDone(link, 's', 'k');
    expect(overlaps).toBe(0);
    expect(most).toBe(8);
    for (const digit of numbers(0, 10)) {
      expect(seen.filter(payload => payload.endsWith(digit))).toEqual(
        numbers(0, 400).filter(payload => payload.endsWith(digit)),
      );
    }
  });

  it('are topics, and events without one wait for nobody', async () => {
    const { link, stream } = await openStream(redis, 's');
    let running = 0;
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'], concurrency: 10, laneBy: 'topic' }, () => {
      running++;
      return forever();
    });
    await publish(stream, 0, 3, 'a');
    await publish(stream, 3, 6, 'b');
    await publish(stream, 6, 9);
    await until(() => running === 5, 'one of each topic and all without');
    expect(seen).toEqual(['0', '3', '6', '7', '8']);
  });

  it('stay closed while a refused event waits for its next delivery; others go on', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'], laneBy: lastDigit }, event => {
      if (event.payload.toString() === '1' && event.deliveryCount < 3) event.nack(100);
    });
    await publish(stream, 0, 40);
    await untilDone(link, 's', 'k');
    const ofOne = seen.filter(payload => payload.endsWith('1'));
    expect(ofOne).toEqual(['1', '1', '1', '11', '21', '31']);
    // All of the others were through before it came again.
    expect(seen.indexOf('11')).toBe(seen.length - 3);
    expect(sorted(seen.filter(payload => !payload.endsWith('1')))).toEqual(
      numbers(0, 40).filter(payload => !payload.endsWith('1')),
    );
  });

  it('go on behind an event that becomes a dead letter', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen } = await openSink(
      redis,
      link,
      'k',
      { streams: ['s'], laneBy: lastDigit, maxDeliveries: 2 },
      event => {
        if (event.payload.toString() === '1') throw new Error('poison');
        if (event.payload.toString() === '2') event.deadLetter('of no use');
      },
    );
    await publish(stream, 0, 20);
    await untilDone(link, 's', 'k');
    expect(seen.filter(payload => payload.endsWith('1'))).toEqual(['1', '1', '11']);
    expect(seen).toContain('12');
    expect((await showSink(link, 's', 'k')).deadCount).toBe(2);
  });

  it('wait for a handler that settled its event early, and for one whose event went elsewhere', async () => {
    const { link, stream } = await openStream(redis, 's');
    const held: { event: SinkEvent; end: () => void }[] = [];
    const { seen } = await openSink(
      redis,
      link,
      'k',
      { streams: ['s'], concurrency: 4, claimIdleMs: 500, laneBy: lastDigit },
      event => {
        if (event.payload.toString() === '0') event.ack();
        return new Promise<void>(end => held.push({ event, end }));
      },
    );
    const ids = await stream.publishMany(['0', '1', '10', '11'].map(payload => ({ name: 'n', payload })));
    await until(() => held.length === 2, 'both lanes');
    await link.commands.call('XCLAIM', link.keys.stream('s').events, 'k', 'other', 0, ids[1] as string);
    await until(() => held[1]?.event.signal.aborted, 'the handler to be told');
    await until(async () => (await listPending(link, 's', 'k')).every(({ id }) => id !== ids[0]), 'the ack');
    expect(seen).toEqual(['0', '1']);
    for (const { end } of held.splice(0)) end();
    await until(() => held.length === 2, 'the next of each lane');
    expect(sorted(seen)).toEqual(['0', '1', '10', '11']);
    for (const { end } of held) end();
  });

  it('put what is claimed in its place among what waits', async () => {
    const { link, stream } = await openStream(redis, 's');
    const options = { streams: ['s'], concurrency: 2, claimIdleMs: 500, laneBy: () => 'one' };
    const opened = await openSink(redis, link, 'k', options);
    await opened.sink.close();
    await publish(stream, 0, 5);
    const { events } = link.keys.stream('s');
    await link.commands.call('XREADGROUP', 'GROUP', 'k', 'vanished', 'COUNT', 3, 'STREAMS', events, '>');
    let release = () => {};
    const { seen, sink } = await openSink(redis, link, 'k', options, event => {
      if (event.payload.toString() !== '3') return;
      return new Promise<void>(resolve => {
        release = resolve;
      });
    });
    await until(() => sink.stats.claimed === 3, 'the claim');
    await until(() => sink.stats.waiting === 4, 'all to wait');
    release();
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['3', '0', '1', '2', '4']);
  });

  it('read on past a lane that stands still, until there is no more room', async () => {
    const { link, stream } = await openStream(redis, 's');
    await publish(stream, 0, 2000);
    const laneBy = ({ payload }: { payload: Buffer }) => (Number(payload.toString()) < 1000 ? 'stuck' : undefined);
    const { seen, sink } = await openSink(
      redis,
      link,
      'k',
      { streams: ['s'], concurrency: 2, maxInFlight: 1200, laneBy },
      event => (event.payload.toString() === '0' ? forever() : undefined),
    );
    await until(() => seen.length === 1001, 'all that is in no lane');
    expect(sink.stats).toMatchObject({ running: 1, waiting: 999 });
    expect((await listPending(link, 's', 'k', { count: 2000 })).length).toBe(1000);
    await sink.close();

    const small = await openSink(
      redis,
      link,
      'small',
      { streams: ['s'], concurrency: 2, maxInFlight: 20, laneBy },
      forever,
    );
    await until(() => small.sink.stats.waiting === 19, 'it to be full');
    await new Promise(resolve => setTimeout(resolve, 200));
    expect((await listPending(link, 's', 'small')).length).toBe(20);
  });

  it('hold no more bytes than a few batches', async () => {
    const { link, stream } = await openStream(redis, 's');
    const payload = 'x'.repeat(10_000);
    for (let i = 0; i < 10; i++) await stream.publishMany(Array.from({ length: 100 }, () => ({ name: 'n', payload })));
    const options = { streams: ['s'], concurrency: 2, maxBatchBytes: 100_000, laneBy: () => 'one' };
    const { sink } = await openSink(redis, link, 'k', options, forever);
    await until(() => sink.stats.waiting > 155, 'it to be full');
    await new Promise(resolve => setTimeout(resolve, 200));
    expect(sink.stats.waiting).toBeLessThan(200);
  });

  it('hand back what waited as if it had never been delivered, and let go of a stream that is dropped', async () => {
    const { link, stream: a } = await openStream(redis, 'a');
    const b = await EventStream.open(link, 'b');
    let release = () => {};
    const first = await openSink(
      redis,
      link,
      'k',
      { streams: ['a', 'b'], concurrency: 2, laneBy: () => 'one' },
      event => {
        if (event.stream !== 'a') return;
        return new Promise<void>(resolve => {
          release = resolve;
        });
      },
    );
    await publish(a, 0, 5);
    await until(() => first.sink.stats.waiting === 4, 'the lane to be held');
    await publish(b, 5, 8);
    await until(() => first.sink.stats.waiting === 7, 'the other stream to wait');
    const removing = first.sink.removeStream('a');
    await until(() => first.sink.stats.waiting === 3, 'what waits of it to be taken out');
    release();
    await removing;
    await untilDone(link, 'b', 'k');
    expect(first.seen).toEqual(['0', '5', '6', '7']);
    await first.sink.close();
    const counts: number[] = [];
    await openSink(redis, link, 'k', { streams: ['a'] }, event => void counts.push(event.deliveryCount));
    await untilDone(link, 'a', 'k');
    expect(counts).toEqual([1, 1, 1, 1]);
  });

  it('keep as a dead letter what has no lane because it cannot be told', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen } = await openSink(redis, link, 'k', {
      streams: ['s'],
      laneBy: ({ payload }) => JSON.parse(payload.toString()).customer,
    });
    await stream.publish('n', '{"customer":"c"}');
    await stream.publish('n', 'no json');
    await stream.publish('n', '{}');
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['{"customer":"c"}', '{}']);
    expect((await listDead(link, 's', 'k')).map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^no lane: SyntaxError/),
    ]);
  });

  it('work without acknowledgement too', async () => {
    const { link, stream } = await openStream(redis, 's');
    const options = { streams: ['s'], noAck: true, concurrency: 4, laneBy: lastDigit };
    const { seen } = await openSink(redis, link, 'k', options, event => {
      if (event.payload.toString() === '3') throw new Error('lost');
      if (event.payload.toString() === '4') event.deadLetter('kept');
      return new Promise<void>(resolve => setTimeout(resolve, 1));
    });
    await publish(stream, 0, 100);
    await until(() => seen.length === 100, 'all events');
    expect(seen.filter(payload => payload.endsWith('3'))).toEqual(
      numbers(0, 100).filter(payload => payload.endsWith('3')),
    );
  });

  it('are refused when they are neither a topic nor a function', async () => {
    const link = await redis.connect();
    await expect(openSink(redis, link, 'k', { streams: ['s'], laneBy: 'key' as 'topic' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
  });
});
