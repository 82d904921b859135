/** What publishers do while the keys of a stream are in two places. */
import { describe, expect, it } from 'vitest';
import { Sink } from '../../../src/engine/streams/sink.ts';
import { EventStream, type EventStreamOptions } from '../../../src/engine/streams/stream.ts';
import { useCluster } from '../../support/fixture.ts';
import { ask, tell } from '../../support/topology/commands.ts';
import { until } from '../../support/until.ts';

describe('a stream whose slot moves', () => {
  const redis = useCluster({ replicas: false });

  /** With a sink that was opened and closed, so that its keys are there. */
  async function opened(options: EventStreamOptions = {}) {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's', options);
    const sink = await Sink.open(link, 'k', { streams: ['s'] }, async () => {});
    const keys = link.keys.stream('s');
    const slot = await redis.server.slotOf(keys.events);
    return { link, stream, sink, keys, slot };
  }

  it('adds an event under an id once, wherever the keys are', async () => {
    const { link, stream, sink, keys, slot } = await opened({ onceRetryMs: 60_000 });
    await sink.close();
    const { id } = await stream.publishOnce('i', 'n', 'p');
    const { source, take, end } = await redis.server.beginMove(slot);
    const names = String(await ask(source, 'CLUSTER', 'GETKEYSINSLOT', slot, 100)).split(',');
    const isOnce = (key: string) => key.startsWith(keys.oncePrefix);
    const buckets = names.filter(isOnce);
    expect(buckets.length).toBeGreaterThan(0);
    // Everything but the ids is at the other node.
    for (const key of names) if (!isOnce(key)) await take(key);
    const again = stream.publishOnce('i', 'n', 'p').catch((error: unknown) => error);
    const other = stream.publishOnce('j', 'n', 'q').catch((error: unknown) => error);
    // What is refused by both sides is asked for again, so nothing can be waited for but a while of refusals.
    await until(async () => (await refusals()) > 5, 'refusals');
    expect(await Promise.race([again, 'waiting'])).toBe('waiting');
    for (const key of buckets) await take(key);
    // All are there, and the move is not over: served.
    expect(await again).toEqual({ id, added: false });
    expect(await other).toMatchObject({ added: true });
    expect(await tell(source, 'CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(0);
    await end();
    expect(await stream.publishOnce('i', 'n', 'p')).toEqual({ id, added: false });
    expect(Number(await link.commands.call('XLEN', keys.events))).toBe(2);
  });

  it('is opened, joined and published to while it moves, though not every key that it may have is there', async () => {
    const { link, stream, sink, keys, slot } = await opened({ retention: { maxLength: 100 } });
    const { source, take, end } = await redis.server.beginMove(slot);
    for (const key of String(await ask(source, 'CLUSTER', 'GETKEYSINSLOT', slot, 100)).split(',')) await take(key);
    await stream.publish('n', 'p');
    await (await EventStream.open(link, 's')).publish('n', 'q');
    const second = await Sink.open(link, 'k', { streams: ['s'] }, async () => {});
    redis.defer(() => second.close());
    redis.defer(() => sink.close());
    expect(Number(await link.commands.call('XLEN', keys.events))).toBe(2);
    const alone = link.keys.stream('alone');
    const other = await redis.server.slotOf(alone.events);
    const withoutSinks = await EventStream.open(link, 'alone', { retention: { maxLength: 100 } });
    const otherMove = await redis.server.beginMove(other);
    for (const key of [alone.events, alone.meta]) await otherMove.take(key);
    await withoutSinks.publish('n', 'p');
    await otherMove.end();
    await end();
  });

  it('moves its end in one piece, though keys of its sinks are elsewhere', async () => {
    const { link, stream, sink, keys, slot } = await opened({ retention: { ttlMs: 100_000, ttlMode: 'sliding' } });
    await sink.close();
    await stream.publish('n', 'first');
    await link.commands.call('ZADD', keys.consumers('k'), 0, 'gone');
    await link.commands.call('XADD', keys.dead('k'), '*', 'i', '1-0', 'c', '1', 'r', 'x');
    const move = await redis.server.beginMove(slot);
    await move.take(keys.consumers('k'));
    // Due to be moved by the next publish.
    for (const key of [keys.events, keys.meta, keys.sinks, keys.dead('k')])
      await tell(move.source, 'PEXPIRE', key, 50_000);
    await tell(move.source, 'HSET', keys.meta, 'expireAtMs', Date.now() + 50_000);
    await stream.publish('n', 'second');
    const endOf = (key: string) => link.commands.call('PEXPIRETIME', key).then(Number);
    const end = await endOf(keys.events);
    expect(end).toBeGreaterThan(Date.now() + 90_000);
    for (const key of [keys.sinks, keys.consumers('k'), keys.dead('k')]) {
      await until(async () => (await endOf(key)) === end, `the end of ${key}`);
    }
    expect(Number(await link.commands.call('XLEN', keys.events))).toBe(2);
    for (const key of [keys.events, keys.meta, keys.sinks, keys.dead('k')]) await move.take(key);
    await move.end();
  });

  async function refusals(): Promise<number> {
    const stats = await Promise.all(redis.server.nodes.map(node => ask(node, 'INFO', 'errorstats')));
    return Number(/errorstat_TRYAGAIN:count=(\d+)/.exec(stats.join('\n'))?.[1] ?? 0);
  }
});
