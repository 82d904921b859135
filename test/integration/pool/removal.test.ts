/** A pool is removed on purpose: all of it goes, and nobody who still knows it brings it back. */
import { describe, expect, it } from 'vitest';
import { planPoolRemoval } from '../../../src/engine/admin/pool-removal.ts';
import { addRoute, listRoutes } from '../../../src/engine/admin/pools.ts';
import { addSchedule } from '../../../src/engine/admin/schedules.ts';
import { diagnose } from '../../../src/engine/inspect/diagnosis.ts';
import { listPools } from '../../../src/engine/inspect/pools.ts';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { removePool } from '../../../src/engine/pool/removal.ts';
import { removeScript } from '../../../src/engine/pool/scripts.gen.ts';
import { Shard } from '../../../src/engine/pool/shard.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { dumpKeys } from '../../support/dump.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { joinWorker, openShard, request } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

const SHARDS = 3;
const KEYS = Array.from({ length: 12 }, (_, i) => `job-${i}`);

describe('a pool that is removed', () => {
  const fixture = usePool({ args: ['--enable-debug-command', 'local'] });

  /** Names of its keys, without what stands before the number of the shard. */
  async function keysOf(link: RedisLink): Promise<string[]> {
    const prefix = link.keys.poolPrefix(fixture.pool);
    const found: string[] = [];
    for await (const names of link.commands.scanKeys(`${prefix}*`)) {
      found.push(...names.map(name => String(name).slice(prefix.length)));
    }
    return found.sort();
  }

  /** As a removal that was interrupted as soon as a shard was out of use. */
  async function interrupt(link: RedisLink): Promise<void> {
    const { config, members, memberInfo, groups, dead, ledger, schedules, events } = link.keys.pool(fixture.pool);
    const [generation] = (await link.commands.call('HMGET', config, 'generation')) as [Buffer];
    const reply = await link.commands.run(
      removeScript,
      { config, members, member_info: memberInfo, groups, dead, ledger, schedules },
      { generation, jobs: 0, dry_run: 0, events },
    );
    expect(reply).toEqual({ status: 'REMOVED' });
  }

  it('leaves nothing of any shard but a mark that expires, nor routes, nor its name', async () => {
    const node = await fixture.node({ shards: SHARDS });
    const worker = await node.addWorker({
      handler: {
        run: async job => {
          if (job.key === 'job-0') throw new Error('broke');
        },
      },
    });
    const link = await fixture.look();
    await addRoute(link, fixture.pool, { glob: 'nothing', group: 'heavy' });
    await Promise.all(
      KEYS.map(key =>
        node.dispatch(key, 'p', { attempts: 1, retentionMs: 600_000, wait: 'completed' }).catch(() => {}),
      ),
    );
    for (const key of KEYS) await addSchedule(link, fixture.pool, `of-${key}`, { everyMs: 3_600_000, key });
    await node.ticker('ticker', { everyMs: 3_600_000 }, () => {});
    await worker.drain();
    await node.close();
    expect(await planPoolRemoval(link, fixture.pool)).toEqual({
      deadCount: 1,
      scheduleCount: KEYS.length + 1,
      routeCount: 1,
      interrupted: false,
    });
    expect((await keysOf(link)).length).toBeGreaterThan(2 * KEYS.length);
    await removePool(link, fixture.pool);
    expect(await keysOf(link)).toEqual(['0}:cfg', '1}:cfg', '2}:cfg']);
    for (let shard = 0; shard < SHARDS; shard++) {
      expect(await link.commands.call('TTL', link.keys.pool(fixture.pool, shard).config)).toBeGreaterThan(3600);
    }
    expect(await listRoutes(link, fixture.pool)).toEqual([]);
    expect(await listPools(link)).toEqual([]);
    expect(await link.registry.list('pools')).toEqual([]);
    await expect(removePool(link, fixture.pool)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(planPoolRemoval(link, fixture.pool)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(diagnose(link, { pools: [fixture.pool] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(PoolClient.open(link, fixture.pool)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('must have no job and no live worker, or is left as it is', async () => {
    const node = await fixture.node({ shards: SHARDS });
    const link = await fixture.look();
    await node.dispatch('k');
    const refused = async (message: string, hint: string) => {
      for (const act of [planPoolRemoval, removePool]) {
        const error = await act(link, fixture.pool).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'POOL_IN_USE', message: expect.stringContaining(message) });
        expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
      }
    };
    const before = await dumpKeys(link, link.keys.poolPrefix(fixture.pool), ['clock', 'last-time']);
    await refused('has 1 job;', 'ponos pool shutdown');
    expect(await dumpKeys(link, link.keys.poolPrefix(fixture.pool), ['clock', 'last-time'])).toEqual(before);
    const worker = await node.addWorker({ handler: new Recorder().service('a') });
    await until(async () => (await node.where('k')).worker === worker.id, 'the job to be taken');
    await refused('has 1 live worker and 1 job;', 'ponos pool drain');
    await node.stop('k', { wait: true });
    await refused('has 1 live worker;', 'ponos pool drain');
    await worker.drain();
    await removePool(link, fixture.pool);
  });

  it('is not brought back by who has it open, who go on in the one that somebody else makes anew', async () => {
    const client = await fixture.client({ lease: TEST_LEASE, refreshMs: 100, shards: SHARDS });
    const told: unknown[] = [];
    client.events.on('error', error => told.push(error));
    const link = await fixture.look();
    await removePool(link, fixture.pool);
    await until(() => told.length > SHARDS, 'it to look a few times');
    for (const error of told) expect(error).toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.dispatch('k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    // The mark is not what it goes by any more.
    for (const name of await keysOf(link)) {
      await link.commands.call('DEL', `${link.keys.poolPrefix(fixture.pool)}${name}`);
    }
    await expect(client.dispatch('k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect([await keysOf(link), await listPools(link)]).toEqual([[], []]);
    const lost = client.events.once('stateLost');
    const other = await fixture.client({ lease: TEST_LEASE, shards: SHARDS });
    await other.dispatch('anew', '', { timeoutMs: TEST_LEASE.leaseMs * 2 });
    await lost;
    await expect(client.dispatch('anew', '', { timeoutMs: TEST_LEASE.leaseMs * 2 })).rejects.toMatchObject({
      code: 'EXISTS',
    });
  });

  it('is no pool of theirs any more when it is made anew with another number of shards', async () => {
    const client = await fixture.client({ refreshMs: 600_000 });
    const link = await fixture.look();
    await removePool(link, fixture.pool);
    await expect(client.dispatch('k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await fixture.client({ shards: SHARDS });
    await expect(client.dispatch('k')).rejects.toMatchObject({ code: 'SHARDS_MISMATCH' });
    expect(await listPools(link)).toMatchObject([{ shardCount: SHARDS, jobCount: 0 }]);
  });

  it('takes no quarantine to be made anew, also while somebody of before listens', async () => {
    await fixture.client({ lease: TEST_LEASE });
    const link = await fixture.look();
    await removePool(link, fixture.pool);
    const other = await fixture.client({ lease: TEST_LEASE });
    await other.dispatch('k', '', { timeoutMs: 1 });
    expect(await listPools(link)).toMatchObject([{ name: fixture.pool, jobCount: 1 }]);
  });

  it('gets no job back from a worker that was cut off when it was removed', async () => {
    const recorder = new Recorder();
    const cutOff = await fixture.node({ lease: TEST_LEASE });
    await cutOff.addWorker({ handler: recorder.service('a'), id: 'a' });
    await cutOff.dispatch('k', '', { wait: 'started' });
    fixture.partition(cutOff);
    await until(() => recorder.runningCount === 0, 'it to fence itself');
    const other = await fixture.node({ lease: TEST_LEASE });
    const second = await other.addWorker({ handler: recorder.service('b'), id: 'b' });
    await until(() => recorder.owner('k') === 'b', 'another to have its job');
    await other.stop('k', { wait: true });
    await second.drain();
    const link = await fixture.look();
    await removePool(link, fixture.pool);
    const told = cutOff.events.once('error');
    fixture.heal(cutOff);
    await told;
    expect(await listPools(link)).toEqual([]);
    const anew = await fixture.node({ lease: TEST_LEASE });
    await until(async () => {
      const [pool] = await listPools(link);
      return pool?.workerCount === 1;
    }, 'the worker to join the new one');
    await anew.dispatch('other', '', { wait: 'started' });
    expect(recorder.owner('other')).toBe('a');
    expect(await listPools(link)).toMatchObject([{ jobCount: 1, dispatchedTotal: 1 }]);
  });

  it('waits until the lease of a worker that is gone is over, also where nobody moves the clock', async () => {
    // A client that looks moves the clock, too.
    await (await fixture.client({ lease: TEST_LEASE })).close();
    const link = await fixture.look();
    await joinWorker(await Shard.find(link, fixture.pool), 'gone');
    await expect(removePool(link, fixture.pool)).rejects.toMatchObject({ code: 'POOL_IN_USE' });
    await until(async () => (await listPools(link))[0]?.workerCount === 0, 'it to be gone to a person looking on');
    const waits: number[] = [];
    await expect(removePool(link, fixture.pool, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'POOL_IN_USE' });
    await until(async () => (await listPools(link))[0]?.workerCount === 0, 'it to be gone again');
    await removePool(link, fixture.pool, { onWait: leftMs => waits.push(leftMs) });
    expect(waits.length).toBeGreaterThan(0);
    expect(waits).toEqual(waits.toSorted((a, b) => b - a));
  });

  it('waits until workers had the time to say what Redis may have lost', async () => {
    await fixture.client({ lease: TEST_LEASE, refreshMs: 600_000 });
    const link = await fixture.look();
    await link.commands.call('DEBUG', 'CHANGE-REPL-ID');
    await expect(removePool(link, fixture.pool, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'POOL_QUARANTINED' });
    await removePool(link, fixture.pool);
    expect(await listPools(link)).toEqual([]);
  });

  it('is made anew by nobody while it goes, and another removal ends one that was interrupted', async () => {
    const client = await fixture.client({ refreshMs: 600_000 });
    await client.dispatch('k', '', { id: 'known', retentionMs: 600_000 });
    await client.stop('k');
    const link = await fixture.look();
    await addRoute(link, fixture.pool, { glob: 'nothing', group: 'heavy' });
    await interrupt(link);
    expect(await keysOf(link)).toContain('0}:dispatch:known');
    await expect(PoolClient.open(link, fixture.pool, { create: true })).rejects.toMatchObject({
      code: 'POOL_REMOVING',
      hint: expect.stringContaining(`ponos pool remove ${fixture.pool}`),
    });
    await expect(client.dispatch('k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await diagnose(link)).findings).toContainEqual(
      expect.objectContaining({ code: 'REMOVAL_INTERRUPTED', command: `ponos pool remove ${fixture.pool}` }),
    );
    expect(await planPoolRemoval(link, fixture.pool)).toMatchObject({ interrupted: true });
    await removePool(link, fixture.pool);
    expect(await keysOf(link)).toEqual(['0}:cfg']);
    expect(await listRoutes(link, fixture.pool)).toEqual([]);
    await PoolClient.open(link, fixture.pool, { create: true }).then(other => other.close());
  });

  it('gives out later tokens when it is made anew, also where the clock of Redis went back', async () => {
    const link = await fixture.look();
    const shard = await openShard(link, fixture.pool);
    const ahead = (Date.now() + 3_600_000) * 1000;
    await link.commands.call('HSET', link.keys.pool(fixture.pool).config, 'token', ahead);
    await removePool(link, fixture.pool);
    const anew = await openShard(link, fixture.pool);
    expect(anew.generation).not.toBe(shard.generation);
    await joinWorker(anew, 'a');
    const { epoch } = await anew.members('', 'default', 0);
    const reply = await anew.dispatch(request('k', { worker: 'a', epoch }));
    expect(reply).toMatchObject({ status: 'ASSIGNED', token: expect.toSatisfy((token: number) => token > ahead) });
  });
});
