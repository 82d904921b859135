import { describe, expect, it } from 'vitest';
import { addSchedule, pauseSchedule, removeSchedule, resumeSchedule } from '../../../src/engine/admin/schedules.ts';
import { listJobs } from '../../../src/engine/inspect/jobs.ts';
import { listLedger } from '../../../src/engine/inspect/ledger.ts';
import { listSchedules, showSchedule } from '../../../src/engine/inspect/schedules.ts';
import type { Step } from '../../../src/engine/pool/schedules/misfire.ts';
import { ScheduleStore } from '../../../src/engine/pool/schedules/store.ts';
import type { Shard } from '../../../src/engine/pool/shard.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { openShard } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

const LONG_MS = 3_600_000_000;
const ON_TIME = { late: false, catchesUp: false };

describe('a schedule', () => {
  const fixture = usePool();

  async function setUp(limit?: number): Promise<{ link: RedisLink; shard: Shard; store: ScheduleStore }> {
    const link = await fixture.look();
    const shard = await openShard(link, fixture.pool, limit);
    return { link, shard, store: new ScheduleStore(shard) };
  }

  /** As if its tick had come up so long ago. */
  async function tickWas(link: RedisLink, name: string, agoMs: number): Promise<number> {
    const keys = link.keys.pool(fixture.pool);
    const [seconds] = (await link.commands.call('TIME')) as [Buffer];
    const tickMs = Number(String(seconds)) * 1000 - agoMs;
    await link.commands.call('HSET', keys.schedule(name), 'next', tickMs);
    await link.commands.call('ZADD', keys.schedules, tickMs, name);
    return tickMs;
  }

  const dispatchCount = async (link: RedisLink) =>
    (await listLedger(link, fixture.pool)).filter(({ type }) => type === 'dispatched').length;

  it('is made once: the same again changes nothing, another one is refused unless it is to replace it', async () => {
    const { link } = await setUp();
    const schedule = { cron: '0 3 * * *', timeZone: 'Europe/Paris', key: 'nightly', payload: 'p' };
    const add = (more: object = {}, options = {}) =>
      addSchedule(link, fixture.pool, 's', { ...schedule, ...more }, options);
    expect(await add()).toBe('created');
    expect(await add()).toBe('unchanged');
    expect(await add({}, { replace: true })).toBe('unchanged');
    for (const other of [{ payload: 'q' }, { key: 'k' }, { timeZone: 'UTC' }, { misfire: 'skip' }, { attempts: 2 }]) {
      await expect(add(other)).rejects.toMatchObject({ code: 'SCHEDULE_EXISTS' });
    }
    expect(await add({ payload: 'q' }, { replace: true })).toBe('replaced');
    expect(await showSchedule(link, fixture.pool, 's')).toMatchObject({
      kind: 'job',
      state: 'ACTIVE',
      cron: '0 3 * * *',
      timeZone: 'Europe/Paris',
      key: 'nightly',
      payload: { data: 'q' },
      misfire: 'one',
      firedCount: 0,
    });
    await removeSchedule(link, fixture.pool, 's');
    await expect(removeSchedule(link, fixture.pool, 's')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await listSchedules(link, fixture.pool)).toEqual([]);
  });

  it('is refused when it could never tick, or its pool is not there', async () => {
    const { link } = await setUp();
    const bad = [{ cron: '0 0 30 2 *' }, { cron: 'often' }, { everyMs: 5 }, {}, { everyMs: 1000, maxMisfires: 0 }];
    for (const timing of bad) {
      const adding = addSchedule(link, fixture.pool, 's', { ...timing, key: 'k' } as never);
      await expect(adding, JSON.stringify(timing)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    }
    await expect(addSchedule(link, fixture.pool, 'a b', { everyMs: 1000, key: 'k' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(addSchedule(link, 'absent', 's', { everyMs: 1000, key: 'k' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('dispatches each tick once, however many nodes look', async () => {
    const ran: string[] = [];
    const handler = { run: (job: { key: string; payload: Buffer }) => void ran.push(`${job.key} ${job.payload}`) };
    const nodes = await Promise.all([1, 2, 3, 4].map(() => fixture.node()));
    await Promise.all(nodes.map(node => node.addWorker({ handler })));
    const link = await fixture.look();
    await addSchedule(link, fixture.pool, 's', { everyMs: 200, key: 'job', payload: 'x' });
    const { firedCount } = await until(async () => {
      const shown = await showSchedule(link, fixture.pool, 's');
      return shown.firedCount >= 6 && shown;
    }, 'six ticks');
    await pauseSchedule(link, fixture.pool, 's');
    const { firedCount: last, occupiedCount, misfireCount } = await showSchedule(link, fixture.pool, 's');
    await until(() => ran.length === last, 'every dispatch to run');
    expect(await dispatchCount(link)).toBe(last);
    expect(new Set(ran)).toEqual(new Set(['job x']));
    expect(last).toBeGreaterThanOrEqual(firedCount);
    // On a machine under load a tick may find the job of the one before.
    expect(occupiedCount + misfireCount).toBeLessThan(last);
  });

  it('comes up within tens of milliseconds of its time', async () => {
    const node = await fixture.node({ reconcileMs: 5000 });
    const times: number[] = [];
    await node.addWorker({ handler: { run: () => void times.push(Date.now()) } });
    const link = await fixture.look();
    await addSchedule(link, fixture.pool, 's', { everyMs: 300, startAtMs: 0, key: 'job' });
    await until(() => times.length >= 5, 'five ticks');
    const lateMs = times.map(ms => ms % 300).sort((a, b) => a - b);
    expect(lateMs[2]).toBeLessThan(60);
  });

  it('that is satisfied by a job of its key dispatches nothing', async () => {
    const { link, shard, store } = await setUp();
    const client = await fixture.client();
    await client.dispatch('k');
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, key: 'k' });
    const tickMs = await tickWas(link, 's', 0);
    const [due] = (await store.due(10, 0)).due;
    const step: Step = { tickMs, nextMs: tickMs + LONG_MS, ...ON_TIME };
    expect(await store.fire(due as never, step, 'default', undefined, 0)).toMatchObject({ status: 'EXISTS' });
    expect(await dispatchCount(link)).toBe(1);
    expect(await showSchedule(link, fixture.pool, 's')).toMatchObject({
      firedCount: 0,
      occupiedCount: 1,
      lastTickAtMs: tickMs,
      nextAtMs: tickMs + LONG_MS,
    });
    expect(shard.index).toBe(0);
  });

  it('never ticks twice for one time: not for a second caller, not when the clock was put back, not when made anew', async () => {
    const { link, store } = await setUp();
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, key: 'k' });
    const tickMs = await tickWas(link, 's', 0);
    const [due] = (await store.due(10, 0)).due;
    const step: Step = { tickMs, nextMs: tickMs + LONG_MS, ...ON_TIME };
    const fire = () => store.fire(due as never, step, 'default', undefined, 0);
    const statuses = (await Promise.all([fire(), fire(), fire()])).map(({ status }) => status);
    expect(statuses.sort()).toEqual(['PENDING', 'STALE', 'STALE']);
    // The clock is before the next tick, as after a step back: nobody may act for it.
    const { record } = await store.read('s');
    const early: Step = { tickMs: tickMs + LONG_MS, nextMs: tickMs + 2 * LONG_MS, ...ON_TIME };
    const again = { name: 's', record: record as never };
    expect(await store.fire(again, early, 'default', undefined, 0)).toMatchObject({ status: 'STALE' });
    expect((await store.due(10, 0)).due).toEqual([]);
    // The record was lost to an older copy; the dispatch is known by the id of the tick.
    await tickWas(link, 's', 0);
    await link.commands.call('HSET', link.keys.pool(fixture.pool).schedule('s'), 'next', tickMs);
    expect(await fire()).toMatchObject({ status: 'PENDING' });
    expect(await dispatchCount(link)).toBe(1);
  });

  it('that was replaced after the clock was put back goes on behind its last tick', async () => {
    const { link, store } = await setUp();
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, startAtMs: 0, key: 'k' });
    const keys = link.keys.pool(fixture.pool);
    const { nowMs } = await store.read('s');
    const lastMs = (Math.floor(nowMs / LONG_MS) + 5) * LONG_MS;
    await link.commands.call('HSET', keys.schedule('s'), 'last-tick', lastMs);
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, startAtMs: 0, key: 'l' }, { replace: true });
    expect((await showSchedule(link, fixture.pool, 's')).nextAtMs).toBe(lastMs + LONG_MS);
    await pauseSchedule(link, fixture.pool, 's');
    await resumeSchedule(link, fixture.pool, 's');
    expect((await showSchedule(link, fixture.pool, 's')).nextAtMs).toBe(lastMs + LONG_MS);
  });

  it('that was paused has no tick, and none to make up for when it is resumed', async () => {
    const { link, store } = await setUp();
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, key: 'k', misfire: 'all' });
    await tickWas(link, 's', 10 * LONG_MS);
    await pauseSchedule(link, fixture.pool, 's');
    await pauseSchedule(link, fixture.pool, 's');
    expect(await store.due(10, 0)).toMatchObject({ due: [], nextMs: -1 });
    expect(await showSchedule(link, fixture.pool, 's')).toMatchObject({ state: 'PAUSED', nextAtMs: null });
    await addSchedule(link, fixture.pool, 's', { everyMs: 2 * LONG_MS, key: 'k' }, { replace: true });
    expect(await showSchedule(link, fixture.pool, 's')).toMatchObject({ state: 'PAUSED', nextAtMs: null });
    await resumeSchedule(link, fixture.pool, 's');
    await resumeSchedule(link, fixture.pool, 's');
    const { state, nextAtMs } = await showSchedule(link, fixture.pool, 's');
    expect(state).toBe('ACTIVE');
    expect(nextAtMs).toBeGreaterThan((await store.read('s')).nowMs);
  });

  it('that cannot be acted for says why, waits longer each time, and delays no other', async () => {
    // What is put in the way of the schedules is left there.
    fixture.expectViolations();
    const { link } = await setUp();
    const keys = link.keys.pool(fixture.pool);
    const node = await fixture.node();
    const errors: unknown[] = [];
    node.events.on('error', error => errors.push(error));
    const ran: string[] = [];
    await node.addWorker({ handler: { run: job => void ran.push(job.key) } });
    for (const name of ['a', 'b', 'c', 'd'])
      await addSchedule(link, fixture.pool, name, { everyMs: LONG_MS, key: name });
    await addSchedule(link, fixture.pool, 'good', { everyMs: 200, key: 'good' });
    await link.commands.call('HSET', keys.schedule('a'), 'cron', 'from a later version');
    await link.commands.call('DEL', keys.schedule('b'));
    await link.commands.call('SET', keys.schedule('b'), 'somebody else');
    await tickWas(link, 'a', 0);
    await link.commands.call('HDEL', keys.schedule('d'), 'terms');
    await tickWas(link, 'd', 0);
    await link.commands.call('ZADD', keys.schedules, 0, 'b', 0, 'gone');
    await link.commands.call('HSET', keys.schedule('c'), 'next', 'soon');
    await link.commands.call('ZADD', keys.schedules, 0, 'c');
    const failing = await until(async () => {
      const shown = await showSchedule(link, fixture.pool, 'a');
      return shown.failureCount >= 2 && shown;
    }, 'two tries');
    expect(failing).toMatchObject({ state: 'FAILING', error: expect.stringContaining('is no cron expression') });
    expect(errors).not.toEqual([]);
    expect((await showSchedule(link, fixture.pool, 'd')).error).toBe('the record does not say what to dispatch');
    const before = ran.length;
    await until(() => ran.length > before + 2, 'the good one to go on');
    const names = (await link.commands.call('ZRANGE', keys.schedules, 0, -1)) as Buffer[];
    expect(names.map(String).sort()).toEqual(['a', 'b', 'c', 'd', 'good']);
    await link.commands.call('DEL', keys.schedule('b'));
  });

  it('whose pool is full keeps its tick until there is room', async () => {
    const { link } = await setUp(1);
    const node = await fixture.node();
    await node.dispatch('other');
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, startAtMs: 0, key: 'k', toleranceMs: 60_000 });
    await tickWas(link, 's', 0);
    await until(async () => (await showSchedule(link, fixture.pool, 's')).state === 'FAILING', 'the refusal');
    expect((await showSchedule(link, fixture.pool, 's')).error).toContain('its limit');
    await node.stop('other');
    await until(async () => (await showSchedule(link, fixture.pool, 's')).firedCount === 1, 'the tick');
    expect(await listJobs(link, fixture.pool)).toMatchObject([{ key: 'k' }]);
    expect(await showSchedule(link, fixture.pool, 's')).toMatchObject({ state: 'ACTIVE', error: null });
  });

  it('waits while the pool is in quarantine, then ticks once', async () => {
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({ handler: { run: () => {} } });
    const link = await fixture.look();
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, startAtMs: 0, key: 'k', toleranceMs: 60_000 });
    await link.commands.call('HSET', link.keys.pool(fixture.pool).config, 'server', 'another');
    await tickWas(link, 's', 0);
    const shown = await until(async () => {
      const found = await showSchedule(link, fixture.pool, 's');
      return found.failureCount > 0 && found;
    }, 'the refusal');
    expect(shown.error).toContain('quarantine');
    await until(async () => (await showSchedule(link, fixture.pool, 's')).firedCount === 1, 'the tick');
    expect(await dispatchCount(link)).toBe(1);
  });

  it.each([
    ['skip', 0],
    ['one', 1],
    ['all', 10],
  ] as const)('that nobody looked at for ten ticks makes up for them by its policy: %s', async (misfire, expected) => {
    const { link } = await setUp();
    await addSchedule(link, fixture.pool, 's', { everyMs: LONG_MS, startAtMs: 0, key: 'k', misfire });
    const keys = link.keys.pool(fixture.pool);
    const nextMs = (await showSchedule(link, fixture.pool, 's')).nextAtMs as number;
    await link.commands.call('HSET', keys.schedule('s'), 'next', nextMs - 10 * LONG_MS);
    await link.commands.call('ZADD', keys.schedules, nextMs - 10 * LONG_MS, 's');
    const ran: string[] = [];
    const node = await fixture.node();
    await node.addWorker({ handler: { run: () => void ran.push('k') } });
    await until(async () => (await showSchedule(link, fixture.pool, 's')).nextAtMs === nextMs, 'the present');
    await until(() => ran.length === expected, 'the missed ones to run');
    expect(await dispatchCount(link)).toBe(expected);
    expect(await showSchedule(link, fixture.pool, 's')).toMatchObject({ firedCount: expected, occupiedCount: 0 });
  });

  it('finishes what it was doing when a node is closed in the middle', async () => {
    const { link } = await setUp();
    const ran: string[] = [];
    const handler = { run: () => void ran.push('k') };
    await addSchedule(link, fixture.pool, 's', { everyMs: 100, key: 'k', misfire: 'skip' });
    for (let round = 0; round < 4; round++) {
      const node = await fixture.node();
      await node.addWorker({ handler });
      const before = ran.length;
      await until(() => ran.length > before, 'a tick');
      await node.close();
    }
    await pauseSchedule(link, fixture.pool, 's');
    const { firedCount } = await showSchedule(link, fixture.pool, 's');
    expect(await dispatchCount(link)).toBe(firedCount);
  });
});
