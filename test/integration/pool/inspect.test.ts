import { describe, expect, it } from 'vitest';
import { addRoute, drainWorker, listRoutes, removeRoute } from '../../../src/engine/admin/pools.ts';
import { diagnose } from '../../../src/engine/inspect/diagnosis.ts';
import { listJobKeys, listJobs, readJobs, showJob } from '../../../src/engine/inspect/jobs.ts';
import { listLedger } from '../../../src/engine/inspect/ledger.ts';
import { listNodes, listPools, listWorkers, showPool, showWorker } from '../../../src/engine/inspect/pools.ts';
import { surveyFleet } from '../../../src/engine/inspect/survey.ts';
import { Shard } from '../../../src/engine/pool/shard.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { joinWorker } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

describe('what inspection sees of a pool', () => {
  const fixture = usePool();
  /** Every reading is done over a link that could not write. */
  const reader = () => fixture.connect({ access: 'read-only' });

  it('is who works in it and how much', async () => {
    const node = await fixture.node({ limit: 50, host: 'host-1', version: '1.2.3' });
    const worker = await node.addWorker({
      handler: new Recorder().service('a'),
      capacity: 7,
      weight: 2,
      group: 'heavy',
    });
    await node.routes.add({ glob: 'big:*', group: 'heavy' });
    await node.dispatch('big:1', 'payload', { wait: 'started' });
    await node.dispatch('small');
    const link = await reader();
    expect(await showPool(link, fixture.pool)).toMatchObject({
      name: fixture.pool,
      // Nobody takes the job of the default group.
      state: 'DEGRADED',
      unserved: [{ group: 'default', waitingCount: 1 }],
      nodeCount: 1,
      workerCount: 1,
      jobCount: 2,
      queuedCount: 1,
      deadCount: 0,
      limit: 50,
      groups: ['default', 'heavy'],
      dispatchedTotal: 2,
      startedTotal: 1,
      endedTotal: 0,
    });
    expect((await listPools(link)).map(({ name }) => name)).toEqual([fixture.pool]);
    const [seen] = await listWorkers(link, fixture.pool);
    expect(seen).toMatchObject({
      id: worker.id,
      node: node.id,
      group: 'heavy',
      state: 'ALIVE',
      jobCount: 1,
      capacity: 7,
      weight: 2,
      incarnation: 1,
      host: 'host-1',
      version: '1.2.3',
      pid: process.pid,
    });
    expect(seen?.leaseLeftMs).toBeGreaterThan(0);
    expect(await showWorker(link, fixture.pool, worker.id)).toMatchObject({ id: worker.id });
    expect(await listWorkers(link, fixture.pool, { group: 'other' })).toEqual([]);
    expect(await listNodes(link, fixture.pool)).toMatchObject([{ id: node.id, workerCount: 1, jobCount: 1 }]);
    await expect(showPool(link, 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(showWorker(link, fixture.pool, 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are the groups with a worker, a job that waits or a route, and no others', async () => {
    const node = await fixture.node();
    const groups = async () => (await showPool(await reader(), fixture.pool)).groups;
    for (const group of ['busy', 'left', 'waiting']) await node.routes.add({ glob: `${group}:*`, group });
    for (const group of ['busy', 'left', 'waiting']) await node.dispatch(`${group}:1`);
    await node.dispatch('of none');
    const worker = await node.addWorker({ handler: new Recorder().service('a'), group: 'busy' });
    await node.addWorker({ handler: new Recorder().service('b'), group: 'never-waited' });
    for (const key of ['left:1', 'of none']) await node.stop(key);
    for (const group of ['left', 'waiting']) await node.routes.remove(`${group}:*`);
    expect(await groups()).toEqual(['busy', 'never-waited', 'waiting']);
    await node.stop('waiting:1');
    await node.stop('busy:1', { wait: true });
    await worker.drain();
    expect(await groups()).toEqual(['busy', 'never-waited']);
    await node.routes.remove('busy:*');
    expect(await groups()).toEqual(['never-waited']);
  });

  it('is how long the first job is due, by the wall, also where the clock of the shard lags behind', async () => {
    const client = await fixture.client({ refreshMs: 600_000 });
    const link = await fixture.look();
    await client.dispatch('late', '', { delayMs: 600_000 });
    const oldestMs = async () => (await surveyFleet(await reader())).pools[0]?.oldestPendingMs ?? null;
    expect(await oldestMs()).toBe(null);
    await client.dispatch('first');
    // Each script adds no more than that.
    await link.commands.call('HSET', link.keys.pool(fixture.pool).config, 'clamp-ms', 1);
    const atMs = performance.now();
    await until(() => performance.now() - atMs > 300, 'it to wait for a while');
    await client.dispatch('second');
    expect(await oldestMs()).toBeGreaterThan(290);
    // One that its worker gave up is due since then.
    const shard = await Shard.find(link, fixture.pool);
    await joinWorker(shard, 'w');
    const worker = { id: 'w', incarnation: 1, group: 'default', capacity: 9 };
    const { epoch } = await shard.members('', 'default', 0);
    const reply = await shard.assign(worker, epoch, ['first', 'second']);
    if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
    const [[key, token]] = reply.jobs as [[Buffer, number]];
    expect((await shard.readJob(key, 'due-at'))[0]).toBe(null);
    const releasedMs = performance.now();
    await shard.release('w', key, Number(String(token)), undefined, 'drain');
    const ageMs = await oldestMs();
    expect(ageMs).toBeLessThan(performance.now() - releasedMs + 50);
    await shard.stop('s', 'second', '');
  });

  it('is each job, its payload and what happened to it', async () => {
    const node = await fixture.node();
    const worker = await node.addWorker({
      handler: {
        start: job => {
          if (job.key === 'bad') throw new Error('broke');
        },
      },
    });
    const { token } = await node.dispatch('good', 'p\n', { wait: 'started' });
    await node.dispatch('bad', 'q', { attempts: 1 });
    await node.dispatch('later', '', { delayMs: 60_000 });
    const link = await reader();
    await until(async () => (await showPool(link, fixture.pool)).deadCount === 1, 'the bad job to die');
    expect(await listJobKeys(link, fixture.pool)).toEqual([
      { key: 'good', worker: worker.id },
      { key: 'later', worker: null },
    ]);
    expect((await listJobs(link, fixture.pool)).map(({ key, state }) => `${key} ${state}`)).toEqual([
      'good RUNNING',
      'later PENDING',
    ]);
    expect((await listJobs(link, fixture.pool, { state: 'PENDING' })).map(({ key }) => key)).toEqual(['later']);
    expect((await listJobs(link, fixture.pool, { worker: worker.id })).map(({ key }) => key)).toEqual(['good']);
    expect(await listJobs(link, fixture.pool, { limit: 1 })).toHaveLength(1);
    expect(await listJobs(link, fixture.pool, { state: 'DEAD' })).toMatchObject([
      { key: 'bad', state: 'DEAD', attempt: 1, maxAttempts: 1, error: 'Error: broke' },
    ]);
    const [later] = await readJobs(link, fixture.pool, ['later', 'never']);
    expect(later?.delayLeftMs).toBeGreaterThan(50_000);
    expect(await showJob(link, fixture.pool, 'good')).toMatchObject({
      key: 'good',
      state: 'RUNNING',
      worker: worker.id,
      group: 'default',
      token,
      attempt: 1,
      payloadBytes: 2,
      payload: { encoding: 'utf8', data: 'p\n', sizeBytes: 2 },
      history: [
        { type: 'dispatched', key: 'good', worker: worker.id, token },
        { type: 'started', key: 'good', worker: worker.id, token },
      ],
    });
    expect(await showJob(link, fixture.pool, 'bad')).toMatchObject({ state: 'DEAD', payload: { data: 'q' } });
    await expect(showJob(link, fixture.pool, 'never')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const ledger = await listLedger(link, fixture.pool);
    expect(ledger.map(({ type }) => type)).toEqual(expect.arrayContaining(['joined', 'dispatched', 'started', 'dead']));
    const [first] = ledger;
    expect(await listLedger(link, fixture.pool, { after: first?.id })).toEqual(ledger.slice(1));
    expect(await listLedger(link, fixture.pool, { count: 2 })).toEqual(ledger.slice(-2));
  });

  it('is a worker whose lease is over, until it is reaped', async () => {
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({ handler: new Recorder().service('a') });
    await node.dispatch('k', '', { wait: 'started' });
    fixture.partition(node);
    const link = await reader();
    await until(async () => (await listWorkers(link, fixture.pool))[0]?.state === 'STALE', 'the lease to end');
    expect(await showPool(link, fixture.pool)).toMatchObject({ state: 'NO WORKERS', workerCount: 0, jobCount: 1 });
  });
});

describe('a group in which jobs wait', () => {
  const fixture = usePool();

  it('and that no worker takes them from is told of, as long as it is so', async () => {
    const node = await fixture.node();
    await node.addWorker({ id: 'light', handler: new Recorder().service('light') });
    const other = await fixture.node();
    const heavy = await other.addWorker({ id: 'heavy', group: 'heavy', handler: new Recorder().service('heavy') });
    await node.routes.add({ glob: 'big:*', group: 'heavy' });
    await node.dispatch('small', '', { wait: 'started' });
    await node.dispatch('big:1', '', { wait: 'started' });
    const link = await fixture.connect({ access: 'read-only' });
    const look = async () => {
      const { findings } = await diagnose(link, { pools: [fixture.pool] });
      const { pools } = await surveyFleet(link);
      const { state, unserved } = await showPool(link, fixture.pool);
      const told = findings.filter(({ subject }) => subject.kind === 'pool');
      return { state, unserved, told, waiting: pools.find(({ pool }) => pool.name === fixture.pool)?.waiting };
    };
    expect(await look()).toMatchObject({ state: 'OK', unserved: [], told: [] });
    await heavy.drain();
    await node.dispatch('big:2');
    expect(await look()).toEqual({
      state: 'DEGRADED',
      unserved: [{ group: 'heavy', waitingCount: 2 }],
      told: [
        expect.objectContaining({
          severity: 'critical',
          code: 'GROUP_WITHOUT_WORKERS',
          message: 'group heavy: 2 jobs wait and no worker takes them',
          command: `ponos worker start HANDLER --pool ${fixture.pool} --group heavy`,
        }),
      ],
      waiting: expect.arrayContaining([{ group: 'heavy', waitingCount: 2 }]),
    });
    await other.addWorker({ id: 'heavy-2', group: 'heavy', handler: new Recorder().service('heavy-2') });
    await until(async () => (await look()).state === 'OK', 'the jobs to be taken');
    expect(await look()).toMatchObject({ unserved: [], told: [] });
  });

  it('is IDLE when there are neither workers nor jobs', async () => {
    const node = await fixture.node();
    const worker = await node.addWorker({ handler: new Recorder().service('a') });
    await worker.drain();
    const link = await fixture.connect({ access: 'read-only' });
    expect(await showPool(link, fixture.pool)).toMatchObject({ state: 'IDLE', workerCount: 0, jobCount: 0 });
  });
});

describe('what an operator does', () => {
  const fixture = usePool();

  it('drains a worker from outside', async () => {
    const recorder = new Recorder();
    const nodes = [await fixture.node(), await fixture.node()];
    const workers = await Promise.all(nodes.map((node, i) => node.addWorker({ handler: recorder.service(`w${i}`) })));
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    await Promise.all(keys.map(key => nodes[0]?.dispatch(key, '', { wait: 'started' })));
    const link = await fixture.connect();
    const left = workers[0]?.events.once('left');
    await drainWorker(link, fixture.pool, workers[0]?.id ?? '');
    await left;
    await until(() => recorder.runningOn('w1').length === keys.length, 'the jobs to be handed on');
    expect(recorder.overlaps).toEqual([]);
    await expect(drainWorker(link, fixture.pool, 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(drainWorker(link, 'no-pool', 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('orders the routes', async () => {
    const link = await fixture.connect();
    await addRoute(link, fixture.pool, { glob: 'a*', group: 'one' });
    await addRoute(link, fixture.pool, { glob: 'b*', group: 'two' });
    await addRoute(link, fixture.pool, { glob: 'first', group: 'three' }, 0);
    await addRoute(link, fixture.pool, { glob: 'a*', group: 'four' });
    expect(await listRoutes(link, fixture.pool)).toEqual([
      { glob: 'first', group: 'three' },
      { glob: 'a*', group: 'four' },
      { glob: 'b*', group: 'two' },
    ]);
    await removeRoute(link, fixture.pool, 'a*');
    expect((await listRoutes(link, fixture.pool)).map(({ glob }) => glob)).toEqual(['first', 'b*']);
    await expect(addRoute(link, fixture.pool, { glob: '', group: 'x' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await Promise.all(
      Array.from({ length: 5 }, (_, i) => addRoute(link, fixture.pool, { glob: `at-once-${i}`, group: 'x' })),
    );
    expect(await listRoutes(link, fixture.pool)).toHaveLength(7);
  });
});
