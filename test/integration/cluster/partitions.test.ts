import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listSinks, showStream } from '../../../src/engine/inspect/streams.ts';
import { partitionNames } from '../../../src/engine/partitions/names.ts';
import type { PartitionHandler } from '../../../src/engine/partitions/owned-partition.ts';
import { PartitionedSink } from '../../../src/engine/partitions/partitioned-sink.ts';
import { PartitionedStream } from '../../../src/engine/partitions/partitioned-stream.ts';
import { createPartitionedStream, trimPartitionedStream } from '../../../src/engine/partitions/whole.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { TEST_LEASE } from '../../support/pool.ts';
import { ClusterServers } from '../../support/topology/cluster.ts';
import { until } from '../../support/until.ts';

const PARTITIONS = 6;
const KEYS = Array.from({ length: 24 }, (_, n) => `customer ${n}`);

describe('a partitioned stream on a cluster', () => {
  let cluster: ClusterServers;
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    cluster = await ClusterServers.start({ replicas: false });
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    await cluster.stop();
  });

  async function connect(): Promise<RedisLink> {
    const link = await RedisLink.connect({ url: cluster.url });
    ends.push(() => link.close());
    return link;
  }

  it('keeps the order of each key over all masters, while an owner leaves and a slot moves', async () => {
    const link = await connect();
    await createPartitionedStream(link, 'orders', PARTITIONS, { maxLength: 10_000 });
    const slots = await Promise.all(
      partitionNames('orders', PARTITIONS).map(name => cluster.slotOf(link.keys.stream(name).events)),
    );
    expect(new Set(await Promise.all(slots.map(slot => cluster.masterOf(slot)))).size).toBe(3);
    await expect(EventStream.open(link, 'orders')).rejects.toMatchObject({ code: 'PARTITIONED' });

    const begun = new Map<string, number[]>(KEYS.map(key => [key, []]));
    const atWork = new Set<string>();
    const overlaps: string[] = [];
    const handler: PartitionHandler = async (event, { key = '' }) => {
      if (atWork.has(key)) overlaps.push(key);
      atWork.add(key);
      begun.get(key)?.push(Number(event.payload.toString()));
      await new Promise(setImmediate);
      atWork.delete(key);
    };
    const open = async () => {
      const options = { stream: 'orders', retryBaseMs: 1, retryMaxMs: 50, blockMs: 200, pool: { lease: TEST_LEASE } };
      const sink = await PartitionedSink.open(await connect(), 'billing', options, handler);
      ends.push(() => sink.close());
      return sink;
    };
    const sinks = [await open(), await open()] as const;
    await until(() => sinks[0].owned.length + sinks[1].owned.length === PARTITIONS, 'every partition to have an owner');

    const publisher = await PartitionedStream.open(await connect(), 'orders');
    const publish = (from: number, to: number) =>
      publisher.publishMany(
        KEYS.flatMap(key =>
          Array.from({ length: to - from }, (_, n) => ({ key, name: 'placed', payload: `${from + n}` })),
        ),
      );
    const seen = (count: number) => KEYS.every(key => new Set(begun.get(key)).size === count);
    const first = await publish(0, 20);
    expect(new Set(first.map(({ stream }) => stream)).size).toBe(PARTITIONS);
    await until(() => seen(20), 'the first events');
    await cluster.moveSlot(slots[0] as number);
    await Promise.all([publish(20, 40), sinks[0].close()]);
    await until(() => seen(40), 'the events behind the move');
    expect(overlaps).toEqual([]);
    for (const key of KEYS) expect([...new Set(begun.get(key))]).toEqual(Array.from({ length: 40 }, (_, n) => n));
    await until(() => sinks[1].owned.length === PARTITIONS, 'all to be with the one that is left');

    const total = KEYS.length * 40;
    await until(async () => (await showStream(link, 'orders')).maxPendingCount === 0, 'all to be acknowledged');
    expect(await showStream(link, 'orders')).toMatchObject({ partitions: PARTITIONS, length: total, sinkCount: 1 });
    expect((await listSinks(link, 'orders')).length).toBe(PARTITIONS);
    expect(await trimPartitionedStream(link, 'orders', { maxLength: 0 })).toEqual({
      removedCount: total,
      lost: new Map(),
    });
    await sinks[1].close();
    await publisher.remove();
    await expect(showStream(link, 'orders')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
