import { describe, expect, it } from 'vitest';
import { addSchedule, pauseSchedule, removeSchedule, resumeSchedule } from '../../../src/engine/admin/schedules.ts';
import { showSchedule } from '../../../src/engine/inspect/schedules.ts';
import type { PoolNode } from '../../../src/engine/pool/node.ts';
import type { Tick } from '../../../src/engine/pool/schedules/ticker.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { until } from '../../support/until.ts';

const LONG_MS = 3_600_000_000;

describe('a ticker', () => {
  const fixture = usePool();
  const show = async (name = 't') => showSchedule(await fixture.look(), fixture.pool, name);

  /** The next tick is now. */
  async function tickNow(name = 't'): Promise<void> {
    const link = await fixture.look();
    const [seconds] = (await link.commands.call('TIME')) as [Buffer];
    await link.commands.call('HSET', link.keys.pool(fixture.pool).schedule(name), 'next', `${String(seconds)}000`);
    await link.commands.call('SPUBLISH', link.keys.pool(fixture.pool).events, `schedule ${name}`);
  }

  it('runs its callback on one of the nodes at each tick', async () => {
    const ticks: Tick[] = [];
    const nodes = await Promise.all([1, 2, 3].map(() => fixture.node()));
    for (const node of nodes) await node.ticker('t', { everyMs: 200 }, tick => void ticks.push(tick));
    await until(() => ticks.length >= 6, 'six ticks');
    await pauseSchedule(await fixture.look(), fixture.pool, 't');
    const { firedCount, kind } = await show();
    await until(() => ticks.length === firedCount, 'every tick');
    expect(kind).toBe('ticker');
    expect(new Set(ticks.map(({ id }) => id)).size).toBe(ticks.length);
    for (const { id, atMs } of ticks) expect(id).toBe(`sch:t:${atMs}`);
  });

  it('is run again by another node when the one that had it is gone', async () => {
    const [first, second] = (await Promise.all([1, 2].map(() => fixture.node({ lease: TEST_LEASE })))) as [
      PoolNode,
      PoolNode,
    ];
    const begun: string[] = [];
    let reason: unknown;
    await first.ticker('t', { everyMs: LONG_MS, startAtMs: 0 }, async (tick, signal) => {
      begun.push(`first ${tick.id}`);
      await new Promise(resolve => signal.addEventListener('abort', resolve));
      reason = signal.reason;
    });
    await tickNow();
    await until(() => begun.length === 1, 'the first run');
    await second.ticker('t', { everyMs: LONG_MS, startAtMs: 0 }, tick => void begun.push(`second ${tick.id}`));
    fixture.partition(first);
    await until(() => begun.length === 2, 'the second run');
    const [[one], [two]] = begun.map(text => text.match(/sch:.*/)) as unknown as [[string], [string]];
    expect(begun).toEqual([`first ${one}`, `second ${two}`]);
    expect(two).toBe(one);
    await until(() => reason !== undefined, 'the first to be told');
    expect(reason).toMatchObject({ code: 'LEASE_LOST' });
    await until(async () => (await show()).firedCount === 1, 'the record');
  });

  it('is not run by another node while the callback goes on, however long', async () => {
    const nodes = (await Promise.all([1, 2].map(() => fixture.node({ lease: TEST_LEASE })))) as [PoolNode, PoolNode];
    let begun = 0;
    let finish = () => {};
    const done = new Promise<void>(resolve => {
      finish = resolve;
    });
    for (const node of nodes) {
      await node.ticker('t', { everyMs: LONG_MS, startAtMs: 0 }, async () => {
        begun++;
        await done;
      });
    }
    await tickNow();
    await until(() => begun === 1, 'the run');
    const link = await fixture.look();
    const endMs = performance.now() + 2 * TEST_LEASE.leaseMs;
    const claim = async () =>
      (await link.commands.call('HMGET', link.keys.pool(fixture.pool).schedule('t'), 'claim-until')) as [Buffer];
    const [firstClaim] = await claim();
    await until(() => performance.now() > endMs, 'two leases');
    expect(Number(String((await claim())[0]))).toBeGreaterThan(Number(String(firstClaim)));
    expect(begun).toBe(1);
    finish();
    await until(async () => (await show()).firedCount === 1, 'the end');
    expect(begun).toBe(1);
  });

  it('is free for another node at once when the one that has it closes', async () => {
    const [first, second] = (await Promise.all([1, 2].map(() => fixture.node()))) as [PoolNode, PoolNode];
    const begun: string[] = [];
    await first.ticker('t', { everyMs: LONG_MS, startAtMs: 0, misfire: 'one' }, async (_, signal) => {
      begun.push('first');
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    await tickNow();
    await until(() => begun.length === 1, 'the first run');
    await second.ticker('t', { everyMs: LONG_MS, startAtMs: 0, misfire: 'one' }, () => void begun.push('second'));
    const startMs = performance.now();
    await first.close();
    await until(() => begun.length === 2, 'the second run');
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(begun).toEqual(['first', 'second']);
  });

  it('goes on after a callback that throws, and says so', async () => {
    const node = await fixture.node();
    const ticker = await node.ticker('t', { everyMs: 200 }, () => {
      throw new Error('as asked');
    });
    const errors: unknown[] = [];
    ticker.events.on('error', error => errors.push(error));
    await until(() => errors.length >= 2, 'two ticks');
    expect(errors[0]).toMatchObject({ message: 'as asked' });
    expect(await show()).toMatchObject({ error: 'Error: as asked', state: 'ACTIVE' });
  });

  it('is refused under the name of another one, follows one that replaces it, and comes back after a loss', async () => {
    // The loss takes the index and leaves the records.
    fixture.expectViolations();
    const node = await fixture.node();
    const link = await fixture.look();
    const ticks: Tick[] = [];
    const open = (more: object) =>
      node.ticker('t', { everyMs: LONG_MS, startAtMs: 0, ...more }, tick => void ticks.push(tick));
    await open({});
    await addSchedule(link, fixture.pool, 'job', { everyMs: LONG_MS, startAtMs: 0, key: 'k' });
    await expect(open({ everyMs: 200 })).rejects.toMatchObject({ code: 'SCHEDULE_EXISTS' });
    await expect(node.ticker('job', { everyMs: LONG_MS, startAtMs: 0 }, () => {})).rejects.toMatchObject({
      code: 'SCHEDULE_EXISTS',
    });
    const quick = await open({ everyMs: 200, replace: true });
    await until(() => ticks.length >= 2, 'ticks of the new one');
    await link.commands.call(
      'DEL',
      ...Object.values(link.keys.pool(fixture.pool)).filter(key => typeof key === 'string'),
    );
    await removeSchedule(link, fixture.pool, 't').catch(() => undefined);
    const before = ticks.length;
    await until(() => ticks.length > before + 1, 'ticks after the loss');
    await quick.close();
  });

  it('rests while it is paused', async () => {
    const node = await fixture.node();
    const link = await fixture.look();
    let ticks = 0;
    await node.ticker('t', { everyMs: 100 }, () => void ticks++);
    await until(() => ticks > 0, 'a tick');
    await pauseSchedule(link, fixture.pool, 't');
    const { firedCount } = await show();
    expect(await show()).toMatchObject({ state: 'PAUSED', firedCount });
    await resumeSchedule(link, fixture.pool, 't');
    await until(async () => (await show()).firedCount > firedCount, 'ticks after the pause');
  });
});
