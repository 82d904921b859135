import { describe, expect, it } from 'vitest';
import { purgeJobs, retryJobs } from '../../../src/engine/admin/dead-jobs.ts';
import { drainWorkersOf, rebalancePool } from '../../../src/engine/admin/fleet.ts';
import { addRoute } from '../../../src/engine/admin/pools.ts';
import { applyRoutes } from '../../../src/engine/admin/routes.ts';
import { closePool, openPool, shutDownPool } from '../../../src/engine/admin/shutdown.ts';
import { listJobs } from '../../../src/engine/inspect/jobs.ts';
import { showPool } from '../../../src/engine/inspect/pools.ts';
import { planRebalance } from '../../../src/engine/inspect/rebalance-plan.ts';
import type { Job } from '../../../src/engine/pool/handler.ts';
import type { AddWorkerOptions } from '../../../src/engine/pool/node.ts';
import type { PoolNodeOptions } from '../../../src/engine/pool/options.ts';
import { Shard } from '../../../src/engine/pool/shard.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { joinWorker, request } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

describe('what an operator does with a pool', () => {
  const fixture = usePool();
  const KEYS = Array.from({ length: 40 }, (_, at) => `job-${at}`);

  async function worker(recorder: Recorder, id: string, options: PoolNodeOptions & Partial<AddWorkerOptions> = {}) {
    const { group, capacity, handler, ...nodeOptions } = options;
    const node = await fixture.node({ lease: TEST_LEASE, ...nodeOptions });
    await node.addWorker({ id, handler: handler ?? recorder.service(id), group, capacity });
    return node;
  }

  it('a plan of the moves is what the workers then do, and moves nothing itself', async () => {
    const recorder = new Recorder();
    // They look on until the test has seen the plan.
    const patient = { settleMs: 600_000 };
    const a = await worker(recorder, 'a', patient);
    await Promise.all(KEYS.map(key => a.dispatch(key, '', { wait: 'started' })));
    await worker(recorder, 'b', { ...patient, capacity: 10 });
    const link = await fixture.look();
    const { moves, workers } = await planRebalance(link, fixture.pool);
    expect(moves.length).toBe(10);
    for (const { key, from, to } of moves) {
      expect([from, to]).toEqual(['a', 'b']);
      expect(await a.where(key)).toMatchObject({ worker: 'a', preferred: 'b' });
    }
    expect(workers).toEqual([
      { worker: 'a', group: 'default', jobCount: 40, leavingCount: 10, comingCount: 0 },
      { worker: 'b', group: 'default', jobCount: 0, leavingCount: 0, comingCount: 10 },
    ]);
    expect(recorder.runningOn('a').length).toBe(KEYS.length);
    const left = await rebalancePool(link, fixture.pool, { timeoutMs: 0 });
    expect(left.moves).toEqual(moves);
  });

  it('a rebalance resolves when every service is where it belongs; tasks stay', async () => {
    const recorder = new Recorder();
    const a = await worker(recorder, 'a');
    const tasks = await worker(recorder, 'tasks', { group: 'tasks', handler: { run: hold } });
    await tasks.routes.add({ glob: 'task-*', group: 'tasks' });
    await tasks.dispatch('task-1', '', { wait: 'started' });
    await Promise.all(KEYS.map(key => a.dispatch(key, '', { wait: 'started' })));
    await worker(recorder, 'b');
    await worker(recorder, 'tasks-too', { group: 'tasks', handler: { run: hold } });
    const link = await fixture.look();
    const seen: number[] = [];
    const plan = await rebalancePool(link, fixture.pool, {
      timeoutMs: 15_000,
      onProgress: ({ moves }) => seen.push(moves.length),
    });
    expect(plan.moves).toEqual([]);
    expect(seen.at(-1)).toBe(0);
    await until(() => recorder.runningCount === KEYS.length, 'all to run');
    for (const key of KEYS) expect(await a.where(key)).toMatchObject({ worker: recorder.owner(key) });
    expect(recorder.runningOn('b').length).toBeGreaterThan(5);
    expect(await a.owner('task-1')).toBe('tasks');
    expect((await listJobs(link, fixture.pool, { worker: 'tasks' }))[0]).toMatchObject({ kind: 'task' });
  });

  it('a drain of a group ends its workers and no others; their jobs go to those left, or wait', async () => {
    const recorder = new Recorder();
    const a = await worker(recorder, 'a');
    await worker(recorder, 'b', { group: 'heavy' });
    await worker(recorder, 'c', { group: 'heavy' });
    const link = await fixture.look();
    await addRoute(link, fixture.pool, { glob: 'heavy/*', group: 'heavy' });
    await until(() => a.routes.list().length === 1, 'the route to be known');
    await Promise.all(['x', 'heavy/1', 'heavy/2'].map(key => a.dispatch(key, '', { wait: 'started' })));
    const left = await drainWorkersOf(link, fixture.pool, 'heavy', { timeoutMs: 15_000 });
    expect(left).toEqual([]);
    expect(recorder.runningOn('a')).toEqual(['x']);
    expect((await listJobs(link, fixture.pool, { state: 'PENDING' })).map(({ key }) => key)).toEqual([
      'heavy/1',
      'heavy/2',
    ]);
    const again = drainWorkersOf(link, fixture.pool, 'heavy', { timeoutMs: 0 });
    await expect(again).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('a drain that takes longer than its time gives who is still there', async () => {
    const recorder = new Recorder();
    const a = await worker(recorder, 'a', { handler: { run: hold }, drainTimeoutMs: 600_000 });
    await a.dispatch('k', '', { wait: 'started' });
    const left = await drainWorkersOf(await fixture.look(), fixture.pool, undefined, { timeoutMs: 0 });
    expect(left).toMatchObject([{ id: 'a', state: 'DRAINING', jobCount: 1 }]);
  });

  it('a shutdown stops what runs and what waits, and says what did not stop in time', async () => {
    const recorder = new Recorder();
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    const onStop = async ({ key }: { key: string }) => {
      if (key === 'slow') await released;
    };
    const a = await worker(recorder, 'a', { handler: recorder.service('a', { onStop }) });
    const link = await fixture.look();
    await addRoute(link, fixture.pool, { glob: 'waits*', group: 'nobody' });
    await until(() => a.routes.list().length === 1, 'the route to be known');
    await Promise.all([...KEYS, 'slow'].map(key => a.dispatch(key, '', { wait: 'started' })));
    await a.dispatch('waits');
    await a.dispatch('waits-long', '', { delayMs: 60_000 });
    const left = await shutDownPool(link, fixture.pool, { timeoutMs: 1500 });
    expect(left).toMatchObject([{ key: 'slow', state: 'STOPPING', worker: 'a' }]);
    expect([recorder.runningCount, recorder.of('job-0')]).toEqual([1, ['start a 1', 'stop a stop']]);
    release();
    const seen: number[] = [];
    expect(
      await shutDownPool(link, fixture.pool, { timeoutMs: 15_000, onProgress: count => seen.push(count) }),
    ).toEqual([]);
    expect(seen.at(-1)).toBe(0);
    expect(await showPool(link, fixture.pool)).toMatchObject({ state: 'CLOSED', jobCount: 0, workerCount: 1 });
  });

  it('a shutdown ends the jobs of a dead worker too, when nobody else is left', async () => {
    const client = await fixture.client({ lease: TEST_LEASE, refreshMs: 600_000 });
    const link = await fixture.look();
    const shard = await Shard.find(link, fixture.pool);
    await joinWorker(shard, 'dead');
    const { epoch } = await shard.members('', 'default', 0);
    for (const key of KEYS.slice(0, 3)) await shard.dispatch(request(key, { worker: 'dead', epoch }));
    await client.dispatch('waits', '', { delayMs: 60_000 });
    expect((await listJobs(link, fixture.pool)).map(({ worker }) => worker)).toEqual(['dead', 'dead', 'dead', null]);
    expect(await shutDownPool(link, fixture.pool, { timeoutMs: 15_000 })).toEqual([]);
    expect(await showPool(link, fixture.pool)).toMatchObject({ jobCount: 0, workerCount: 0 });
  });

  it('a closed pool refuses jobs with a word of its own, from whoever, until it is opened', async () => {
    const a = await worker(new Recorder(), 'a');
    const link = await fixture.look();
    await a.dispatch('before', 'p', { id: 'once' });
    await closePool(link, fixture.pool);
    await closePool(link, fixture.pool);
    await expect(a.dispatch('after')).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    await expect((await fixture.client()).dispatch('after')).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    // What was answered before is answered the same.
    expect(await a.dispatch('before', 'p', { id: 'once' })).toMatchObject({ status: 'accepted', worker: 'a' });
    await openPool(link, fixture.pool);
    expect(await a.dispatch('after', '', { wait: 'started' })).toMatchObject({ worker: 'a' });
    expect(await showPool(link, fixture.pool)).toMatchObject({ state: 'OK', closedAtMs: null });
  });

  it('dead jobs are listed with the time of their death, and purged by key', async () => {
    const node = await worker(new Recorder(), 'a', {
      handler: {
        run: () => {
          throw new Error('as asked');
        },
      },
    });
    for (const key of ['one', 'two', '\udcff']) {
      await expect(node.dispatch(key, 'p', { attempts: 1, wait: 'completed' })).rejects.toThrow();
    }
    const link = await fixture.look();
    const dead = await listJobs(link, fixture.pool, { state: 'DEAD' });
    expect(dead.map(({ key, state }) => `${key} ${state}`).toSorted()).toEqual(['one DEAD', 'two DEAD', '\udcff DEAD']);
    expect(Math.abs((dead[0]?.diedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    const diedBefore = (diedBeforeMs: number) => listJobs(link, fixture.pool, { state: 'DEAD', diedBeforeMs });
    expect((await diedBefore(Date.now() - 600_000)).length).toBe(0);
    expect((await diedBefore(Date.now() + 600_000)).length).toBe(3);
    const said: string[] = [];
    await purgeJobs(link, fixture.pool, ['one', 'absent', '\udcff'], (key, purged) => said.push(`${key} ${purged}`));
    expect(said).toEqual(['one true', 'absent false', '\udcff true']);
    expect((await listJobs(link, fixture.pool, { state: 'DEAD' })).map(({ key }) => key)).toEqual(['two']);
  });

  it('dead jobs are retried with their payload and all attempts, in the group the routes say, once', async () => {
    let broken = true;
    const runs: string[] = [];
    const run = ({ key, attempt, payload }: Job) => {
      runs.push(`${key} ${attempt} ${payload}`);
      if (broken) throw new Error('as asked');
    };
    const node = await worker(new Recorder(), 'a', { handler: { run } });
    const dispatch = (key: string) => node.dispatch(key, `p-${key}`, { attempts: 2, backoffMs: 1, wait: 'completed' });
    for (const key of ['one', 'two', 'three']) await expect(dispatch(key)).rejects.toThrow();
    const link = await fixture.look();
    const retry = async (...keys: string[]) => {
      const said: string[] = [];
      await retryJobs(link, fixture.pool, keys, (key, error) => said.push(`${key} ${error?.code ?? 'retried'}`));
      return said;
    };
    await addRoute(link, fixture.pool, { glob: 'two', group: 'nobody' });
    // Another job has the key by now.
    await until(() => node.routes.list().length === 1, 'the route to be known');
    await node.dispatch('three', '', { delayMs: 60_000 });
    broken = false;
    runs.length = 0;
    expect(await retry('one', 'two', 'three', 'absent')).toEqual([
      'one retried',
      'two retried',
      'three EXISTS',
      'absent NOT_FOUND',
    ]);
    await until(() => runs.length === 1, 'the first to run again');
    expect(runs).toEqual(['one 1 p-one']);
    const two = { key: 'two', group: 'nobody', attempt: 0, maxAttempts: 2, payloadBytes: 5, error: null };
    expect((await listJobs(link, fixture.pool, { group: 'nobody' }))[0]).toMatchObject(two);
    expect((await listJobs(link, fixture.pool, { state: 'DEAD' })).map(({ key }) => key)).toEqual(['three']);
    expect(await retry('one', 'two')).toEqual(['one NOT_FOUND', 'two EXISTS']);
    await node.stop('three');
    await closePool(link, fixture.pool);
    expect(await retry('three')).toEqual(['three POOL_CLOSED']);
    await openPool(link, fixture.pool);
    const full = await fixture.client({ limit: 1 });
    expect(await retry('three')).toEqual(['three POOL_FULL']);
    await full.stop('two');
    expect(await retry('three')).toEqual(['three retried']);
    await until(() => runs.length === 2, 'the last to run');
  });

  it('routes are applied in batches, over thousands of jobs', async () => {
    const client = await fixture.client();
    const keys = Array.from({ length: 2500 }, (_, at) => `k${at}`);
    await Promise.all(keys.map(key => client.dispatch(key)));
    const link = await fixture.look();
    await addRoute(link, fixture.pool, { glob: 'k1*', group: 'ones' });
    const wanted = keys.filter(key => key.startsWith('k1')).length;
    const reports: number[] = [];
    const done = await applyRoutes(link, fixture.pool, { onProgress: ({ queuedCount }) => reports.push(queuedCount) });
    expect(done).toMatchObject({ totalCount: wanted, queuedCount: wanted });
    expect(reports.length).toBe(Math.ceil(wanted / 100));
    expect((await listJobs(link, fixture.pool, { group: 'ones' })).length).toBe(wanted);
  });

  /** Until it is told to end. */
  function hold(_: unknown, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => signal.addEventListener('abort', () => resolve()));
  }
});
