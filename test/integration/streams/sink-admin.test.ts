import { describe, expect, it } from 'vitest';
import { purgeDead, replayDead } from '../../../src/engine/admin/dead-letters.ts';
import { removeSink } from '../../../src/engine/admin/sink-removal.ts';
import { listClaimable, planReset, releaseEntries, resetSink } from '../../../src/engine/admin/sinks.ts';
import { listDead, listDeadIds, listEvents, showDead } from '../../../src/engine/inspect/events.ts';
import { listSinks, showSink } from '../../../src/engine/inspect/streams.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { numbers, openSink, openStream, publish, sorted, untilDone } from './sinks.ts';

describe('acting on sinks from outside', () => {
  const redis = useRedis();

  /** A sink that a consumer without a lease was given events of, and died. */
  async function abandoned(link: RedisLink, count: number): Promise<void> {
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] });
    await sink.close();
    await read(link, 'ghost', count);
  }

  async function read(link: RedisLink, consumer: string, count: number): Promise<void> {
    const { events } = link.keys.stream('s');
    await link.commands.call('XREADGROUP', 'GROUP', 'k', consumer, 'COUNT', count, 'STREAMS', events, '>');
  }

  async function replay(link: RedisLink, ids: readonly string[], options = {}): Promise<Record<string, unknown>[]> {
    const results: Record<string, unknown>[] = [];
    await replayDead(link, 's', 'k', ids, options, (_, result) => results.push(result as never));
    return results;
  }

  it('entries of a dead consumer go to a live one at once, in their order, without another delivery counted', async () => {
    const { link, stream } = await openStream(redis, 's');
    await abandoned(link, 0);
    await publish(stream, 0, 5);
    await read(link, 'ghost', 3);
    expect(await listClaimable(link, 's', 'k', { minIdleMs: 60_000 })).toEqual([]);
    expect(await listClaimable(link, 's', 'k')).toMatchObject(
      Array.from({ length: 3 }, () => ({ consumer: 'ghost', deliveryCount: 1 })),
    );
    const counts: number[] = [];
    // A claim of its own accord would come after 30 s.
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] }, event => {
      counts.push(event.deliveryCount);
    });
    await until(() => seen.length === 2, 'what is new to be handled');
    expect(await releaseEntries(link, 's', 'k', { count: 1 })).toMatchObject([{ consumer: 'ghost' }]);
    await until(() => seen.length === 3, 'the released entry to be claimed');
    expect(await releaseEntries(link, 's', 'k')).toHaveLength(2);
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['3', '4', '0', '1', '2']);
    expect(counts).toEqual([1, 1, 2, 2, 2]);
  });

  it('what a live consumer works on is not released', async () => {
    const { link, stream } = await openStream(redis, 's');
    const ends: (() => void)[] = [];
    redis.defer(() => {
      for (const end of ends) end();
    });
    await openSink(redis, link, 'k', { streams: ['s'] }, () => new Promise<void>(resolve => ends.push(resolve)));
    await publish(stream, 0, 1);
    await until(() => ends.length === 1, 'the handler to run');
    expect(await releaseEntries(link, 's', 'k')).toEqual([]);
  });

  it('a sink goes back and forth, tells what that means, and counts what it loses', async () => {
    const { link, stream } = await openStream(redis, 's');
    await abandoned(link, 0);
    const ids = await publish(stream, 0, 10);
    await read(link, 'ghost', 4);
    const forward = await planReset(link, 's', 'k', { to: 'newest' });
    expect(forward).toEqual({
      fromId: ids[3],
      toId: ids[9],
      againCount: 0,
      skippedCount: 6,
      exact: true,
      pendingDroppedCount: 4,
      pendingKeptCount: 0,
    });
    expect(await resetSink(link, 's', 'k', { to: 'newest' })).toEqual(forward);
    expect(await showSink(link, 's', 'k')).toMatchObject({ pendingCount: 0, lostTotal: 10, lag: { count: 0 } });
    const middle = await resetSink(link, 's', 'k', { to: { after: ids[6] as string } });
    expect(middle).toMatchObject({ againCount: 3, skippedCount: 0, pendingDroppedCount: 0 });
    expect((await showSink(link, 's', 'k')).lag).toEqual({ count: 3, exact: true });
    await read(link, 'ghost', 2);
    const back = await resetSink(link, 's', 'k', { to: 'oldest' });
    expect(back).toMatchObject({ againCount: 9, pendingDroppedCount: 0 });
    expect(await showSink(link, 's', 'k')).toMatchObject({ pendingCount: 0, lostTotal: 10, lag: { count: 10 } });
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(numbers(0, 10));
  });

  it('what is pending before the new cursor stays pending when it is asked for, also after the group is lost', async () => {
    const { link, stream } = await openStream(redis, 's');
    await abandoned(link, 0);
    const ids = await publish(stream, 0, 6);
    await read(link, 'ghost', 3);
    const result = await resetSink(link, 's', 'k', { to: { after: ids[1] as string }, keepPending: true });
    expect(result).toMatchObject({ againCount: 1, pendingDroppedCount: 0, pendingKeptCount: 2 });
    expect(await showSink(link, 's', 'k')).toMatchObject({ pendingCount: 2, lostTotal: 0 });
    await link.commands.call('XGROUP', 'DESTROY', link.keys.stream('s').events, 'k');
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(numbers(0, 6));
  });

  it('a sink with live consumers is reset only by force, and they go on from there', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'] });
    await publish(stream, 0, 5);
    await untilDone(link, 's', 'k');
    await expect(resetSink(link, 's', 'k', { to: 'oldest' })).rejects.toMatchObject({ code: 'SINK_IN_USE' });
    await resetSink(link, 's', 'k', { to: 'oldest', force: true });
    await until(() => seen.length === 10, 'everything to be delivered again');
    expect(sorted(seen)).toEqual(sorted([...numbers(0, 5), ...numbers(0, 5)]));
    expect(told.dataLoss).toEqual([]);
  });

  it('a removed sink ends its consumers with an event, is not made anew by them, and may be opened again', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { told } = await openSink(redis, link, 'k', { streams: ['s', 'other'] });
    await publish(stream, 0, 5);
    await untilDone(link, 's', 'k');
    await expect(removeSink(link, 's', 'k')).rejects.toMatchObject({ code: 'SINK_IN_USE' });
    await removeSink(link, 's', 'k', { force: true });
    await until(() => told.removed.length === 1, 'the consumer to be told');
    expect(told.removed).toEqual([{ stream: 's' }]);
    await publish(stream, 5, 6);
    expect(await listSinks(link, 's')).toEqual([]);
    expect(await listSinks(link, 'other')).toHaveLength(1);
    expect(told).toMatchObject({ dataLoss: [], error: [] });
    expect(await link.commands.call('HKEYS', link.keys.stream('s').sinks)).toEqual([Buffer.from('k:removed')]);
    const again = await openSink(redis, link, 'k', { streams: ['s'] });
    await until(() => again.seen.length === 6, 'a sink made anew to begin at the beginning');
    await expect(removeSink(link, 's', 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('a dead letter is delivered again to its own sink alone, as it was, once', async () => {
    const { link, stream } = await openStream(redis, 's');
    let broken = true;
    const handled: object[] = [];
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] }, event => {
      if (broken) return event.deadLetter('no use');
      const { id, name, topic, headers, deliveryCount } = event;
      handled.push({ id, name, topic, headers: [...headers], deliveryCount });
    });
    const other = await openSink(redis, link, 'other', { streams: ['s'] });
    const id = await stream.publish('n', Buffer.from([0xff, 0]), { topic: 't', headers: { a: 'b' } });
    await untilDone(link, 's', 'k');
    const [dead] = await listDeadIds(link, 's', 'k');
    broken = false;
    expect(await replay(link, [dead as string])).toEqual([{ status: 'redelivered' }]);
    expect(await replay(link, [dead as string])).toMatchObject([{ code: 'NOT_FOUND' }]);
    await until(() => handled.length === 1, 'the event to be handled');
    await untilDone(link, 's', 'k');
    expect(handled).toEqual([{ id, name: 'n', topic: 't', headers: [['a', 'b']], deliveryCount: 1 }]);
    expect(other.seen).toHaveLength(1);
    expect((await showSink(link, 's', 'k')).deadCount).toBe(0);
    expect(sink.stats.acked).toBe(1);
  });

  it('a replayed event survives the loss of the group before anybody took it', async () => {
    const { link, stream } = await openStream(redis, 's');
    const first = await openSink(redis, link, 'k', { streams: ['s'] }, event => {
      if (Number(event.payload) === 1) event.deadLetter('no use');
    });
    const ids = await publish(stream, 0, 4);
    await untilDone(link, 's', 'k');
    await first.sink.close();
    // As a sign of life leaves it.
    await link.commands.call('HSET', link.keys.stream('s').sinks, 'k:cursor', ids[3] as string);
    await replay(link, await listDeadIds(link, 's', 'k'));
    await link.commands.call('XGROUP', 'DESTROY', link.keys.stream('s').events, 'k');
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'] });
    await untilDone(link, 's', 'k');
    expect(seen).toEqual(['1', '2', '3']);
  });

  it('a dead letter whose event was trimmed stays, unless it may be published again with a word of what it was', async () => {
    const { link, stream } = await openStream(redis, 's');
    const { sink } = await openSink(redis, link, 'k', { streams: ['s'] }, event => event.deadLetter('no use'));
    // One dies after the other.
    const plain = await stream.publish('n', 'plain');
    await untilDone(link, 's', 'k');
    const headed = await stream.publish('n', 'headed', { topic: 't', headers: { a: '[]' } });
    await untilDone(link, 's', 'k');
    await link.commands.call('XADD', link.keys.stream('s').events, '*', 'x', 'y');
    await untilDone(link, 's', 'k');
    await sink.close();
    await stream.trim({ maxLength: 0 });
    const ids = await listDeadIds(link, 's', 'k');
    expect(await replay(link, ids)).toMatchObject(ids.map(() => ({ code: 'EVENT_GONE' })));
    expect(await listDead(link, 's', 'k')).toHaveLength(3);
    const results = await replay(link, ids, { publish: true });
    const events = await listEvents(link, 's');
    expect(results).toEqual(events.map(({ id }) => ({ status: 'published', id })));
    expect(events).toMatchObject([
      { name: 'n', topic: null, headers: [['ponos-replay-of', plain]], payload: { data: 'plain' } },
      {
        name: 'n',
        topic: 't',
        headers: [
          ['a', '[]'],
          ['ponos-replay-of', headed],
        ],
        payload: { data: 'headed' },
      },
      { name: null, malformed: 'entry has no name (field n)' },
    ]);
    expect(await listDead(link, 's', 'k')).toEqual([]);
    expect(await replay(link, ids, { publish: true })).toMatchObject(ids.map(() => ({ code: 'NOT_FOUND' })));
  });

  it('a sink that acknowledges nothing has nothing to be pending', async () => {
    const { link, stream } = await openStream(redis, 's');
    await openSink(redis, link, 'k', { streams: ['s'], noAck: true }, event => {
      if (event.headers.size === 0) event.deadLetter('no use');
    });
    await publish(stream, 0, 1);
    const ids = await until(async () => {
      const found = await listDeadIds(link, 's', 'k');
      return found.length === 1 && found;
    }, 'a dead letter');
    expect(await replay(link, ids)).toMatchObject([{ code: 'SINK_WITHOUT_ACK' }]);
    expect(await replay(link, ids, { publish: true })).toMatchObject([{ status: 'published' }]);
  });

  it('dead letters are chosen by reason and time, shown whole, and purged', async () => {
    const { link, stream } = await openStream(redis, 's');
    await openSink(redis, link, 'k', { streams: ['s'] }, event =>
      event.deadLetter(event.payload.length % 2 === 0 ? 'even' : 'odd'),
    );
    const long = 'x'.repeat(10_000);
    await stream.publishMany(['a', long, 'b'].map(payload => ({ name: 'n', payload })));
    await stream.publishMany(Array.from({ length: 250 }, () => ({ name: 'n', payload: 'z' })));
    await until(async () => (await showSink(link, 's', 'k')).deadCount === 253, 'all to be dead');
    const [even] = await listDeadIds(link, 's', 'k', { reason: 'even' });
    expect(await listDead(link, 's', 'k', { reason: 'odd', count: 300 })).toHaveLength(252);
    expect(await listDead(link, 's', 'k', { reason: 'odd', count: 2 })).toHaveLength(2);
    const atMs = Number(even?.split('-')[0]);
    expect(await listDeadIds(link, 's', 'k', { untilMs: atMs, reason: 'even' })).toEqual([]);
    expect(await listDeadIds(link, 's', 'k', { sinceMs: atMs, untilMs: atMs + 1, reason: 'even' })).toEqual([even]);
    expect((await showDead(link, 's', 'k', even as string)).payload?.data).toBe(long);
    await expect(showDead(link, 's', 'k', '1-1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const results: [string, boolean][] = [];
    const all = await listDeadIds(link, 's', 'k');
    await purgeDead(link, 's', 'k', [...all, '1-1'], (...result) => results.push(result));
    expect(results).toEqual([...all.map(id => [id, true]), ['1-1', false]]);
    expect((await showSink(link, 's', 'k')).deadCount).toBe(0);
  });
});
