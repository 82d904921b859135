import { describe, expect, it } from 'vitest';
import { listMaps } from '../../../src/engine/inspect/maps.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { readWhole } from '../../../src/engine/maps/reading.ts';
import { ReplicatedMap } from '../../../src/engine/maps/replicated-map.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { Reader } from '../../../src/engine/streams/reader.ts';
import { Sink } from '../../../src/engine/streams/sink.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useCluster } from '../../support/fixture.ts';
import { Load } from '../../support/load.ts';
import { ask } from '../../support/topology/commands.ts';
import { until } from '../../support/until.ts';

describe('maps and streams on a cluster', () => {
  const redis = useCluster();

  /** Names of streams, one on each master. */
  async function streamsOn(link: RedisLink): Promise<string[]> {
    const found = new Map<unknown, string>();
    for (let n = 0; found.size < 3; n++) {
      const master = await redis.server.masterOf(await redis.server.slotOf(link.keys.stream(`s${n}`).events));
      if (!found.has(master)) found.set(master, `s${n}`);
    }
    return [...found.values()];
  }

  async function blockingConnections(): Promise<number> {
    const lists = await Promise.all(redis.server.nodes.map(node => ask(node, 'CLIENT', 'LIST')));
    return lists.join('\n').match(/name=ponos:blocking /g)?.length ?? 0;
  }

  async function startLoad(): Promise<{ load: Load; slots: { map: number; stream: number } }> {
    const link = await redis.connect();
    const streams = await streamsOn(link);
    const load = await Load.start({ url: redis.server.url, prefix: redis.prefix, map: 'm', streams });
    redis.defer(() => load.abandon());
    const slots = {
      map: await redis.server.slotOf(link.keys.map('m').data),
      stream: await redis.server.slotOf(link.keys.stream(streams[0] as string).events),
    };
    return { load, slots };
  }

  it('gives a reader all of several streams, each in its order, also of those that come and go', async () => {
    const link = await redis.connect();
    const names = await streamsOn(link);
    const streams = await Promise.all(names.map(name => EventStream.open(link, name)));
    const reader = await Reader.open(link, names.slice(0, 2));
    redis.defer(() => reader.close());
    const read = new Map<string, string[]>(names.map(name => [name, []]));
    const reading = (async () => {
      for await (const event of reader) read.get(event.stream)?.push(event.payload.toString());
    })();
    const numbers = (count: number) => Array.from({ length: count }, (_, n) => `${n}`);
    const publish = (count: number) =>
      Promise.all(streams.map(s => s.publishMany(numbers(count).map(payload => ({ name: 'n', payload })))));
    await publish(1500);
    await until(() => names.slice(0, 2).every(name => read.get(name)?.length === 1500), 'two streams to be read');
    await reader.addStream(names[2] as string);
    await until(() => read.get(names[2] as string)?.length === 1500, 'the third to be read');
    expect(await blockingConnections()).toBe(3);
    await reader.removeStream(names[0] as string);
    await publish(10);
    await until(() => names.slice(1).every(name => read.get(name)?.length === 1510), 'the others to go on');
    expect(read.get(names[0] as string)).toEqual(numbers(1500));
    expect(read.get(names[2] as string)).toEqual([...numbers(1500), ...numbers(10)]);
    await until(async () => (await blockingConnections()) === 2, 'the connection of the removed stream to end');
    await reader.close();
    await reading;
  });

  it('reads several streams to their end without following them', async () => {
    const link = await redis.connect();
    const names = await streamsOn(link);
    for (const name of names) {
      await (await EventStream.open(link, name)).publishMany([1, 2, 3].map(n => ({ name: 'n', payload: `${n}` })));
    }
    const read: string[] = [];
    for await (const event of await Reader.open(link, names, { follow: false })) read.push(event.stream);
    expect(read.sort()).toEqual(names.flatMap(name => [name, name, name]).sort());
  });

  it('lets a sink read streams of several nodes, and leave one at once while it waits in Redis', async () => {
    const link = await redis.connect();
    const names = await streamsOn(link);
    const streams = await Promise.all(names.map(name => EventStream.open(link, name)));
    const handled: string[] = [];
    const sink = await Sink.open(link, 'k', { streams: names, blockMs: 20_000 }, event => {
      handled.push(event.stream);
    });
    redis.defer(() => sink.close());
    for (const stream of streams) await stream.publish('n', '');
    await until(() => handled.length === 3, 'an event of each');
    const startMs = performance.now();
    await sink.removeStream(names[0] as string);
    expect(performance.now() - startMs).toBeLessThan(2000);
    await streams[0]?.publish('n', '');
    await streams[1]?.publish('n', '');
    await until(() => handled.length === 4, 'the others to go on');
    await sink.addStream(names[0] as string);
    await until(() => handled.length === 5, 'what came meanwhile');
    expect(handled.filter(name => name === names[0])).toHaveLength(2);
    const endMs = performance.now();
    await sink.close();
    expect(performance.now() - endMs).toBeLessThan(2000);
  });

  it('counts the replicas of a map at whichever node has it', async () => {
    const [link, other] = [await redis.connect(), await redis.connect()];
    const maps = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of maps) {
      for (const each of [link, other]) {
        const map = await ReplicatedMap.join(each, name);
        redis.defer(() => map.close());
        await map.set('key', 'value');
      }
    }
    expect((await listMaps(link)).map(({ replicaCount }) => replicaCount)).toEqual(maps.map(() => 2));
  });

  it('never takes a part of a map for the whole when its slot moves while it is read', async () => {
    const link = await redis.connect();
    const client = await MapClient.open(link, 'large');
    const keys = Array.from({ length: 3000 }, (_, n) => `key ${n}`);
    for (let at = 0; at < keys.length; at += 1000) {
      await client.setMany(keys.slice(at, at + 1000).map(key => [key, 'value']));
    }
    const redisKeys = link.keys.map('large');
    const slot = await redis.server.slotOf(redisKeys.data);
    let moving = true;
    const moves = (async () => {
      for (let move = 0; move < 10; move++) await redis.server.moveSlot(slot);
      moving = false;
    })();
    const sizes = new Set<number>();
    while (moving) sizes.add((await readWhole(link, redisKeys)).entries.size);
    await moves;
    expect([...sizes]).toEqual([keys.length]);
  });

  it('loses and doubles nothing while the slots of a map and a stream move, and waits at most for the keys', async () => {
    const { load, slots } = await startLoad();
    await load.untilMore();
    await redis.server.moveSlot(slots.stream, { pauseMs: 300 });
    await redis.server.moveSlot(slots.map, { pauseMs: 300 });
    await load.untilMore();
    const evidence = await load.finish();
    expect(evidence).toMatchObject({ uncertain: 0, refused: 0, lost: 0, doubled: 0, unhandled: 0, unread: 0 });
    expect(evidence).toMatchObject({ misread: 0, lostWrites: 0, failedWrites: 0, divergent: 0 });
  });

  it('loses and doubles nothing when a replica takes over in good order', async () => {
    const { load, slots } = await startLoad();
    await load.untilMore();
    await redis.server.failover(slots.stream);
    await load.untilMore();
    const evidence = await load.finish();
    expect(evidence).toMatchObject({ lost: 0, doubled: 0, unhandled: 0, unread: 0, misread: 0 });
    expect(evidence).toMatchObject({ lostWrites: 0, divergent: 0 });
  });

  it('goes on when a master dies: nothing is doubled, and all that is there arrives everywhere', async () => {
    const { load, slots } = await startLoad();
    await load.untilMore();
    const killed = await redis.server.killMaster(slots.stream);
    await load.untilMore();
    const evidence = await load.finish();
    await killed.up();
    await redis.server.untilWell();
    expect(evidence).toMatchObject({ doubled: 0, unhandled: 0, unread: 0, divergent: 0, failedWrites: 0 });
    // Only what was on its way to the master is in doubt: of each stream one. The rest waited for the replica.
    expect(evidence.uncertain).toBeLessThanOrEqual(3);
    expect(evidence.refused).toBe(0);
  });
});
