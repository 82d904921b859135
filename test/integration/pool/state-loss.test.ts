/** What becomes of a pool when Redis loses something of it: everything, or the last moments. */
import { describe, expect, it } from 'vitest';
import { drainWorker } from '../../../src/engine/admin/pools.ts';
import { shutDownPool } from '../../../src/engine/admin/shutdown.ts';
import { listJobs } from '../../../src/engine/inspect/jobs.ts';
import type { Job } from '../../../src/engine/pool/handler.ts';
import type { PoolNode } from '../../../src/engine/pool/node.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { joinWorker, openShard, request } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

const KEYS = Array.from({ length: 30 }, (_, i) => `job-${i}`);

describe('a pool whose Redis lost something', () => {
  const fixture = usePool({ args: ['--enable-debug-command', 'local'] });

  async function fleet(names: string[], recorder: Recorder) {
    return Promise.all(
      names.map(async name => {
        const node = await fixture.node({ lease: TEST_LEASE });
        const worker = await node.addWorker({ handler: recorder.service(name), id: name });
        return { name, node, worker };
      }),
    );
  }

  function startAll(node: PoolNode | undefined, keys = KEYS) {
    return Promise.all(keys.map(key => node?.dispatch(key, `payload of ${key}`, { wait: 'started' })));
  }

  async function records(link: RedisLink, keys = KEYS) {
    const { job } = link.keys.pool(fixture.pool);
    const rows = await Promise.all(
      keys.map(key =>
        link.commands.call('HMGET', job(key), 'state', 'worker', 'token', 'payload', 'dispatch', 'terms'),
      ),
    );
    return rows.map(row => (row as (Buffer | null)[]).map(field => String(field)));
  }

  /** The keys of the shard as they are now; the returned function brings them back, as a replica that missed the rest. */
  async function copy(link: RedisLink): Promise<() => Promise<void>> {
    const { base } = link.keys.pool(fixture.pool);
    const names = (await link.commands.call('KEYS', `${base}:*`)) as Buffer[];
    const dumps = await Promise.all(names.map(name => link.commands.call('DUMP', name)));
    return async () => {
      const present = (await link.commands.call('KEYS', `${base}:*`)) as Buffer[];
      const multi = [
        ['MULTI'],
        ['UNLINK', ...present],
        ...names.map((name, index) => ['RESTORE', name, '0', dumps[index] as Buffer]),
        // Another server has another replication id.
        ['DEBUG', 'CHANGE-REPL-ID'],
        ['EXEC'],
      ] as [string, ...(string | Buffer)[]][];
      await Promise.all(multi.map(([command, ...args]) => link.commands.call(command, ...args)));
    };
  }

  const notesKey = (link: RedisLink, key: string) => link.keys.pool(fixture.pool).notes(key);

  /** Notes what it is told, and is at work with the first until the gate is open. */
  function noting(heard: string[], busy: Gate) {
    return async (_job: Job, payload: Buffer) => {
      heard.push(payload.toString());
      if (heard.length === 1) await busy.opened;
    };
  }

  it('keeps every running job, under its token and in its place, when everything was flushed', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a', 'b', 'c'], recorder);
    await startAll(a?.node);
    const look = await fixture.look();
    const before = await records(look);
    const lost = a?.node.events.once('stateLost');
    await look.commands.call('FLUSHALL');
    expect(await lost).toEqual({ cause: 'flushed', queuedCount: 0 });
    await until(async () => (await records(look)).every(([state]) => state === 'running'), 'the records to be back');
    expect(await records(look)).toEqual(before);
    for (const key of KEYS) expect(recorder.of(key)).toHaveLength(1);
    expect(recorder.overlaps).toEqual([]);
  });

  it('tells how many jobs waited when it was last looked at', async () => {
    const client = await fixture.client({ lease: TEST_LEASE });
    await Promise.all(['one', 'two'].map(key => client.dispatch(key)));
    const look = await fixture.look();
    const node = await fixture.node({ lease: TEST_LEASE });
    const lost = node.events.once('stateLost');
    await look.commands.call('FLUSHALL');
    expect(await lost).toEqual({ cause: 'flushed', queuedCount: 2 });
  });

  it('admits again after one lease, and jobs can be stopped and moved as ever', async () => {
    const recorder = new Recorder();
    const [a, b] = await fleet(['a', 'b'], recorder);
    await startAll(a?.node);
    await (await fixture.look()).commands.call('FLUSHALL');
    await expect(a?.node.dispatch('at once', '', { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'POOL_QUARANTINED',
    });
    await a?.node.dispatch('new', '', { wait: 'started' });
    expect(recorder.owner('new')).toBeDefined();
    await a?.node.stop('job-0', { wait: true });
    expect(recorder.owner('job-0')).toBeUndefined();
    await b?.worker.drain();
    expect(recorder.runningOn('a')).toHaveLength(KEYS.length);
    expect(recorder.overlaps).toEqual([]);
  });

  it('is in quarantine also when a stranger makes it again, and not when it is new', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    await startAll(a?.node, ['k']);
    await (await fixture.look()).commands.call('FLUSHALL');
    const stranger = await fixture.client({ lease: TEST_LEASE });
    // The key runs: a stranger must not get it a second time.
    await expect(stranger.dispatch('k', '', { timeoutMs: TEST_LEASE.leaseMs * 2 })).rejects.toMatchObject({
      code: 'EXISTS',
    });
    expect(recorder.of('k')).toEqual(['start a 1']);
  });

  it('delivers every notification accepted after a flush, whatever was under way before', async () => {
    const heard: string[] = [];
    const busy = gate();
    const node = await fixture.node({ lease: TEST_LEASE });
    const up = gate();
    await node.addWorker({ handler: { start: () => up.opened, notify: noting(heard, busy) } });
    await node.dispatch('k');
    for (const note of ['a', 'b']) await node.notify('k', note);
    up.open();
    await until(() => heard.length === 1, 'the first one to be at work');
    const look = await fixture.look();
    await look.commands.call('FLUSHALL');
    await until(async () => (await records(look, ['k']))[0]?.[0] === 'running', 'the record to be back');
    for (const note of ['c', 'd']) await node.notify('k', note);
    busy.open();
    await until(() => heard.includes('d'), 'the last one');
    expect(heard).toEqual(['a', 'b', 'c', 'd']);
    await until(async () => Number(await look.commands.call('LLEN', notesKey(look, 'k'))) === 0, 'none to be left');
  });

  it('delivers every notification accepted after a failover that lost some', async () => {
    const heard: string[] = [];
    const busy = gate();
    const node = await fixture.node({ lease: TEST_LEASE });
    const up = gate();
    await node.addWorker({ handler: { start: () => up.opened, notify: noting(heard, busy) } });
    await node.dispatch('k');
    const look = await fixture.look();
    await node.notify('k', 'a');
    const goBack = await copy(look);
    await node.notify('k', 'b');
    up.open();
    await until(() => heard.length === 1, 'the first one to be at work');
    await goBack();
    await node.notify('k', 'c');
    busy.open();
    await until(() => heard.includes('c'), 'the last one');
    // Those of before may come again, in order.
    expect(heard).toEqual(['a', 'b', 'a', 'c']);
    await until(async () => Number(await look.commands.call('LLEN', notesKey(look, 'k'))) === 0, 'none to be left');
  });

  it('goes on from an older copy: new jobs stay, ended ones stay ended, moved ones stay where they went', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    await startAll(a?.node, ['stays', 'ends', 'moves-1', 'moves-2', 'moves-3', 'moves-4']);
    const look = await fixture.look();
    const goBack = await copy(look);
    await a?.node.stop('ends', { wait: true });
    await startAll(a?.node, ['new']);
    const [b] = await fleet(['b'], recorder);
    await until(() => recorder.runningOn('b').length > 0 && recorder.runningCount === 6, 'some jobs to move');
    const places = new Map(
      ['stays', 'new', 'moves-1', 'moves-2', 'moves-3', 'moves-4'].map(key => [key, recorder.owner(key)]),
    );
    let before: string[][] = [];
    await until(async () => {
      before = await records(look, [...places.keys()]);
      return before.every(([state]) => state === 'running');
    }, 'every start to be recorded');
    const lost = [a, b].map(each => each?.node.events.once('stateLost'));
    await goBack();
    expect(await Promise.all(lost)).toMatchObject([{ cause: 'server' }, { cause: 'server' }]);
    await until(
      async () => (await records(look, [...places.keys()])).every((row, i) => row.join() === before[i]?.join()),
      'the records to be as they were',
    );
    // Beyond the quarantine: nothing comes back, nothing is taken twice.
    await a?.node.dispatch('later', '', { wait: 'started' });
    for (const [key, owner] of places) expect(recorder.owner(key)).toBe(owner);
    expect(recorder.owner('ends')).toBeUndefined();
    expect((await records(look, ['ends']))[0]?.[0]).toBe('null');
    expect(recorder.overlaps).toEqual([]);
  });

  it('stops a running job that was to be stopped where an older copy had it waiting', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    const client = await fixture.node({ lease: TEST_LEASE });
    const look = await fixture.look();
    await client.dispatch('one', '', { delayMs: 300 });
    const goBack = await copy(look);
    await until(() => recorder.owner('one') === 'a', 'the job to run');
    fixture.partition(a?.node);
    await goBack();
    // Who runs it may still say so.
    const asked = client.stop('one');
    fixture.heal(a?.node);
    expect(await asked).toEqual({ status: 'stopping', worker: 'a' });
    await until(() => recorder.runningCount === 0, 'the worker to stop it');
    await client.dispatch('later', '', { wait: 'started' });
    expect(recorder.owner('one')).toBeUndefined();
    expect((await records(look, ['one']))[0]?.[0]).toBe('null');
  });

  it('mints tokens above all that live workers know of, also when the clock was set back', async () => {
    const link = await fixture.look();
    const shard = await openShard(link, fixture.pool);
    // As they are when the clock is set back by an hour.
    const high = (Date.now() + 3_600_000) * 1000;
    await joinWorker(shard, 'w', 1, 'n', high);
    const tokenOf = async (key: string) => {
      const { epoch } = await shard.members('', 'default', 0);
      const reply = await shard.dispatch(request(key, { worker: 'w', epoch }));
      if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
      return reply.token;
    };
    expect(await tokenOf('a')).toBeGreaterThan(high);
    const held = ['b', high + 50, 'pending', 1, '', 'default', 'd', '1 1 1 1 - - -', ''];
    await shard.reassert('w', 1, held);
    expect(await tokenOf('c')).toBeGreaterThan(high + 50);
  });

  it('stops a job that was asked to while an older copy had it with another worker', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    await startAll(a?.node);
    const look = await fixture.look();
    const goBack = await copy(look);
    const [b] = await fleet(['b'], recorder);
    await until(() => recorder.runningOn('b').length > 0 && recorder.runningCount === KEYS.length, 'some jobs to move');
    const [moved = ''] = recorder.runningOn('b');
    await until(
      async () => (await records(look, [moved]))[0]?.slice(0, 2).join() === 'running,b',
      'its start to be told',
    );
    fixture.partition(b?.node);
    await goBack();
    // Nobody but its new owner can end it, and that one is told when it says what it runs.
    expect(await a?.node.stop(moved, { id: 's' })).toEqual({ status: 'stopping', worker: 'a' });
    fixture.heal(b?.node);
    await until(() => recorder.owner(moved) === undefined, 'the worker to stop it');
    await until(async () => (await records(look, [moved]))[0]?.[0] === 'null', 'it to be over');
    await a?.node.dispatch('later', '', { wait: 'started' });
    expect(recorder.of(moved).at(-1)).toBe('stop b stop');
    expect(recorder.overlaps).toEqual([]);
  });

  it('keeps the stop of a job whose record was flushed while it was stopping', async () => {
    const stopping = gate();
    const starts: string[] = [];
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({
      handler: { start: job => void starts.push(job.key), stop: () => stopping.opened },
      stopBudgetMs: 60_000,
    });
    await node.dispatch('k', '', { wait: 'started' });
    await node.stop('k');
    const look = await fixture.look();
    await until(async () => (await records(look, ['k']))[0]?.[0] === 'stopping', 'the stop to be recorded');
    await look.commands.call('FLUSHALL');
    await until(
      async () => (await records(look, ['k']))[0]?.[0] === 'stopping',
      'the record to be back, with the stop',
    );
    stopping.open();
    await until(async () => (await records(look, ['k']))[0]?.[0] === 'null', 'it to be over');
    expect(starts).toEqual(['k']);
  });

  it('says of no job that it does not exist before its worker could say so', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    const client = await fixture.client();
    await startAll(a?.node, ['stops', 'told']);
    const look = await fixture.look();
    fixture.partition(a?.node);
    await look.commands.call('FLUSHALL');
    const hasty = { timeoutMs: 50 };
    await expect(client.stop('stops', hasty)).rejects.toMatchObject({ code: 'POOL_QUARANTINED' });
    await expect(client.notify('told', 'no', hasty)).rejects.toMatchObject({ code: 'POOL_QUARANTINED' });
    await expect(drainWorker(look, fixture.pool, 'a')).rejects.toMatchObject({ code: 'POOL_QUARANTINED' });
    const asked = [client.stop('stops', { wait: true }), client.notify('told', 'yes')];
    // Nobody has it, as is known when the quarantine is over.
    const absent = expect(client.stop('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    fixture.heal(a?.node);
    await Promise.all([...asked, absent]);
    expect(recorder.owner('stops')).toBeUndefined();
    await until(() => recorder.of('told').includes('note a yes'), 'the notification');
  });

  it('is not shut down before every job that Redis forgot has stopped', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    const client = await fixture.client();
    await startAll(a?.node);
    const look = await fixture.look();
    fixture.partition(a?.node);
    await look.commands.call('FLUSHALL');
    // Somebody has made the pool again, and its worker has not said yet what it runs.
    await expect(client.notify('k', '', { timeoutMs: 1 })).rejects.toMatchObject({ code: 'POOL_QUARANTINED' });
    await expect(shutDownPool(look, fixture.pool, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'POOL_QUARANTINED',
    });
    const ended = shutDownPool(look, fixture.pool, { timeoutMs: 15_000 });
    fixture.heal(a?.node);
    expect(await ended).toEqual([]);
    expect(recorder.runningCount).toBe(0);
  });

  it('is closed again, and its jobs are asked again, when Redis forgets everything while it is shut down', async () => {
    const stopping = gate();
    const started: string[] = [];
    const ended: string[] = [];
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({
      handler: {
        start: job => void started.push(job.key),
        stop: async job => {
          if (job.key === 'slow') await stopping.opened;
          ended.push(job.key);
        },
      },
      stopBudgetMs: 60_000,
    });
    await startAll(node, ['slow', 'quick']);
    const client = await fixture.client();
    const look = await fixture.look();
    const ending = shutDownPool(look, fixture.pool, { timeoutMs: 15_000 });
    await until(async () => (await records(look, ['slow']))[0]?.[0] === 'stopping', 'the stop to be asked');
    await look.commands.call('FLUSHALL');
    await expect(client.dispatch('new', '', { timeoutMs: 10_000 })).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    expect(ended).toEqual(['quick']);
    stopping.open();
    expect(await ending).toEqual([]);
    expect(ended).toEqual(['quick', 'slow']);
    expect(started).toEqual(['slow', 'quick']);
    await expect(client.dispatch('new')).rejects.toMatchObject({ code: 'POOL_CLOSED' });
  });

  it('gives the result that was kept, also of a job that an older copy still had running, or of one it forgot', async () => {
    const going = gate();
    let runs = 0;
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({
      handler: {
        run: async job => {
          runs++;
          await going.opened;
          return `result of ${job.key}`;
        },
      },
    });
    const dispatch = (key: string) => node.dispatch(key, 'p', { id: `id-${key}`, wait: 'completed' });
    const look = await fixture.look();
    const waiting = dispatch('one');
    await until(async () => (await records(look, ['one']))[0]?.[0] === 'running', 'the job to run');
    const goBack = await copy(look);
    going.open();
    expect(String((await waiting).result)).toBe('result of one');
    await dispatch('two');
    await goBack();
    for (const key of ['one', 'two']) expect(String((await dispatch(key)).result)).toBe(`result of ${key}`);
    await look.commands.call('FLUSHALL');
    for (const key of ['two', 'one']) expect(String((await dispatch(key)).result)).toBe(`result of ${key}`);
    expect(runs).toBe(2);
  });

  it('runs no job again that was dead, where an older copy had it running or waiting', async () => {
    const going = gate();
    const runs: string[] = [];
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({
      handler: {
        run: async job => {
          runs.push(job.key);
          await going.opened;
          throw new Error(`as ${job.key} does`);
        },
      },
    });
    const dispatch = (key: string, delayMs = 0) =>
      expect(
        node.dispatch(key, 'p', { id: `id-${key}`, attempts: 1, wait: 'completed', delayMs }),
      ).rejects.toMatchObject({ code: 'HANDLER_FAILED', message: expect.stringContaining(`as ${key} does`) });
    const look = await fixture.look();
    const waiting = [dispatch('runs'), dispatch('waits', 300)];
    const states = async () => (await records(look, ['runs', 'waits'])).map(([state]) => state).join();
    await until(async () => (await states()) === 'running,pending', 'one to run, the other to wait');
    const goBack = await copy(look);
    going.open();
    await Promise.all(waiting);
    await goBack();
    await node.dispatch('later', '', { attempts: 1 });
    await until(() => runs.includes('later'), 'a later job to run');
    expect(runs.filter(key => key !== 'later')).toEqual(['runs', 'waits']);
    const dead = async () => (await listJobs(look, fixture.pool, { state: 'DEAD' })).map(({ key }) => key);
    await until(async () => (await dead()).length === 3, 'the later one to be dead, too');
    expect((await listJobs(look, fixture.pool, { state: 'DEAD' })).slice(1)).toMatchObject([
      { key: 'runs', attempt: 1, error: expect.stringContaining('as runs does') },
      { key: 'waits', attempt: 1, error: expect.stringContaining('as waits does') },
    ]);
    await Promise.all([dispatch('runs'), dispatch('waits')]);
    await look.commands.call('FLUSHALL');
    // Nothing is left of the dead, but that they are.
    await Promise.all([dispatch('runs'), dispatch('waits')]);
    expect(runs).toEqual(['runs', 'waits', 'later']);
  });

  it('loses no job of a worker that had to stop during the outage', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    await startAll(a?.node, ['old']);
    const look = await fixture.look();
    const goBack = await copy(look);
    await startAll(a?.node, ['new']);
    fixture.partition(a?.node);
    await until(() => recorder.runningCount === 0, 'the worker to fence itself');
    await goBack();
    fixture.heal(a?.node);
    await until(() => recorder.owner('old') === 'a' && recorder.owner('new') === 'a', 'both jobs to run again');
    expect(recorder.overlaps).toEqual([]);
  });
});
