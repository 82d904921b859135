import { describe, expect, it } from 'vitest';
import { findProblems } from '../../../src/engine/inspect/findings.ts';
import { EMPTY_FLEET } from '../../../src/engine/inspect/fleet.ts';
import { showWorker } from '../../../src/engine/inspect/pools.ts';
import { readerOf } from '../../../src/engine/inspect/reader.ts';
import type { Job } from '../../../src/engine/pool/handler.ts';
import { lagLimitMs, leasePresets } from '../../../src/engine/pool/options.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { until } from '../../support/until.ts';

describe('the health of a worker', () => {
  const fixture = usePool();

  /** A service that does not stop until it is let. Tells when two of a key are at work at once. */
  function stubborn() {
    const atWork = new Map<string, number>();
    const tokens: number[] = [];
    const overlaps: string[] = [];
    let open = () => {};
    const free = new Promise<void>(resolve => {
      open = resolve;
    });
    return {
      tokens,
      overlaps,
      release: () => open(),
      start(job: Job) {
        tokens.push(job.token);
        const count = (atWork.get(job.key) ?? 0) + 1;
        atWork.set(job.key, count);
        if (count > 1) overlaps.push(`${job.key} ${job.token}`);
      },
      async stop(job: Job) {
        await free;
        atWork.set(job.key, (atWork.get(job.key) ?? 0) - 1);
      },
    };
  }

  it('tells of a handler that does not stop after a fence, and begins its key again only when it has', async () => {
    const look = await fixture.look();
    const node = await fixture.node({ lease: TEST_LEASE });
    const handler = stubborn();
    const worker = await node.addWorker({ handler });
    await node.dispatch('k', '', { wait: 'started' });
    const show = () => showWorker(look, node.pool, worker.id);
    expect((await show()).zombieCount).toBe(0);
    const zombies = worker.events.once('zombies');
    await fixture.pauseRenewals(TEST_LEASE.leaseMs);
    expect(await zombies).toEqual({ keys: ['k'] });
    await until(async () => (await show()).zombieCount === 1, 'the record to tell');
    const { pools, staleWorkers, unwellWorkers } = await readerOf(look).pools();
    const found = findProblems({ ...EMPTY_FLEET, pools, staleWorkers, unwellWorkers }, Date.now());
    expect(found.find(({ code }) => code === 'ZOMBIE_HANDLERS')?.subject.name).toBe(worker.id);
    expect(handler.tokens.length).toBe(1);
    handler.release();
    await until(() => handler.tokens.length === 2, 'the key to begin again');
    expect(handler.overlaps).toEqual([]);
    expect(handler.tokens[1]).toBeGreaterThan(handler.tokens[0] as number);
    await until(async () => (await show()).zombieCount === 0, 'the record to tell');
  });

  it('tells of a handler that does not stop when it is asked to, and keeps its job until it has', async () => {
    const node = await fixture.node({ lease: TEST_LEASE });
    const handler = stubborn();
    const worker = await node.addWorker({ handler, stopBudgetMs: 50 });
    await Promise.all(['asked', 'drained'].map(key => node.dispatch(key, '', { wait: 'started' })));
    const told: string[] = [];
    worker.events.on('zombies', ({ keys }) => told.push(...keys));
    await node.stop('asked');
    await until(() => told.length === 1, 'it to be told');
    const drained = worker.drain();
    await until(() => told.length === 2, 'the other to be told');
    expect(told).toEqual(['asked', 'drained']);
    const renewedAtMs = performance.now();
    await until(() => performance.now() - renewedAtMs > TEST_LEASE.leaseMs, 'more than a lease to pass');
    // Nobody has them but this worker, which is at work on them.
    expect((await node.where('drained'))?.worker).toBe(worker.id);
    expect([worker.state, worker.jobCount]).toEqual(['leaving', 2]);
    handler.release();
    await drained;
    expect((await node.where('drained'))?.worker).toBeNull();
    expect((await node.where('asked'))?.recorded).toBe(false);
  });

  it('keeps an assignment that comes back waiting while the key is still at work here', async () => {
    const [cut, other] = [await fixture.node({ lease: TEST_LEASE }), await fixture.node({ lease: TEST_LEASE })];
    const handler = stubborn();
    const worker = await cut.addWorker({ handler });
    await cut.dispatch('k', '', { wait: 'started' });
    const zombies = worker.events.once('zombies');
    fixture.partition(cut);
    const second = stubborn();
    second.release();
    const helper = await other.addWorker({ handler: second });
    await until(() => second.tokens.length === 1, 'the other to take over');
    await zombies;
    fixture.heal(cut);
    await until(() => worker.state === 'member', 'the first to be back');
    await helper.drain();
    // It is recorded to the first again, under a token of its own.
    await until(
      async () => (await other.where('k'))?.worker === worker.id && worker.jobCount === 1,
      'the job to be assigned to the first',
    );
    expect(handler.tokens.length).toBe(1);
    handler.release();
    await until(() => handler.tokens.length === 2, 'the key to begin again');
    expect(handler.overlaps).toEqual([]);
    expect(handler.tokens[1]).toBeGreaterThan(second.tokens[0] as number);
  });

  it('tells of an event loop that a handler blocks, until it does no more', async () => {
    const look = await fixture.look();
    const lease = leasePresets.fast;
    const node = await fixture.node({ lease });
    const limitMs = lagLimitMs(lease);
    let timer: NodeJS.Timeout | undefined;
    const worker = await node.addWorker({
      handler: {
        start() {
          // Now and then, well below what would cost the lease.
          timer = setInterval(() => {
            const endMs = performance.now() + 1.5 * limitMs;
            while (performance.now() < endMs);
          }, 4 * limitMs);
        },
        stop: () => clearInterval(timer),
      },
    });
    const lagging = worker.events.once('lagging');
    await node.dispatch('blocks', '', { wait: 'started' });
    const told = await lagging;
    expect(told.limitMs).toBe(limitMs);
    expect(told.p99Ms).toBeGreaterThan(limitMs);
    const show = () => showWorker(look, node.pool, worker.id);
    const shown = await until(async () => {
      const found = await show();
      return found.lagging && found;
    }, 'the record to tell');
    expect(shown.lagMs).toBeGreaterThanOrEqual(limitMs);
    await node.stop('blocks');
    await until(async () => !(await show()).lagging, 'the record to tell that it is over');
    expect(await show()).toMatchObject({ lagMs: 0, state: 'ALIVE' });
  });
});
