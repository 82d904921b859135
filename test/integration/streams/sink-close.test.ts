import { describe, expect, it } from 'vitest';
import { listPending, showSink } from '../../../src/engine/inspect/streams.ts';
import type { SinkEvent } from '../../../src/engine/streams/delivery.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { FAST, numbers, openSink, openStream, publish, sorted, untilDone } from './sinks.ts';

const forever = () => new Promise<void>(() => {});

describe('closing a sink', () => {
  const redis = useRedis();

  async function timed(act: () => Promise<void>): Promise<number> {
    const startMs = performance.now();
    await act();
    return performance.now() - startMs;
  }

  it('takes no longer than it was given, whatever handlers do, and tells them', async () => {
    const { link, stream } = await openStream(redis, 's');
    const other = await redis.connect();
    const held: SinkEvent[] = [];
    const { sink } = await openSink(
      redis,
      link,
      'k',
      { streams: ['s'], concurrency: 2, claimIdleMs: 60_000 },
      event => {
        held.push(event);
        return forever();
      },
    );
    await publish(stream, 0, 10);
    await until(() => held.length === 2, 'two handlers');
    expect(await timed(() => sink.close())).toBeLessThan(FAST.closeTimeoutMs + 100);
    expect(held.map(event => event.signal.aborted)).toEqual([true, true]);
    // Long before they would be claimed from a consumer that is only silent.
    const { seen } = await openSink(redis, other, 'k', { streams: ['s'], claimIdleMs: 60_000 });
    await until(() => seen.length === 10, 'the other consumer to have all', { limitMs: 3000 });
    expect(sorted(seen)).toEqual(numbers(0, 10));
    // What a handler says now is too late.
    for (const event of held) event.ack();
    await untilDone(link, 's', 'k');
  });

  it('waits for handlers that end in time, and keeps their acknowledgements', async () => {
    const { link, stream } = await openStream(redis, 's');
    let started = 0;
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'], concurrency: 4 }, async () => {
      started++;
      await new Promise(resolve => setTimeout(resolve, 100));
    });
    await publish(stream, 0, 4);
    await until(() => started === 4, 'four handlers');
    expect(await timed(() => sink.close())).toBeLessThan(500);
    expect(await showSink(link, 's', 'k')).toMatchObject({ pendingCount: 0, consumers: [] });
  });

  it('hands back events that no handler saw as if they had never been delivered', async () => {
    const { link, stream } = await openStream(redis, 's');
    let release: (() => void) | undefined;
    const first = await openSink(redis, link, 'k', { streams: ['s'], concurrency: 1 }, event => {
      if (event.payload.toString() !== '50') return;
      return new Promise<void>(resolve => {
        release = resolve;
      });
    });
    await publish(stream, 0, 500);
    await until(() => release, 'a handler that blocks the rest');
    expect((await listPending(link, 's', 'k')).length).toBeGreaterThan(1);
    const closing = first.sink.close();
    release?.();
    await closing;
    const counts: number[] = [];
    await openSink(redis, link, 'k', { streams: ['s'] }, event => void counts.push(event.deliveryCount));
    await untilDone(link, 's', 'k');
    expect(counts).toHaveLength(449);
    expect(counts.every(count => count === 1)).toBe(true);
  });

  it('hands back what waits for its next delivery', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink, seen } = await openSink(redis, link, 'k', { streams: ['s'] }, event => event.nack(60_000));
    await publish(stream, 0, 3);
    await until(() => sink.stats.delayed === 3, 'three refusals');
    await sink.close();
    const second = await openSink(redis, link, 'k', { streams: ['s'] });
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['0', '1', '2']);
    expect(sorted(second.seen)).toEqual(['0', '1', '2']);
  });

  it('takes no longer than it was given when Redis is gone', async () => {
    await openStream(redis, 's');
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url });
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    proxy.mode = 'blackhole';
    expect(await timed(() => sink.close())).toBeLessThan(FAST.closeTimeoutMs + 100);
  });

  it('ends quietly when its link was closed before', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink, told, seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    await publish(stream, 0, 3);
    await until(() => seen.length === 3, 'the events');
    await link.close();
    expect(await timed(() => sink.close())).toBeLessThan(FAST.closeTimeoutMs + 100);
    expect(told.error).toEqual([]);
  });
});
