import { describe, expect, it } from 'vitest';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { Gap } from '../../../src/engine/streams/gap.ts';
import { Reader } from '../../../src/engine/streams/reader.ts';
import type { RetentionInput } from '../../../src/engine/streams/retention.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { payloadsOf, readAll } from './read-all.ts';
import { openSink } from './sinks.ts';

describe('a stream with a time to live', () => {
  const redis = useRedis();

  async function living(retention: RetentionInput) {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's', { retention });
    return { link, stream, keys: link.keys.stream('s') };
  }

  /** When each key of the stream ends; the description apart. */
  async function endsOf(link: RedisLink): Promise<Map<string, number>> {
    const { base, meta } = link.keys.stream('s');
    const ends = new Map<string, number>();
    for await (const names of link.commands.scanKeys(`${base}:*`)) {
      for (const name of names.map(String)) {
        if (name !== meta) ends.set(name, Number(await link.commands.call('PEXPIRETIME', name)));
      }
    }
    return ends;
  }

  const gone = (link: RedisLink) =>
    until(async () => (await link.commands.call('EXISTS', link.keys.stream('s').events)) === 0, 'the stream to end');

  /** A sink with a dead letter, that has left. */
  async function useSink(link: RedisLink, stream: EventStream): Promise<void> {
    const { sink, told } = await openSink(redis, link, 'k', { streams: ['s'] }, event => event.deadLetter('test'));
    await stream.publish('n', 'dead');
    await until(() => told.deadLetter.length === 1, 'a dead letter');
    await sink.close();
  }

  it('ends with its sinks and their dead letters at one time', async () => {
    const { link, stream, keys } = await living({ ttlMs: 60_000 });
    await useSink(link, stream);
    const ends = await endsOf(link);
    expect([...ends.keys()].sort()).toEqual([keys.dead('k'), keys.events, keys.sinks].sort());
    expect(new Set(ends.values()).size).toBe(1);
    await stream.publish('n', 'p');
    expect(await endsOf(link)).toEqual(ends);
    await stream.setRetention({ ttlMs: 0 });
    expect(new Set((await endsOf(link)).values())).toEqual(new Set([-1]));
    expect(await link.commands.call('PEXPIRETIME', keys.meta)).toBe(-1);
  });

  it('lives on with each event when that is wanted, with its sinks', async () => {
    const { link, stream } = await living({ ttlMs: 60_000, ttlMode: 'sliding' });
    await useSink(link, stream);
    const before = Math.max(...(await endsOf(link)).values());
    // A hundredth of the time must have passed before it is worth moving.
    await until(async () => {
      await stream.publish('n', 'p');
      return Math.max(...(await endsOf(link)).values()) > before;
    }, 'its end to move');
    expect(new Set((await endsOf(link)).values()).size).toBe(1);
  });

  it('is made anew by a publish after its end, with the same limits', async () => {
    const { link, stream, keys } = await living({ ttlMs: 1500, maxLength: 2 });
    const recreated = stream.events.once('recreated');
    await stream.publish('n', 'old');
    await gone(link);
    for (const payload of ['a', 'b', 'c']) await stream.publish('n', payload);
    expect(await recreated).toHaveProperty('generation');
    expect(payloadsOf(await readAll(link, ['s']))).toEqual(['b', 'c']);
    expect(Number(await link.commands.call('PTTL', keys.events))).toBeGreaterThan(0);
    expect((await EventStream.open(link, 's')).retention).toMatchObject({ ttlMs: 1500, maxLength: 2 });
  });

  it('is reported as a loss by readers and sinks when it ends, and goes on with what comes then', async () => {
    const { link, stream, keys } = await living({ ttlMs: 1500 });
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'] });
    const reader = await Reader.open(link, ['s'], { onGap: 'report', blockMs: 100 });
    redis.defer(() => reader.close());
    const gaps: Gap[] = [];
    reader.events.on('gap', gap => gaps.push(gap));
    const read: string[] = [];
    const reading = (async () => {
      for await (const event of reader) read.push(event.payload.toString());
    })();
    await stream.publish('n', 'a');
    await until(() => seen.length === 1 && read.length === 1, 'the first event');
    await until(() => told.dataLoss.length > 0 && gaps.length > 0, 'the loss to be told');
    expect(gaps[0]).toMatchObject({ stream: 's', reason: 'replaced' });
    expect(told.dataLoss[0]).toMatchObject({ stream: 's' });
    await stream.publish('n', 'b');
    await until(() => seen.includes('b') && read.includes('b'), 'the next event');
    expect(Number(await link.commands.call('PTTL', keys.events))).toBeGreaterThan(0);
    await reader.close();
    await reading;
  });
});
