import { describe, expect, it } from 'vitest';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { until } from '../../support/until.ts';

const KEYS = Array.from({ length: 60 }, (_, i) => `job-${i}`);

describe('a fleet of workers', () => {
  const fixture = usePool();

  async function fleet(names: string[], recorder: Recorder, options: Parameters<typeof fixture.node>[0] = {}) {
    return Promise.all(
      names.map(async name => {
        const node = await fixture.node({ lease: TEST_LEASE, ...options });
        const worker = await node.addWorker({ handler: recorder.service(name) });
        return { name, node, worker };
      }),
    );
  }

  it('shares the jobs, and gives a worker that joins its share and no more', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a', 'b'], recorder);
    await Promise.all(KEYS.map(key => a?.node.dispatch(key, '', { wait: 'started' })));
    const before = new Map(KEYS.map(key => [key, recorder.owner(key)]));
    expect(new Set(before.values())).toEqual(new Set(['a', 'b']));
    const [c] = await fleet(['c'], recorder);
    await until(async () => {
      if (recorder.runningCount < KEYS.length) return false;
      const places = await Promise.all(KEYS.map(key => a?.node.where(key)));
      return places.every(place => place && place.worker === place.preferred) && recorder.runningOn('c').length > 0;
    }, 'the jobs to be where they belong');
    const moved = KEYS.filter(key => recorder.owner(key) !== before.get(key));
    expect(moved.every(key => recorder.owner(key) === 'c')).toBe(true);
    expect(moved.length).toBeGreaterThan(5);
    expect(moved.length).toBeLessThan(40);
    // Each moved once: stopped, then started elsewhere.
    for (const key of moved) {
      expect(recorder.of(key)).toEqual([`start ${before.get(key)} 1`, `stop ${before.get(key)} move`, 'start c 1']);
    }
    expect(recorder.overlaps).toEqual([]);
    expect(c?.worker.jobCount).toBe(moved.length);
  });

  it('hands everything on when a worker drains, and nothing comes back to it', async () => {
    const recorder = new Recorder();
    const [a, b] = await fleet(['a', 'b'], recorder);
    await Promise.all(KEYS.map(key => a?.node.dispatch(key, '', { wait: 'started' })));
    const mine = recorder.runningOn('a');
    await a?.node.drain();
    expect(recorder.runningOn('a')).toEqual([]);
    await until(() => recorder.runningCount === KEYS.length, 'all jobs to run');
    for (const key of mine) expect(recorder.of(key)).toEqual(['start a 1', 'stop a drain', 'start b 1']);
    expect(recorder.overlaps).toEqual([]);
    expect(a?.worker.state).toBe('left');
    expect(b?.worker.jobCount).toBe(KEYS.length);
    // The node still dispatches.
    await a?.node.dispatch('after', '', { wait: 'started' });
    expect(recorder.owner('after')).toBe('b');
  });

  it('lets tasks finish in a drain, and runs those again that do not', async () => {
    const runs: string[] = [];
    const handler = (name: string) => ({
      async run(job: { key: string }, signal: AbortSignal) {
        runs.push(`${name} ${job.key}`);
        const limitMs = job.key === 'long' && name === 'a' ? 60_000 : 100;
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, limitMs);
          signal.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve();
          });
        });
      },
    });
    const node = await fixture.node({ drainTimeoutMs: 300 });
    await node.addWorker({ handler: handler('a') });
    const client = await fixture.client();
    const short = client.dispatch('short', '', { wait: 'completed' });
    const long = client.dispatch('long', '', { wait: 'completed' });
    await until(() => runs.length === 2, 'both to run');
    const other = await fixture.node();
    await other.addWorker({ handler: handler('b') });
    await node.drain();
    await Promise.all([short, long]);
    expect(runs).toEqual(['a short', 'a long', 'b long']);
  });

  it('takes over from a worker that died, one lease and grace later', async () => {
    const recorder = new Recorder();
    const [a, b] = await fleet(['a', 'b'], recorder);
    await Promise.all(KEYS.map(key => b?.node.dispatch(key, '', { wait: 'started' })));
    const mine = recorder.runningOn('a');
    expect(mine.length).toBeGreaterThan(0);
    // Its link is cut: for Redis and the others it is dead. It must have stopped everything before they start.
    const startMs = performance.now();
    fixture.partition(a?.node);
    await until(() => mine.every(key => recorder.owner(key) === 'b'), 'the jobs to be taken over');
    const tookMs = performance.now() - startMs;
    expect(recorder.overlaps).toEqual([]);
    expect(tookMs).toBeLessThan(TEST_LEASE.leaseMs + TEST_LEASE.graceMs + 1000);
    for (const key of mine) expect(recorder.of(key)).toEqual(['start a 1', 'stop a fenced', 'start b 2']);
  });

  it('stops itself when Redis is silent for a lease, then claims its jobs again under new tokens', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder);
    await Promise.all(KEYS.slice(0, 10).map(key => a?.node.dispatch(key, '', { wait: 'started' })));
    const fenced = a?.worker.events.once('fenced');
    await fixture.pauseRenewals(TEST_LEASE.leaseMs * 2);
    expect(await fenced).toMatchObject({ incarnation: 1 });
    await until(() => recorder.runningCount === 10 && (a?.worker.incarnation ?? 0) > 1, 'the jobs to run again');
    expect(recorder.overlaps).toEqual([]);
    for (const key of KEYS.slice(0, 10)) {
      const tokens = recorder.happenings
        .filter(({ what, key: of }) => what === 'start' && of === key)
        .map(({ token }) => token);
      expect(tokens.length).toBeGreaterThan(1);
      expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
    }
  });

  it('does not touch a lease because of a short silence', async () => {
    const recorder = new Recorder();
    const [a] = await fleet(['a'], recorder, { lease: 'fast' });
    await a?.node.dispatch('k', '', { wait: 'started' });
    for (let i = 0; i < 4; i++) {
      await fixture.pauseRenewals(400);
      await (await fixture.look()).commands.call('PING');
    }
    expect(a?.worker.incarnation).toBe(1);
    expect(recorder.of('k')).toEqual(['start a 1']);
  });

  it('loses nothing by lost hints, flushed scripts and killed connections', async () => {
    const recorder = new Recorder();
    const [a, b] = await fleet(['a', 'b'], recorder);
    const look = await fixture.look();
    const kills = (async () => {
      for (let i = 0; i < 5; i++) {
        await look.commands.call('SCRIPT', 'FLUSH');
        await look.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await look.commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await new Promise(resolve => setTimeout(resolve, 30));
      }
    })();
    const sent = await Promise.allSettled(KEYS.map((key, i) => (i % 2 ? a : b)?.node.dispatch(key, '')));
    await kills;
    for (const [i, result] of sent.entries()) {
      if (result.status === 'rejected') await a?.node.dispatch(KEYS[i] as string).catch(() => {});
    }
    await until(() => recorder.runningCount === KEYS.length, 'all jobs to run');
    expect(recorder.overlaps).toEqual([]);
    expect(a?.worker.incarnation).toBe(1);
    expect(b?.worker.incarnation).toBe(1);
  });

  it('respects capacity: what nobody has room for waits, and the next in rank takes it', async () => {
    const running: string[] = [];
    const { promise: gate, resolve: release } = Promise.withResolvers<void>();
    const handler = {
      run: (job: { key: string }) => {
        running.push(job.key);
        return gate;
      },
    };
    const nodes = [await fixture.node(), await fixture.node()];
    for (const node of nodes) await node.addWorker({ handler, capacity: 3 });
    const client = await fixture.client();
    const done = Promise.all(KEYS.slice(0, 10).map(key => client.dispatch(key, '', { wait: 'completed' })));
    await until(() => running.length === 6, 'the workers to be full');
    const look = await fixture.look();
    const queued = await look.commands.call('ZCARD', look.keys.pool(fixture.pool).pending('default'));
    expect(queued).toBe(4);
    release();
    await done;
    expect(new Set(running).size).toBe(10);
    expect(running.length).toBe(10);
  });

  it('keeps the groups apart, by routes that every dispatcher knows', async () => {
    const recorder = new Recorder();
    const node = await fixture.node();
    const client = await fixture.client();
    await client.routes.add({ glob: 'big:*', group: 'heavy' });
    await client.routes.add({ glob: '*', group: 'light' });
    await until(() => node.routes.list().length === 2, 'the routes to arrive');
    expect(node.routes.groupOf('big:1')).toBe('heavy');
    await node.addWorker({ handler: recorder.service('light'), group: 'light' });
    await client.dispatch('big:1');
    await client.dispatch('small', '', { wait: 'started' });
    expect(await client.where('big:1')).toMatchObject({ worker: null, group: 'heavy', recorded: true });
    await node.addWorker({ handler: recorder.service('heavy'), group: 'heavy' });
    await until(() => recorder.owner('big:1') === 'heavy', 'the heavy job to start');
    expect(recorder.owner('small')).toBe('light');
    await client.routes.remove('*');
    expect(client.routes.groupOf('small')).toBe('default');
    await expect(client.routes.remove('*')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refuses a second process under a name that lives', async () => {
    const recorder = new Recorder();
    const first = await fixture.node({ lease: TEST_LEASE });
    await first.addWorker({ handler: recorder.service('a'), id: 'the-one' });
    const second = await fixture.node({ lease: TEST_LEASE });
    await expect(second.addWorker({ handler: recorder.service('b'), id: 'the-one' })).rejects.toMatchObject({
      code: 'WORKER_TAKEN',
    });
  });

  it('refuses other lease terms while workers live, and takes them when none does', async () => {
    const recorder = new Recorder();
    const first = await fixture.node({ lease: TEST_LEASE });
    const worker = await first.addWorker({ handler: recorder.service('a') });
    await expect(fixture.node({ lease: 'fast' })).rejects.toMatchObject({ code: 'LEASE_MISMATCH' });
    await fixture.node();
    await worker.drain();
    const other = await fixture.node({ lease: 'fast' });
    expect(other.pool).toBe(fixture.pool);
  });
});

