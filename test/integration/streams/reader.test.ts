import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/engine/streams/event.ts';
import type { Gap } from '../../../src/engine/streams/gap.ts';
import { startOfLast } from '../../../src/engine/streams/position.ts';
import { Reader } from '../../../src/engine/streams/reader.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { payloadsOf, readAll } from './read-all.ts';

describe('a reader', () => {
  const redis = useRedis();

  async function open(...names: string[]) {
    const link = await redis.connect();
    const streams = await Promise.all(names.map(name => EventStream.open(link, name)));
    return { link, streams: streams as [EventStream, ...EventStream[]] };
  }

  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

  function publish(stream: EventStream, from: number, to: number, topic?: string) {
    return stream.publishMany(numbers(from, to).map(payload => ({ name: 'n', payload, topic })));
  }

  /** Reads in the background; `events` grows. */
  function collect(reader: Reader) {
    const events: StreamEvent[] = [];
    const state: { error: unknown; ended: boolean } = { error: undefined, ended: false };
    (async () => {
      for await (const event of reader) events.push(event);
    })().then(
      () => {
        state.ended = true;
      },
      (error: unknown) => {
        state.error = error;
        state.ended = true;
      },
    );
    redis.defer(() => reader.close());
    return { events, state };
  }

  it('reads from the oldest to the present end, and no further', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 1200);
    const reader = await Reader.open(link, ['s'], { follow: false });
    await publish(streams[0], 1200, 1300);
    const events = [];
    for await (const event of reader) events.push(event);
    expect(payloadsOf(events)).toEqual(numbers(0, 1200));
    expect(await readAll(link, ['empty'])).toEqual([]);
  });

  it('gives every event published after open when it starts at the newest', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 5);
    const reader = await Reader.open(link, ['s'], { from: 'newest' });
    await publish(streams[0], 5, 10);
    const { events } = collect(reader);
    await publish(streams[0], 10, 12);
    await until(() => events.length === 7, 'seven events');
    expect(payloadsOf(events)).toEqual(numbers(5, 12));
  });

  it('starts after an id, with an id, with the last few, and at a time', async () => {
    const { link, streams } = await open('s');
    const ids = await publish(streams[0], 0, 10);
    expect(payloadsOf(await readAll(link, ['s'], { from: { after: ids[6] as string } }))).toEqual(['7', '8', '9']);
    expect(payloadsOf(await readAll(link, ['s'], { from: { at: ids[8] as string } }))).toEqual(['8', '9']);
    expect(payloadsOf(await readAll(link, ['s'], { from: await startOfLast(link, 's', 2) }))).toEqual(['8', '9']);
    expect(payloadsOf(await readAll(link, ['s'], { from: { sinceMs: 60_000 } }))).toEqual(numbers(0, 10));
    await link.commands.call('XADD', link.keys.stream('t').events, '1000-0', 'n', '', 'p', 'old');
    await link.commands.call('XADD', link.keys.stream('t').events, '2000-0', 'n', '', 'p', 'new');
    expect(payloadsOf(await readAll(link, ['t'], { from: { sinceAtMs: 1500 } }))).toEqual(['new']);
    expect(payloadsOf(await readAll(link, ['t'], { from: { sinceMs: 60_000 } }))).toEqual([]);
    await expect(Reader.open(link, ['s'], { from: { after: 'x' } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('chooses by topic', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 3, 'eu.web');
    await publish(streams[0], 3, 6, 'us.web');
    await publish(streams[0], 6, 9);
    expect(payloadsOf(await readAll(link, ['s'], { topic: 'eu.*' }))).toEqual(numbers(0, 3));
    expect(payloadsOf(await readAll(link, ['s'], { topic: /^us/ }))).toEqual(numbers(3, 6));
  });

  it('reads several streams, and takes up and drops some while it reads', async () => {
    const { link, streams } = await open('a', 'b', 'c');
    const [a, b, c] = streams as [EventStream, EventStream, EventStream];
    const reader = await Reader.open(link, ['a', 'b'], { blockMs: 30_000 });
    const { events } = collect(reader);
    await publish(a, 0, 2);
    await publish(b, 2, 4);
    await until(() => events.length === 4, 'four events');
    await reader.addStream('c', 'newest');
    await reader.removeStream('a');
    await publish(a, 4, 6);
    await publish(c, 6, 8);
    await until(() => events.length === 6, 'the events of the new stream, long before a read ends by itself');
    expect(events.map(event => event.stream)).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
    expect(reader.streams).toEqual(['b', 'c']);
    await expect(reader.addStream('b')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('ends when its loop breaks, and lets go of its connection', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 5);
    const reader = await Reader.open(link, ['s']);
    for await (const event of reader) if (event.payload.toString() === '2') break;
    await until(async () => !String(await link.commands.call('CLIENT', 'LIST')).includes(':blocking'), 'its end');
    await expect(reader.addStream('t')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('ends a wait when it is closed', async () => {
    const { link } = await open('s');
    const reader = await Reader.open(link, ['s'], { blockMs: 60_000 });
    const { state } = collect(reader);
    await reader.close();
    await until(() => state.ended, 'the end of the loop');
    expect(state.error).toBeUndefined();
  });

  it('goes on after its connection was killed, without loss or repetition', async () => {
    const { link, streams } = await open('s');
    const reader = await Reader.open(link, ['s']);
    const { events } = collect(reader);
    for (let i = 0; i < 10; i++) {
      await publish(streams[0], i * 50, (i + 1) * 50);
      await killBlocking();
    }
    await until(() => events.length >= 500, 'all events');
    expect(payloadsOf(events)).toEqual(numbers(0, 500));
  });

  it('notices a half-open socket, says so, and goes on', async () => {
    const { streams } = await open('s');
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 500 });
    const reader = await Reader.open(link, ['s'], { blockMs: 100 });
    const { events } = collect(reader);
    const disconnected = reader.events.once('disconnected');
    const reconnected = reader.events.once('reconnected');
    await publish(streams[0], 0, 1);
    await until(() => events.length === 1, 'the first event');
    proxy.mode = 'blackhole';
    await publish(streams[0], 1, 2);
    expect(await disconnected).toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    proxy.mode = 'pass';
    await reconnected;
    await until(() => events.length === 2, 'the event of the meantime');
    expect(payloadsOf(events)).toEqual(['0', '1']);
  });

  it('holds a batch or two for a slow consumer, however long the stream', async () => {
    const { link, streams } = await open('s');
    await streams[0].publishMany(Array.from({ length: 400 }, () => ({ name: 'n', payload: Buffer.alloc(100_000) })));
    const reader = await Reader.open(link, ['s'], { maxBatchBytes: 1_000_000 });
    await link.commands.call('CONFIG', 'RESETSTAT');
    let read = 0;
    for await (const _ of reader) if (++read === 150) break;
    const commands = String(await link.commands.call('INFO', 'commandstats'));
    const calls = Number(/cmdstat_xread:calls=(\d+)/.exec(commands)?.[1]);
    // 64 first, then ten at a time.
    expect(calls).toBeGreaterThan(8);
    expect(calls).toBeLessThan(20);
  });

  it('ends with an error when its start is behind a trim, unless gaps are only to be reported', async () => {
    const { link, streams } = await open('s');
    const ids = await publish(streams[0], 0, 10);
    await streams[0].trim({ maxLength: 4 });
    const after = ids[2] as string;
    await expect(Reader.open(link, ['s'], { from: { after } })).rejects.toMatchObject({ code: 'READER_GAP' });
    const reader = await Reader.open(link, ['s'], { from: { after }, onGap: 'report', follow: false });
    const gaps: Gap[] = [];
    reader.events.on('gap', gap => gaps.push(gap));
    const events = [];
    for await (const event of reader) events.push(event);
    expect(gaps).toMatchObject([{ stream: 's', afterId: after, nextId: ids[6], reason: 'trimmed' }]);
    expect(payloadsOf(events)).toEqual(numbers(6, 10));
  });

  /** Reads to the end; once `afterCount` events were given, `act` is done before the next one is taken. */
  async function readWith(reader: Reader, afterCount: number, act: (given: StreamEvent[]) => Promise<unknown>) {
    const events: StreamEvent[] = [];
    const gaps: (Gap & { givenBefore: number })[] = [];
    reader.events.on('gap', gap => gaps.push({ ...gap, givenBefore: events.length }));
    let error: unknown;
    try {
      for await (const event of reader) if (events.push(event) === afterCount) await act(events);
    } catch (failure) {
      error = failure;
    }
    return { events, gaps, error };
  }

  it('reports in their place, and all, what trims took from under it, however much is read behind them', async () => {
    const { link, streams } = await open('s');
    const ids = await publish(streams[0], 0, 5000);
    const reader = await Reader.open(link, ['s'], { onGap: 'report', follow: false });
    // The page that is read next begins behind the trim, and what follows is more than what is missing.
    const first = await readWith(reader, 10, () => streams[0].trim({ maxLength: 4000 }));
    expect(first.error).toBeUndefined();
    const [gap] = first.gaps;
    const before = gap?.givenBefore as number;
    expect(before).toBeLessThan(1000);
    expect(first.gaps).toEqual([
      {
        stream: 's',
        reason: 'trimmed',
        afterId: ids[before - 1],
        nextId: ids[1000],
        lostCount: 1000 - before,
        givenBefore: before,
      },
    ]);
    expect(payloadsOf(first.events)).toEqual([...numbers(0, before), ...numbers(1000, 5000)]);
  });

  it('reports what is gone of a part that ends before what is left', async () => {
    const { link, streams } = await open('s');
    const ids = await publish(streams[0], 0, 1000);
    const reader = await Reader.open(link, ['s'], { onGap: 'report', follow: false });
    const { events, gaps } = await readWith(reader, 10, () => streams[0].trim({ maxLength: 0 }));
    const before = events.length;
    expect(gaps).toMatchObject([
      { afterId: ids[before - 1], nextId: null, lostCount: 1000 - before, givenBefore: before },
    ]);
  });

  it('ends with an error at a trim, and gives nothing from behind it', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 5000);
    const reader = await Reader.open(link, ['s']);
    const { events, error } = await readWith(reader, 10, () => streams[0].trim({ maxLength: 4000 }));
    expect(error).toMatchObject({
      code: 'READER_GAP',
      message: expect.stringContaining(`${1000 - events.length} events`),
    });
    expect(payloadsOf(events)).toEqual(numbers(0, events.length));
  });

  it('tells a gap of each of several streams in the place where it is', async () => {
    const { link, streams } = await open('a', 'b');
    const [a, b] = streams as [EventStream, EventStream];
    await publish(a, 0, 1000);
    await publish(b, 0, 1000);
    const reader = await Reader.open(link, ['a', 'b'], { onGap: 'report', follow: false });
    const { events, gaps } = await readWith(reader, 10, async () => {
      await a.trim({ maxLength: 700 });
      await b.trim({ maxLength: 500 });
    });
    for (const [stream, left] of [
      ['a', 700],
      ['b', 500],
    ] as const) {
      const own = gaps.filter(gap => gap.stream === stream);
      expect(own).toHaveLength(1);
      const { givenBefore, lostCount } = own[0] as (typeof gaps)[number];
      const before = payloadsOf(events.slice(0, givenBefore).filter(event => event.stream === stream));
      const after = payloadsOf(events.slice(givenBefore).filter(event => event.stream === stream));
      expect(after).toEqual(numbers(1000 - left, 1000));
      expect(before).toEqual(numbers(0, 1000 - left - (lostCount as number)));
    }
  });

  it('tells a trim behind a start in the middle without a count', async () => {
    const { link, streams } = await open('s');
    const ids = await publish(streams[0], 0, 1000);
    const reader = await Reader.open(link, ['s'], {
      from: { after: ids[99] as string },
      onGap: 'report',
      follow: false,
    });
    const { events, gaps } = await readWith(reader, 10, () => streams[0].trim({ maxLength: 500 }));
    const before = gaps[0]?.givenBefore as number;
    expect(gaps).toMatchObject([{ reason: 'trimmed', afterId: ids[99 + before], nextId: ids[500] }]);
    expect(payloadsOf(events)).toEqual([...numbers(100, 100 + before), ...numbers(500, 1000)]);
  });

  it('reports a stream that was flushed, and reads what comes then', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 3);
    const reader = await Reader.open(link, ['s'], { onGap: 'report', blockMs: 50 });
    const gaps: Gap[] = [];
    reader.events.on('gap', gap => gaps.push(gap));
    const { events } = collect(reader);
    await until(() => events.length === 3, 'three events');
    await link.commands.call('FLUSHDB');
    await publish(streams[0], 3, 6);
    await until(() => events.length === 6 && gaps.length === 1, 'the new events and the report', { limitMs: 5000 });
    expect(gaps[0]).toMatchObject({ reason: 'replaced' });
    expect(payloadsOf(events)).toEqual(numbers(0, 6));
  });

  it('ends when its streams were removed on purpose', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 3);
    const reader = await Reader.open(link, ['s'], { blockMs: 50 });
    const removed: string[] = [];
    reader.events.on('removed', ({ stream }) => removed.push(stream));
    const { events, state } = collect(reader);
    await until(() => events.length === 3, 'three events');
    await streams[0].remove();
    await until(() => state.ended, 'the end of the loop');
    expect(state.error).toBeUndefined();
    expect(removed).toEqual(['s']);
  });

  it('passes over entries that are no events, and says so', async () => {
    const { link, streams } = await open('s');
    await publish(streams[0], 0, 1);
    await link.commands.call('XADD', link.keys.stream('s').events, '*', 'foo', 'bar');
    await publish(streams[0], 1, 2);
    const reader = await Reader.open(link, ['s'], { follow: false });
    const malformed: string[] = [];
    reader.events.on('malformed', ({ reason }) => malformed.push(reason));
    const events = [];
    for await (const event of reader) events.push(event);
    expect(payloadsOf(events)).toEqual(['0', '1']);
    expect(malformed).toEqual(['entry has no name (field n)']);
  });

  it('names the key of another type', async () => {
    const { link } = await open();
    const { events } = link.keys.stream('s');
    await link.commands.call('SET', events, 'x');
    await expect(Reader.open(link, ['s'])).rejects.toMatchObject({ code: 'WRONG_TYPE' });
  });

  it('reads through a link that may not write', async () => {
    const { streams } = await open('s');
    await publish(streams[0], 0, 3);
    const link = await redis.connect({ access: 'read-only' });
    expect(payloadsOf(await readAll(link, ['s'], { from: { sinceMs: 60_000 } }))).toEqual(numbers(0, 3));
  });

  async function killBlocking(): Promise<void> {
    const link = await redis.connect();
    const list = String(await link.commands.call('CLIENT', 'LIST'));
    for (const [, id] of list.matchAll(/^id=(\d+) .*name=ponos:blocking/gm)) {
      await link.commands.call('CLIENT', 'KILL', 'ID', id as string).catch(() => {});
    }
  }
});
