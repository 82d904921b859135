/** The writes of a map at each step of a move of its slot: what can be done is done, what cannot waits, nothing is done twice. */
import { describe, expect, it } from 'vitest';
import { MapClient, type MapClientOptions } from '../../../src/engine/maps/map-client.ts';
import { ReplicatedMap } from '../../../src/engine/maps/replicated-map.ts';
import { incrementScript } from '../../../src/engine/maps/scripts.gen.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { useCluster } from '../../support/fixture.ts';
import type { SlotMove } from '../../support/topology/cluster.ts';
import { ask, tell } from '../../support/topology/commands.ts';
import { until } from '../../support/until.ts';

/**
 * Of a command. A write that outlives several of these was begun again. A multiple of the pause between two attempts at what
 * was refused, so that the time is often over while the command is on its way.
 */
const COMMAND_MS = 200;

describe('a map whose slot moves', () => {
  const redis = useCluster({ replicas: false });

  async function open(options: MapClientOptions = {}) {
    const link = await redis.connect({ commandTimeoutMs: COMMAND_MS });
    const map = await MapClient.open(link, 'm', options);
    const { data, meta, ops, changes } = link.keys.map('m');
    const slot = await redis.server.slotOf(data);
    return { link, map, keys: { data, meta, ops }, changes, slot };
  }

  /** Brings the rest over and ends the move. */
  async function settle(move: SlotMove, slot: number): Promise<void> {
    for (;;) {
      const left = (await tell(move.source, 'CLUSTER', 'GETKEYSINSLOT', slot, 100)) as Buffer[];
      if (left.length === 0) break;
      await move.take(...left);
    }
    await move.end();
  }

  /** Ends the move, whatever becomes of the test. */
  async function begin(slot: number): Promise<SlotMove> {
    const move = await redis.server.beginMove(slot);
    let over = false;
    redis.defer(async () => {
      if (!over) await settle(move, slot);
    });
    const end = async () => {
      over = true;
      await move.end();
    };
    return { ...move, end };
  }

  /** Resolves when the write has been refused for longer than one command may take, several times. */
  async function untilRefusedOften(link: RedisLink): Promise<void> {
    const startMs = performance.now();
    const sent = link.commands.sentCount;
    await until(
      () => link.commands.sentCount >= sent + 3 && performance.now() - startMs > 3 * COMMAND_MS,
      'the write to be tried again',
    );
  }

  async function writeAll(map: MapClient): Promise<void> {
    await map.set('a', '2');
    await map.setMany([
      ['b', '1'],
      ['c', '1'],
    ]);
    await map.increment('n');
    await map.append('l', 'x');
    await map.compareAndSet('b', { value: '1' }, '2');
    await map.delete('c');
  }
  const ALL_WRITTEN = new Map([
    ['a', '2'],
    ['b', '2'],
    ['l', '["x"]'],
    ['n', '1'],
  ]);
  const sorted = async (map: MapClient) => new Map([...(await map.readAll()).entries].sort());

  it('is written to while its keys are all still where they were', async () => {
    const { map, slot } = await open({ retryMs: 0 });
    await map.set('a', '1');
    await begin(slot);
    await writeAll(map);
    expect(await sorted(map)).toEqual(ALL_WRITTEN);
    expect(await map.reset()).toMatchObject({ changed: true });
  });

  it('is written to when its keys are all at their new place, before anybody says whose the slot is', async () => {
    const { map, slot, keys } = await open({ retryMs: 0 });
    await map.set('a', '1');
    const move = await begin(slot);
    await move.take(...Object.values(keys));
    await writeAll(map);
    expect(await sorted(map)).toEqual(ALL_WRITTEN);
    const left = (await tell(move.source, 'CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as Buffer[];
    expect(left.map(String).filter(key => key.startsWith(redis.prefix))).toEqual([]);
  });

  it.for(['data', 'meta', 'ops'] as const)('makes a write wait while only its %s is elsewhere', async first => {
    const { link, map, slot, keys } = await open();
    await map.set('n', '1');
    const move = await begin(slot);
    await move.take(keys[first]);
    const revision = (await map.readAll()).revision;
    const write = map.increment('n');
    await untilRefusedOften(link);
    expect(await map.readAll()).toMatchObject({ revision, entries: new Map([['n', '1']]) });
    await move.take(...Object.values(keys));
    expect(await write).toMatchObject({ value: 2n });
    expect((await map.readAll()).entries).toEqual(new Map([['n', '2']]));
  });

  it('does a write once that is repeated after a part of its keys went elsewhere', async () => {
    const { link, map, slot, keys, changes } = await open();
    await map.set('n', '1');
    const send = () =>
      link.commands.run(incrementScript, keys, {
        changes,
        lane: 'lane',
        sequence: '000000000001',
        known: '',
        ttl: 0,
        ttlMode: 'absolute',
        maxEntries: 10,
        maxBytes: 1000,
        maxValueBytes: 100,
        key: 'n',
        by: '1',
      });
    const first = await send();
    const move = await begin(slot);
    await move.take(keys.data, keys.meta);
    await expect(send()).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: false });
    await move.take(keys.ops);
    expect(await send()).toEqual(first);
    expect((await map.readAll()).entries).toEqual(new Map([['n', '2']]));
  });

  it('is begun, and goes on after it was emptied, when the move is over', async () => {
    const { link, map, slot } = await open();
    const move = await begin(slot);
    const first = map.set('a', '1');
    await untilRefusedOften(link);
    await settle(move, slot);
    expect(await first).toMatchObject({ changed: true });
    const back = await begin(slot);
    await map.delete('a');
    const second = map.set('a', '2');
    await untilRefusedOften(link);
    await settle(back, slot);
    expect(await second).toMatchObject({ changed: true, previous: undefined });
  });

  it('whose last entry goes or whose time is up is not changed by halves where nothing can be made anew', async () => {
    const { map, slot } = await open({ ttlMs: 60_000, ttlMode: 'sliding' });
    await map.set('a', '1');
    await begin(slot);
    const before = (await map.readAll()).revision;
    const { revision } = await map.delete('a');
    expect(revision).toBeGreaterThan(before);
    expect(await map.readAll()).toMatchObject({ revision, entries: new Map() });
  });

  it('gives a write up as not done when its patience is over', async () => {
    const { map, slot, keys } = await open({ retryMs: 4 * COMMAND_MS });
    await map.set('a', '1');
    const move = await begin(slot);
    await move.take(keys.meta);
    const startMs = performance.now();
    await expect(map.set('a', '2')).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: false });
    expect(performance.now() - startMs).toBeGreaterThan(4 * COMMAND_MS);
    expect(await map.getFresh('a')).toBe('1');
  });

  it('waits while the cluster is down, too', async () => {
    const { link, map, slot } = await open();
    await map.set('a', '1');
    const owner = await redis.server.masterOf(slot);
    const other = [0, 6000, 12_000].map(near => (near === slot ? near + 1 : near));
    const owned: number[] = [];
    for (const each of other) if ((await redis.server.masterOf(each)) === owner) owned.push(each);
    const gone = owned[0] as number;
    await tell(owner, 'CLUSTER', 'DELSLOTS', gone);
    await until(async () => /cluster_state:fail/.test(await ask(owner, 'CLUSTER', 'INFO')), 'the cluster to be down');
    const write = map.set('a', '2');
    await untilRefusedOften(link);
    await tell(owner, 'CLUSTER', 'ADDSLOTS', gone);
    expect(await write).toMatchObject({ previous: '1' });
    await redis.server.untilWell();
  });

  it('ends equal in every copy', async () => {
    const { map, slot, keys } = await open();
    await map.set('n', '0');
    const replica = await ReplicatedMap.join(await redis.connect(), 'm');
    redis.defer(() => replica.close());
    const move = await begin(slot);
    await map.increment('n');
    await move.take(...Object.values(keys));
    await map.increment('n');
    await move.end();
    const { revision } = await map.increment('n');
    await replica.waitFor(revision, { timeoutMs: 10_000 });
    expect(replica.get('n')).toBe('3');
  });
});
