import { describe, expect, it } from 'vitest';
import { listPartitionedStreams, listSinks, listStreams, showStream } from '../../../src/engine/inspect/streams.ts';
import { PartitionedSink } from '../../../src/engine/partitions/partitioned-sink.ts';
import { PartitionedStream } from '../../../src/engine/partitions/partitioned-stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';

describe('looking at a partitioned stream', () => {
  const redis = useRedis();

  it('shows it as the sum of its partitions, and the owner of each', async () => {
    const link = await redis.connect();
    const orders = await PartitionedStream.open(link, 'orders', { partitions: 3 });
    const keys = Array.from({ length: 30 }, (_, n) => `customer ${n}`);
    const published = await orders.publishMany(keys.map(key => ({ key, name: 'n', payload: '' })));
    const sink = await PartitionedSink.open(link, 'billing', { stream: 'orders', pool: { lease: 'fast' } }, () => {});
    redis.defer(() => sink.close());
    await until(() => sink.owned.length === 3, 'every partition to have an owner');
    await until(async () => (await showStream(link, 'orders')).maxPendingCount === 0, 'all to be acknowledged');

    expect(await showStream(link, 'orders')).toMatchObject({ partitions: 3, length: 30, sinkCount: 1, lastId: null });
    expect((await listPartitionedStreams(link)).map(({ name }) => name)).toEqual(['orders']);
    const parts = await listStreams(link);
    expect(parts.map(({ name, partitions }) => ({ name, partitions }))).toEqual(
      [0, 1, 2].map(index => ({ name: `orders.${index}`, partitions: null })),
    );
    for (const { name, length } of parts) expect(length).toBe(published.filter(({ stream }) => stream === name).length);
    const sinks = await listSinks(link, 'orders');
    expect(sinks.map(({ stream }) => stream)).toEqual(['orders.0', 'orders.1', 'orders.2']);
    for (const { consumers } of sinks) expect(consumers.filter(({ alive }) => alive).length).toBe(1);
    // Each partition is counted once where all sinks are.
    expect((await listSinks(link)).length).toBe(3);

    await sink.close();
    await orders.remove();
    await expect(showStream(link, 'orders')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
