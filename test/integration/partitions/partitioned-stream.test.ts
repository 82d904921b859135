import { describe, expect, it } from 'vitest';
import { ConflictError } from '../../../src/engine/core/errors.ts';
import { partitionName, partitionPool } from '../../../src/engine/partitions/names.ts';
import { PartitionedStream } from '../../../src/engine/partitions/partitioned-stream.ts';
import { compareEntryIds } from '../../../src/engine/streams/entry-id.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
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
    expect(await orders.publishOnce('ann', 'order-1', 'placed', '7')).toEqual(first);
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

  it('comes back with what Redis lost, when it is published to', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 3 });
    await link.commands.call('FLUSHALL');
    await orders.publish('a', 'n', 'p');
    await until(async () => (await link.registry.list('streams')).includes('orders'), 'the description to be back');
    expect((await PartitionedStream.open(link, 'orders')).partitions).toBe(3);
  });
});
