import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { drainWorker } from '../../../src/engine/admin/pools.ts';
import { listJobs } from '../../../src/engine/inspect/jobs.ts';
import { listLedger } from '../../../src/engine/inspect/ledger.ts';
import { locateJob } from '../../../src/engine/inspect/place.ts';
import { listWorkers, showPool } from '../../../src/engine/inspect/pools.ts';
import { planRebalance } from '../../../src/engine/inspect/rebalance-plan.ts';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { shardIndex } from '../../../src/engine/pool/hash.ts';
import { jobKeyForm } from '../../../src/engine/pool/job-key.ts';
import { Shard } from '../../../src/engine/pool/shard.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { until } from '../../support/until.ts';

const KEYS = Array.from({ length: 60 }, (_, i) => `job-${i}`);
const SHARDS = 3;

describe('a pool of several shards', () => {
  const fixture = usePool();

  async function fleet(names: string[], recorder: Recorder) {
    const joined = [];
    for (const name of names) {
      const node = await fixture.node({ lease: TEST_LEASE, shards: SHARDS });
      joined.push({ name, node, worker: await node.addWorker({ handler: recorder.service(name), id: name }) });
    }
    return joined;
  }

  it('spreads its jobs over the shards, and acts as one', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a', 'b'], recorder);
    await Promise.all(KEYS.map(key => a?.node.dispatch(key, key, { wait: 'started' })));
    const link = await fixture.look();
    const shards = await Shard.findAll(link, fixture.pool);
    const counts = await Promise.all(shards.map(async shard => Number((await shard.readConfig('count'))[0])));
    expect(counts).toHaveLength(SHARDS);
    for (const count of counts) expect(count).toBeGreaterThan(5);
    expect(counts.reduce((sum, count) => sum + count)).toBe(KEYS.length);
    expect(await showPool(link, fixture.pool)).toMatchObject({
      shardCount: SHARDS,
      jobCount: KEYS.length,
      workerCount: 2,
    });
    expect((await listJobs(link, fixture.pool)).map(({ key }) => key)).toEqual([...KEYS].sort());
    const workers = await listWorkers(link, fixture.pool);
    expect(workers.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(workers.map(({ jobCount }) => jobCount)).toEqual(['a', 'b'].map(name => recorder.runningOn(name).length));
    expect(await locateJob(link, fixture.pool, 'job-7')).toMatchObject({
      worker: recorder.owner('job-7'),
      recorded: true,
    });
    const started = (await listLedger(link, fixture.pool, { count: 1000 })).filter(({ type }) => type === 'started');
    expect(new Set(started.map(({ key }) => key)).size).toBe(KEYS.length);
    await a?.node.notify('job-7', 'hello');
    await until(() => recorder.of('job-7').some(line => line.startsWith('note')), 'the notification');
    await a?.node.stop('job-7', { wait: true });
    expect(recorder.owner('job-7')).toBeUndefined();
  });

  it('moves the jobs of every shard when a worker joins, drains or dies', async () => {
    const recorder = new Recorder();
    const [a, b] = await fleet(['a', 'b'], recorder);
    await Promise.all(KEYS.map(key => a?.node.dispatch(key, '', { wait: 'started' })));
    await fleet(['c'], recorder);
    await until(() => recorder.runningOn('c').length > 5 && recorder.runningCount === KEYS.length, 'jobs to move');
    await drainWorker(await fixture.look(), fixture.pool, 'a');
    await until(() => a?.worker.state === 'left', 'a to leave every shard');
    expect(recorder.runningOn('a')).toEqual([]);
    expect(recorder.runningCount).toBe(KEYS.length);
    fixture.partition(b?.node);
    await until(() => recorder.runningOn('c').length === KEYS.length, 'all jobs to be on the last one');
    expect(recorder.overlaps).toEqual([]);
  });

  it('plans the moves of each shard by the capacity there', async () => {
    const recorder = new Recorder();
    // They look on until the test has seen the plan.
    const patient = { lease: TEST_LEASE, shards: SHARDS, settleMs: 600_000 };
    const a = await fixture.node(patient);
    await a.addWorker({ handler: recorder.service('a'), id: 'a' });
    await Promise.all(KEYS.map(key => a.dispatch(key, '', { wait: 'started' })));
    const b = await fixture.node(patient);
    await b.addWorker({ handler: recorder.service('b'), id: 'b', capacity: 3 });
    const { moves } = await planRebalance(await fixture.look(), fixture.pool);
    const perShard = Map.groupBy(moves, ({ key }) => shardIndex(jobKeyForm(key).hash, SHARDS));
    expect([...perShard.values()].map(({ length }) => length)).toEqual([3, 3, 3]);
    for (const { key } of moves) expect(await a.where(key)).toMatchObject({ worker: 'a', preferred: 'b' });
  });

  it('sends what one tick dispatches as one script to each shard', async () => {
    const link = await fixture.connect();
    const client = await PoolClient.open(link, fixture.pool, { create: true, shards: SHARDS });
    fixture.defer(() => client.close());
    const sent = vi.spyOn(link.commands, 'run');
    await Promise.all(KEYS.slice(0, 40).map(key => client.dispatch(key)));
    const names = sent.mock.calls.map(([script]) => script.name);
    expect(names.filter(name => name === 'pool.dispatch')).toHaveLength(SHARDS);
    sent.mockRestore();
  });

  it('keeps every running job when Redis loses everything', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a', 'b'], recorder);
    await Promise.all(KEYS.map(key => a?.node.dispatch(key, '', { wait: 'started' })));
    const link = await fixture.look();
    const losses: unknown[] = [];
    a?.node.events.on('stateLost', ({ cause }) => losses.push(cause));
    await link.commands.call('FLUSHALL');
    await until(async () => {
      const jobs = await listJobs(link, fixture.pool).catch(() => []);
      return jobs.filter(({ state }) => state === 'RUNNING').length === KEYS.length;
    }, 'the records to be back');
    expect((await showPool(link, fixture.pool)).shardCount).toBe(SHARDS);
    for (const key of KEYS) expect(recorder.of(key)).toHaveLength(1);
    expect(losses).toEqual(['flushed']);
  });

  it('tells everything of a worker from its first registration on', async () => {
    const recorder = new Recorder();
    const node = await fixture.node({ lease: TEST_LEASE, shards: SHARDS });
    await Promise.all(KEYS.map(key => node.dispatch(key)));
    const told: string[] = [];
    await node.addWorker({
      handler: recorder.service('w'),
      listen: events => {
        events.on('registered', ({ incarnation }) => told.push(`registered ${incarnation}`));
        events.on('started', () => told.push('started'));
      },
    });
    await until(() => recorder.runningCount === KEYS.length, 'all jobs to run');
    expect(told.filter(what => what === 'registered 1')).toHaveLength(SHARDS);
    expect(told.filter(what => what === 'started')).toHaveLength(KEYS.length);
  });

  it('lets only the part of a worker look where work waits', async () => {
    const node = await fixture.node({ lease: TEST_LEASE, shards: SHARDS, reconcileMs: 60_000 });
    await node.addWorker({ handler: { run: async () => {} }, id: 'w' });
    const { mock } = vi.spyOn(Shard.prototype, 'members');
    onTestFinished(() => void vi.restoreAllMocks());
    const lookCounts = () =>
      Array.from(
        { length: SHARDS },
        (_, shard) =>
          mock.calls.filter(([worker], call) => worker === 'w' && (mock.contexts[call] as Shard).index === shard)
            .length,
      );
    // Until the looks of the beginning are over.
    await until(() => node.dispatch('done', '', { wait: 'completed' }), 'it to work');
    const before = lookCounts();
    await node.dispatch('later', '', { delayMs: 600_000 });
    const at = shardIndex(jobKeyForm('later').hash, SHARDS);
    await until(() => (lookCounts()[at] as number) > (before[at] as number), 'it to look');
    expect(lookCounts().filter((_, shard) => shard !== at)).toEqual(before.filter((_, shard) => shard !== at));
  });

  it('has the number of shards it was made with', async () => {
    await fixture.client({ shards: 2 });
    await expect(fixture.client({ shards: 3 })).rejects.toMatchObject({ code: 'SHARDS_MISMATCH' });
    const client = await fixture.client();
    await client.dispatch('k');
    expect((await showPool(await fixture.look(), fixture.pool)).shardCount).toBe(2);
  });

  it('limits each shard, and says so', async () => {
    const client = await fixture.client({ shards: 2, limit: 3 });
    const outcomes = await Promise.allSettled(KEYS.map(key => client.dispatch(key)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(6);
    const refused = outcomes.find(({ status }) => status === 'rejected');
    expect(refused).toMatchObject({ reason: { code: 'POOL_FULL', hint: expect.stringContaining('shards') } });
  });
});