describe('stopping a job', () => {
  const fixture = usePool();

  it('ends one that waits at once, and says when there is none', async () => {
    const client = await fixture.client();
    await client.dispatch('k');
    expect(await client.stop('k')).toEqual({ status: 'stopped' });
    await expect(client.stop('k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('tells the owner, waits for it, and answers the same id the same', async () => {
    const recorder = new Recorder();
    const node = await fixture.node();
    const worker = await node.addWorker({ handler: recorder.service('a') });
    const client = await fixture.client();
    await client.dispatch('k', '', { wait: 'started' });
    expect(await client.stop('k', { id: 's1', wait: true })).toEqual({ status: 'stopped', worker: worker.id });
    expect(recorder.of('k')).toEqual(['start a 1', 'stop a stop']);
    expect(await client.stop('k', { id: 's1' })).toEqual({ status: 'stopping', worker: worker.id });
    expect(await client.where('k')).toMatchObject({ recorded: false });
  });

  it('tells who waits for the job that it was stopped', async () => {
    const node = await fixture.node();
    await node.addWorker({ handler: { start: () => {} } });
    const done = node.dispatch('k', '', { wait: 'completed' });
    const refused = expect(done).rejects.toMatchObject({ code: 'JOB_STOPPED' });
    await until(async () => (await node.owner('k')) !== undefined, 'the assignment');
    await node.stop('k');
    await refused;
  });

  it('is remembered when the owner dies before it could', async () => {
    const recorder = new Recorder();
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({ handler: recorder.service('a', { onStop: () => new Promise(() => {}) }) });
    const client = await fixture.client();
    await client.dispatch('k', '', { wait: 'started' });
    expect(await client.stop('k')).toMatchObject({ status: 'stopping' });
    fixture.partition(node);
    const other = await fixture.node({ lease: TEST_LEASE });
    await other.addWorker({ handler: recorder.service('b') });
    await until(async () => !(await client.where('k')).recorded, 'the job to end');
    expect(recorder.of('k')).toEqual(['start a 1']);
  });
});

describe('notifications', () => {
  const fixture = usePool();

  it('arrive in order, one after the other, also when the job starts later', async () => {
    const recorder = new Recorder();
    const client = await fixture.client();
    await client.dispatch('k');
    for (let i = 0; i < 150; i++) await client.notify('k', `n${i}`);
    const node = await fixture.node();
    await node.addWorker({ handler: recorder.service('a') });
    await until(() => recorder.of('k').length === 151, 'the notifications');
    for (let i = 150; i < 200; i++) await client.notify('k', `n${i}`);
    await until(() => recorder.of('k').length === 201, 'the later notifications');
    expect(recorder.of('k').slice(1)).toEqual(Array.from({ length: 200 }, (_, i) => `note a n${i}`));
  });

  it('are refused for a key without job, and when too many wait', async () => {
    const client = await fixture.client();
    await expect(client.notify('k', 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await client.dispatch('k');
    const results = await Promise.allSettled(Array.from({ length: 1001 }, () => client.notify('k', 'x')));
    expect(results.filter(result => result.status === 'rejected').map(({ reason }) => reason.code)).toEqual([
      'NOTES_FULL',
    ]);
  });
});
