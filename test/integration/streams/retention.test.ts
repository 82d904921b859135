import { describe, expect, it } from 'vitest';
import { showSink } from '../../../src/engine/inspect/streams.ts';
import type { RetentionInput } from '../../../src/engine/streams/retention.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { createStream } from '../../../src/engine/streams/whole-stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { payloadsOf, readAll } from './read-all.ts';
import { numbers, openSink, publish, untilDone } from './sinks.ts';

describe('retention of a stream', () => {
  const redis = useRedis();

  async function limited(retention: RetentionInput) {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's', { retention });
    const held = async () => payloadsOf(await readAll(link, ['s'], { onGap: 'report' }));
    /** A sink that is there and reads nothing. */
    const silentSink = async (name = 'k') => {
      const { sink } = await openSink(redis, link, name, { streams: ['s'] });
      await sink.close();
    };
    const lostOf = async (name = 'k') => (await showSink(link, 's', name)).lostTotal;
    return { link, stream, held, silentSink, lostOf };
  }

  /** Publishes one after the other in one tick, and says what became of each. */
  async function outcomes(stream: EventStream, from: number, to: number): Promise<string[]> {
    const results = await Promise.allSettled(numbers(from, to).map(payload => stream.publish('n', payload)));
    return results.map(result => (result.status === 'fulfilled' ? 'ok' : result.reason.code));
  }

  it('keeps the newest of a length, for a stream that nobody has to acknowledge', async () => {
    const { stream, held } = await limited({ maxLength: 10 });
    await publish(stream, 0, 1003);
    expect(await held()).toEqual(numbers(993, 1003));
  });

  it('keeps to a number of bytes, counted exactly', async () => {
    const { link, stream, held } = await limited({ maxBytes: 1000 });
    const payload = (size: number, digit: string) => digit.repeat(size);
    // Name 1, topic 1, headers [["a","b"]] 11.
    for (let i = 0; i < 9; i++) await stream.publish('n', payload(87, `${i}`), { topic: 't', headers: { a: 'b' } });
    expect(await held()).toHaveLength(9);
    expect(String(await link.commands.call('HGET', link.keys.stream('s').meta, 'bytes'))).toBe('900');
    await stream.publish('n', payload(99, 'x'));
    expect(await held()).toHaveLength(10);
    await stream.publish('n', '');
    expect(await held()).toHaveLength(10);
    await stream.publish('n', payload(950, 'y'));
    expect((await held()).map(text => text.length)).toEqual([0, 950]);
    await expect(stream.publish('n', payload(1000, 'z'))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await held()).toHaveLength(2);
  });

  it('makes room for one large event by removing as many small ones as it takes', async () => {
    const { stream, held } = await limited({ maxBytes: 100_000 });
    await publish(stream, 0, 15_000);
    await stream.publish('n', 'x'.repeat(99_900));
    expect((await held()).length).toBeLessThan(25);
    expect((await held()).at(-1)).toHaveLength(99_900);
  });

  it('removes what is too old when something is published', async () => {
    const { link, stream, held } = await limited({ maxAgeMs: 60_000 });
    const { events } = link.keys.stream('s');
    const nowMs = Date.now();
    for (const [ageMs, payload] of [
      [120_000, 'a'],
      [61_000, 'b'],
      [30_000, 'c'],
    ] as const) {
      await link.commands.call('XADD', events, `${nowMs - ageMs}-0`, 'n', 'n', 'p', payload);
    }
    expect(await held()).toEqual(['a', 'b', 'c']);
    await stream.publish('n', 'd');
    expect(await held()).toEqual(['c', 'd']);
  });

  it('removes what is too old when a sink looks and nobody publishes, but nothing that waits for a sink', async () => {
    const { link, held } = await limited({ maxAgeMs: 60_000 });
    const { events } = link.keys.stream('s');
    for (const payload of ['a', 'b']) {
      await link.commands.call('XADD', events, `${Date.now() - 120_000}-*`, 'n', 'n', 'p', payload);
    }
    const { promise: handled, resolve: handle } = Promise.withResolvers<void>();
    const options = { streams: ['s'], claimIdleMs: 500 };
    const { seen } = await openSink(redis, link, 'k', options, ({ payload }) =>
      String(payload) === 'b' ? handled : undefined,
    );
    await until(async () => (await held()).join() === 'b', 'the acknowledged one to go');
    expect(seen).toEqual(['a', 'b']);
    handle();
    await until(async () => (await held()).length === 0, 'the other one to go');
  });

  it('refuses what would push out un-acknowledged events, and loses none of them', async () => {
    const { link, stream, held, silentSink, lostOf } = await limited({ maxLength: 1000 });
    await silentSink();
    const results = await outcomes(stream, 0, 5000);
    expect(results.filter(result => result === 'ok')).toHaveLength(1000);
    expect(new Set(results.slice(1000))).toEqual(new Set(['RETENTION_BLOCKED']));
    await expect(stream.publish('n', 'x')).rejects.toMatchObject({
      code: 'RETENTION_BLOCKED',
      kind: 'outcome',
      hint: expect.stringContaining('"k"'),
    });
    expect(await held()).toEqual(numbers(0, 1000));
    expect(await lostOf()).toBe(0);
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(numbers(0, 1000));
    expect(new Set(await outcomes(stream, 5000, 5100))).toEqual(new Set(['ok']));
    expect((await held()).length).toBe(1000);
  });

  it('removes the oldest where that is wanted, and counts what each sink lost exactly', async () => {
    const { link, stream, held, silentSink, lostOf } = await limited({ maxLength: 1000, onFull: 'dropOldest' });
    await silentSink();
    const told: { sink: string; count: number }[] = [];
    stream.events.on('dataLoss', loss => told.push(loss));
    await publish(stream, 0, 5000);
    expect(await held()).toEqual(numbers(4000, 5000));
    expect(await lostOf()).toBe(4000);
    expect(told.every(({ sink }) => sink === 'k')).toBe(true);
    expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(4000);
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(numbers(4000, 5000));
    expect(await lostOf()).toBe(4000);
  });

  it('counts what was pending and removed as lost, once', async () => {
    const { link, stream, lostOf } = await limited({ maxLength: 10, onFull: 'dropOldest' });
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'], concurrency: 5 }, () => held);
    await publish(stream, 0, 10);
    await until(() => seen.length === 5, 'five at work');
    await publish(stream, 10, 40);
    release();
    await untilDone(link, 's', 'k');
    // Whoever had it done before it was told is no loss.
    expect(seen.length + (await lostOf())).toBeGreaterThanOrEqual(40);
    expect(await lostOf()).toBeLessThanOrEqual(35);
    expect(new Set([...seen, ...numbers(0, 30)]).size).toBe(40);
  });

  it('frees what the slowest sink has acknowledged', async () => {
    const { link, stream, silentSink } = await limited({ maxLength: 5 });
    await silentSink('slow');
    await openSink(redis, link, 'fast', { streams: ['s'] });
    expect(await outcomes(stream, 0, 6)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'RETENTION_BLOCKED']);
    await untilDone(link, 's', 'fast');
    await expect(stream.publish('n', 'x')).rejects.toMatchObject({ hint: expect.stringContaining('"slow"') });
    await openSink(redis, link, 'slow', { streams: ['s'] });
    await untilDone(link, 's', 'slow');
    expect(await outcomes(stream, 6, 8)).toEqual(['ok', 'ok']);
  });

  it('is agreed on by all who open the stream, and changed for all at once', async () => {
    const { link, stream, held } = await limited({ maxLength: 100 });
    await expect(EventStream.open(link, 's', { retention: { maxLength: 5 } })).rejects.toMatchObject({
      code: 'CONFIG_MISMATCH',
    });
    await expect(EventStream.open(link, 's', { retention: { maxBytes: 5 } })).rejects.toMatchObject({
      code: 'CONFIG_MISMATCH',
    });
    const other = await EventStream.open(await redis.connect(), 's', { retention: { maxLength: 100, maxBytes: 0 } });
    expect((await EventStream.open(link, 's')).retention).toMatchObject({ maxLength: 100, onFull: 'reject' });
    await publish(stream, 0, 100);
    expect(await stream.setRetention({ maxLength: 30 })).toMatchObject({ removedCount: 70 });
    expect(await held()).toEqual(numbers(70, 100));
    await publish(other, 100, 110);
    expect(await held()).toEqual(numbers(80, 110));
    expect((await stream.setRetention({ maxLength: 0 })).retention).toBeUndefined();
    await publish(other, 110, 200);
    expect(await held()).toEqual(numbers(80, 200));
    await expect(createStream(link, 's')).rejects.toMatchObject({ code: 'EXISTS' });
  });

  it('is followed soon by a producer that began without', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    await publish(stream, 0, 200);
    const { removedCount } = await (await EventStream.open(await redis.connect(), 's')).setRetention({
      maxBytes: 100,
    });
    expect(removedCount).toBeGreaterThan(150);
    await until(async () => {
      await stream.publish('n', 'x');
      return stream.retention !== undefined;
    }, 'the producer to know');
    await stream.publish('n', 'yyyyyyyyy');
    const events = await readAll(link, ['s']);
    expect(events.reduce((sum, { payload }) => sum + payload.length + 1, 0)).toBeLessThanOrEqual(100);
    expect(events.length).toBeGreaterThan(10);
  });

  it('stays with a stream that went with the data of Redis and is made anew', async () => {
    const { link, stream, held } = await limited({ maxLength: 10 });
    await publish(stream, 0, 5);
    await link.commands.call('FLUSHDB');
    await publish(stream, 5, 30);
    expect(await held()).toEqual(numbers(20, 30));
    expect((await EventStream.open(link, 's')).retention).toMatchObject({ maxLength: 10 });
  });

  it('refuses settings that are none', async () => {
    const { stream } = await limited({ maxLength: 10 });
    for (const bad of [{ maxLength: -1 }, { maxAgeMs: Number.NaN }, { onFull: 'x' }, { size: 1 }]) {
      await expect(stream.setRetention(bad as RetentionInput)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    }
  });
});
