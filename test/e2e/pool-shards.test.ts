import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/engine/index.ts';
import { PoolClient } from '../../src/engine/pool/client.ts';
import { shardIndex } from '../../src/engine/pool/hash.ts';
import { jobKeyForm } from '../../src/engine/pool/job-key.ts';
import { useRedis } from '../support/fixture.ts';
import { poolCli, SERVICE_HANDLER } from '../support/pool-cli.ts';
import { ClusterServers } from '../support/topology/cluster.ts';
import { tell } from '../support/topology/commands.ts';
import { until } from '../support/until.ts';

interface Items<T> {
  items: T[];
}
interface Item<T> {
  item: T;
}

const SHARDS = 6;
/** Of a worker, in each shard. */
const CAPACITY = 20;
const KEYS = Array.from({ length: 30 }, (_, at) => `job-${String(at).padStart(2, '0')}`);

describe('ponos with a pool of several shards on a cluster', () => {
  let cluster: ClusterServers;
  beforeAll(async () => {
    cluster = await ClusterServers.start();
  });
  afterAll(() => cluster.stop());
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis, () => cluster.url);

  async function fleet(count: number) {
    const handler = file('service.js', SERVICE_HANDLER);
    const args = [handler, '--shards', String(SHARDS), '--lease', 'fast', '-n', String(CAPACITY)];
    return Promise.all(Array.from({ length: count }, () => worker(args)));
  }

  async function dispatchAll() {
    const client = await PoolClient.open(await redis.connect({ url: cluster.url }), 'default');
    await Promise.all(KEYS.map(key => client.dispatch(key, '', { wait: 'started' })));
    await client.close();
  }

  it('shows what is in every shard', async () => {
    const fleetIds = (await fleet(2)).map(({ id }) => id).sort();
    await dispatchAll();
    expect((await run(['pool', 'show', '-o', 'wide'])).stdout).toMatch(/SHARDS +6/);
    const { item: pool } = await json<Item<object>>(['pool', 'show']);
    expect(pool).toMatchObject({ shardCount: SHARDS, jobCount: KEYS.length, workerCount: 2, state: 'OK' });
    expect((await run(['job', 'list', '-o', 'name'])).stdout).toBe(KEYS.map(key => `${key}\n`).join(''));
    const { items: workers } = await json<Items<{ id: string; jobCount: number }>>(['worker', 'list']);
    expect(workers.map(({ id }) => id)).toEqual(fleetIds);
    expect(workers.reduce((sum, { jobCount }) => sum + jobCount, 0)).toBe(KEYS.length);
    for (const key of KEYS.slice(0, 6)) {
      const { item: job } = await json<Item<object>>(['job', 'show', key]);
      expect(job).toMatchObject({ key, state: 'RUNNING', history: [{ type: 'dispatched' }, { type: 'started' }] });
    }
    const events = (await run(['pool', 'events', '--last', '1000', '--type', 'started', '-o', 'ndjson'])).stdout;
    for (const key of KEYS) expect(events).toContain(`"${key}"`);
    const told = await run(['doctor']);
    expect(told.stdout + told.stderr).not.toMatch(/violation|broken/i);
    expect(told.code).toBe(0);
  });

  it('names the master of the cluster that is set up badly', async () => {
    const master = await cluster.masterOf(0);
    await tell(master, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const { findings } = JSON.parse((await run(['doctor', '--json'])).stdout).item;
    await tell(master, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    const about = (code: string): Finding[] => findings.filter((finding: Finding) => finding.code === code);
    expect(about('UNSAFE_EVICTION')).toMatchObject([
      {
        subject: { name: `127.0.0.1:${master.port}` },
        command: `redis-cli -h 127.0.0.1 -p ${master.port} config set maxmemory-policy noeviction`,
      },
    ]);
    const commands = about('NO_PERSISTENCE').map(({ command }) => command);
    expect(new Set(commands).size).toBe(3);
  });

  it('finds nothing to move where all are in place, and drains every shard', async () => {
    const [a, b] = await fleet(2);
    await dispatchAll();
    const { item: plan } = await json<Item<{ moves: object[] }>>(['pool', 'rebalance', '--dry-run']);
    expect(plan.moves).toEqual([]);
    expect(await run(['pool', 'rebalance', '--timeout', '20s'])).toMatchObject({ code: 0 });
    expect(await run(['worker', 'drain', a?.id ?? '', '--yes'])).toMatchObject({ code: 0 });
    expect(await a?.running.result).toMatchObject({ code: 0 });
    expect(await json<Item<object>>(['worker', 'show', b?.id ?? ''])).toMatchObject({
      item: { jobCount: KEYS.length },
    });
    expect(await run(['pool', 'drain', '--yes'])).toMatchObject({ code: 0, stdout: '' });
    expect(await b?.running.result).toMatchObject({ code: 0 });
    const { item: pool } = await json<Item<object>>(['pool', 'show']);
    expect(pool).toMatchObject({ workerCount: 0, jobCount: KEYS.length, queuedCount: KEYS.length });
  });

  it('fires a schedule in the shard of its job, whichever that is', async () => {
    await fleet(1);
    const keys = KEYS.slice(0, 8);
    expect(new Set(keys.map(key => shardIndex(jobKeyForm(key).hash, SHARDS))).size).toBeGreaterThan(2);
    for (const key of keys) {
      const added = await run(['schedule', 'add', `of-${key}`, '--every', '300ms', '--key', key]);
      expect(added).toMatchObject({ code: 0 });
    }
    const { items } = await json<Items<{ name: string }>>(['schedule', 'list']);
    expect(items.map(({ name }) => name)).toEqual(keys.map(key => `of-${key}`));
    await until(async () => {
      const { items: fired } = await json<Items<{ firedCount: number }>>(['schedule', 'list']);
      return fired.every(({ firedCount }) => firedCount > 0);
    }, 'each to fire');
    expect((await run(['job', 'list', '-o', 'name'])).stdout).toBe(keys.map(key => `${key}\n`).join(''));
    const name = `of-${keys[0]}`;
    expect(await run(['schedule', 'pause', name])).toMatchObject({ code: 0 });
    expect(await json(['schedule', 'show', name])).toMatchObject({ item: { state: 'PAUSED' } });
    expect(await run(['schedule', 'resume', name])).toMatchObject({ code: 0 });
    expect(await run(['schedule', 'remove', name, '--yes'])).toMatchObject({ code: 0 });
    expect(await run(['schedule', 'show', name])).toMatchObject({ code: 3 });
  });
});
