import { describe, expect, it } from 'vitest';
import { ConflictError } from '../../../src/engine/core/errors.ts';
import { listEvents } from '../../../src/engine/inspect/events.ts';
import { listPending, listStreams, showSink } from '../../../src/engine/inspect/streams.ts';
import { partitionPool } from '../../../src/engine/partitions/names.ts';
import { PartitionedStream } from '../../../src/engine/partitions/partitioned-stream.ts';
import {
  createPartitionedStream,
  setPartitionedRetention,
  trimPartitionedStream,
} from '../../../src/engine/partitions/whole.ts';
import { compareEntryIds } from '../../../src/engine/streams/entry-id.ts';
import { partitionName } from '../../../src/engine/streams/partitioned.ts';
import { Reader } from '../../../src/engine/streams/reader.ts';
import { Replay } from '../../../src/engine/streams/replay.ts';
import { Sink } from '../../../src/engine/streams/sink.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { createStream, removeStream } from '../../../src/engine/streams/whole-stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';

const keys = Array.from({ length: 40 }, (_, n) => `customer ${n}`);

describe('a partitioned stream', () => {
  const redis = useRedis();

  it('puts the events of a key into one partition, in their order, and says where', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 4 });
    const events = [0, 1, 2].flatMap(n => keys.map(key => ({ key, name: 'placed', payload: `${key} ${n}` })));
    const published = await orders.publishMany(events);
    const used = new Set(published.map(({ stream }) => stream));
    expect([...used].sort()).toEqual([0, 1, 2, 3].map(index => partitionName('orders', index)));
    for (const key of keys) {
      const places = published.filter((_, at) => events[at]?.key === key);
      expect(new Set(places.map(({ stream }) => stream))).toEqual(new Set([`orders.${orders.partitionOf(key)}`]));
      expect(places.map(({ id }) => id)).toEqual(places.map(({ id }) => id).toSorted(compareEntryIds));
    }
    expect((await orders.publish('customer 7', 'paid', '')).stream).toBe(published[7]?.stream);
  });

  it('carries the key, whatever its bytes, beside the headers given', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 1 });
    const key = 'Zoë \u0000 {}*';
    await orders.publish(key, 'n', 'p', { headers: { station: 'north' } });
    const { events } = link.keys.stream('orders.0');
    const [[, fields]] = (await link.commands.call('XRANGE', events, '-', '+')) as [[Buffer, Buffer[]]];
    expect(JSON.parse(String(fields?.[5]))).toEqual([
      ['station', 'north'],
      ['partition-key', key],
    ]);
    await expect(orders.publish('k'.repeat(1025), 'n', 'p')).rejects.toMatchObject({ code: 'KEY_TOO_LARGE' });
    await expect(orders.publish(7 as never, 'n', 'p')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('takes an event once under an id', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 4 });
    const first = await orders.publishOnce('ann', 'order-1', 'placed', '7');
    expect(first.stream).toBe(`orders.${orders.partitionOf('ann')}`);
    expect(await orders.publishOnce('ann', 'order-1', 'placed', '7')).toEqual({ ...first, added: false });
    await expect(orders.publishOnce('ann', 'order-1', 'placed', '8')).rejects.toBeInstanceOf(ConflictError);
    expect(await link.commands.call('XLEN', link.keys.stream(first.stream).events)).toBe(1);
  });

  it('has the number of partitions it was made with, for everybody', async () => {
    const link = await redis.connect();
    await expect(PartitionedStream.open(link, 'orders')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await PartitionedStream.open(link, 'orders', { partitions: 3 });
    expect((await PartitionedStream.open(await redis.connect(), 'orders')).partitions).toBe(3);
    await expect(PartitionedStream.open(link, 'orders', { partitions: 4 })).rejects.toMatchObject({
      code: 'PARTITIONS_MISMATCH',
    });
    await expect(PartitionedStream.open(link, 'others', { partitions: 257 })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
    await EventStream.open(link, 'plain');
    await expect(PartitionedStream.open(link, 'plain', { partitions: 2 })).rejects.toMatchObject({ code: 'EXISTS' });
  });

  it('refuses names that leave no room, or could be taken for those of another', () => {
    expect(partitionPool('orders', 'billing')).toBe('orders..billing');
    for (const [stream, sink] of [
      ['a.', 'b'],
      ['a', '.b'],
      ['a..b', 'c'],
      ['a'.repeat(40), 'b'.repeat(40)],
    ] as const) {
      expect(() => partitionPool(stream, sink)).toThrow(/not allowed/);
    }
  });

  it('is removed with its partitions, and can be made again with another number', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 3 });
    await orders.remove();
    await expect(orders.remove()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(orders.publish('a', 'n', 'p')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await link.registry.list('streams')).toEqual([]);
    expect((await PartitionedStream.open(link, 'orders', { partitions: 2 })).partitions).toBe(2);
  });

  it('is refused where an ordinary stream is meant, with the names of its partitions, and nothing is made', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 3 });
    const opened = [
      () => EventStream.open(link, 'orders'),
      () => EventStream.open(link, 'orders', { create: false }),
      () => createStream(link, 'orders'),
      () => Reader.open(link, ['orders']),
      () => Replay.open(link, 'orders'),
      () => Sink.open(link, 'billing', { streams: ['orders'] }, () => {}),
      () => showSink(link, 'orders', 'billing'),
      () => listPending(link, 'orders', 'billing'),
      () => listEvents(link, 'orders'),
    ];
    for (const open of opened) {
      await expect(open()).rejects.toMatchObject({
        code: 'PARTITIONED',
        hint: expect.stringContaining('"orders.0" to "orders.2"'),
      });
    }
    const { events, meta } = link.keys.stream('orders');
    expect(await link.commands.call('EXISTS', events, meta)).toBe(0);
    await orders.remove();
    await EventStream.open(link, 'orders');
    await expect(PartitionedStream.open(link, 'orders')).rejects.toMatchObject({ code: 'NOT_PARTITIONED' });
  });

  it('is made once, with limits for each partition, and completed when its maker died', async () => {
    const link = await redis.connect();
    await createPartitionedStream(link, 'orders', 3, { maxLength: 2 });
    await expect(createPartitionedStream(link, 'orders', 3)).rejects.toMatchObject({ code: 'EXISTS' });
    await expect(createPartitionedStream(link, 'orders', 4)).rejects.toMatchObject({ code: 'PARTITIONS_MISMATCH' });
    await expect(createPartitionedStream(link, 'wrong', 4, { maxLength: -1 })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
    await removeStream(link, 'orders.1');
    await createPartitionedStream(link, 'orders', 3, { maxLength: 2 });
    expect((await listStreams(link)).map(({ name, retention }) => [name, retention?.maxLength])).toEqual([
      ['orders.0', 2],
      ['orders.1', 2],
      ['orders.2', 2],
    ]);
  });

  it('takes over no stream that happens to have the name of a partition, unless it is as one would be', async () => {
    const link = await redis.connect();
    await EventStream.open(link, 'orders.1', { retention: { maxLength: 2 } });
    await expect(createPartitionedStream(link, 'orders', 3, { maxLength: 2 })).rejects.toMatchObject({
      code: 'EXISTS',
      message: expect.stringContaining('orders.1'),
    });
    for (const retention of [undefined, { maxLength: 3 }, { maxLength: 2, maxBytes: 1 }]) {
      await expect(PartitionedStream.open(link, 'orders', { partitions: 3, retention })).rejects.toMatchObject({
        code: 'CONFIG_MISMATCH',
        message: expect.stringContaining('orders.1'),
      });
    }
    // Nothing was made.
    expect(await link.registry.list('streams')).toEqual(['orders.1']);
    await expect(PartitionedStream.open(link, 'orders')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    // As when the description went with the data of one master of a cluster.
    await PartitionedStream.open(link, 'orders', { partitions: 3, retention: { maxLength: 2 } });
    await link.commands.call('DEL', link.keys.stream('orders').partitions);
    await PartitionedStream.open(link, 'orders', { partitions: 3, retention: { maxLength: 2 } });
    expect((await listStreams(link)).map(({ name, retention }) => [name, retention?.maxLength])).toEqual([
      ['orders.0', 2],
      ['orders.1', 2],
      ['orders.2', 2],
    ]);
  });

  it('has its limits changed, and is trimmed, partition by partition, and what sinks lose is summed', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 3 });
    const published = await orders.publishMany(keys.map(key => ({ key, name: 'n', payload: '' })));
    const lengths = [0, 1, 2].map(at => published.filter(({ stream }) => stream === `orders.${at}`).length);
    for (const at of [0, 1]) {
      const { events } = link.keys.stream(`orders.${at}`);
      await link.commands.call('XGROUP', 'CREATE', events, 'billing', '0');
    }
    const over = (most: number) => lengths.map(length => length - most);
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    expect(await setPartitionedRetention(link, 'orders', { maxLength: 5, onFull: 'dropOldest' })).toMatchObject({
      retention: { maxLength: 5, onFull: 'dropOldest' },
      removedCount: sum(over(5)),
      lost: new Map([['billing', sum(over(5).slice(0, 2))]]),
    });
    await removeStream(link, 'orders.2');
    expect(await trimPartitionedStream(link, 'orders', { maxLength: 1 })).toEqual({
      removedCount: 8,
      lost: new Map([['billing', 8]]),
    });
    await expect(trimPartitionedStream(link, 'none', { maxLength: 1 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('comes back with what Redis lost, when it is published to', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 3 });
    await link.commands.call('FLUSHALL');
    await orders.publish('a', 'n', 'p');
    await until(async () => (await link.registry.list('streams')).includes('orders'), 'the description to be back');
    expect((await PartitionedStream.open(link, 'orders')).partitions).toBe(3);
  });
});
