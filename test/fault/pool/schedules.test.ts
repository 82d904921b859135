import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { addSchedule, pauseSchedule } from '../../../src/engine/admin/schedules.ts';
import { listLedger } from '../../../src/engine/inspect/ledger.ts';
import { showSchedule } from '../../../src/engine/inspect/schedules.ts';
import type { LeaseTerms } from '../../../src/engine/pool/options.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { Fleet } from './fleet.ts';

const SHORT: LeaseTerms = { leaseMs: 1500, marginMs: 400, graceMs: 400, clampMs: 400, stopBudgetMs: 300 };
const POOL = 'faults';
const EVERY_MS = 200;
const TOLERANCE_MS = 1000;

describe('schedules of worker processes under faults', () => {
  const redis = useRedis();

  async function setUp() {
    const fleet = new Fleet({ url: redis.server.url, prefix: redis.prefix, pool: POOL, lease: SHORT });
    redis.defer(() => fleet.stop());
    const start = () => fleet.startWorker({ tickMs: 50, settleMs: 200, task: true });
    return { fleet, start, link: await redis.connect() };
  }

  /** The ticks that were dispatched, by what is kept of their dispatches. */
  async function dispatchedTicks(link: RedisLink, name: string): Promise<number[]> {
    const { nextAtMs, startAtMs } = await showSchedule(link, POOL, name);
    const ticks: number[] = [];
    for (let ms = startAtMs as number; ms < (nextAtMs as number); ms += EVERY_MS) ticks.push(ms);
    const keys = link.keys.pool(POOL);
    const found = await Promise.all(
      ticks.map(async ms => {
        const id = `sch:${name}:${ms}`;
        const [kept] = (await link.commands.call('HMGET', keys.dispatch(id), 'key')) as [Buffer | null];
        const [job] = (await link.commands.call('HMGET', keys.job(name), 'dispatch')) as [Buffer | null];
        return kept !== null || String(job) === id;
      }),
    );
    return ticks.filter((_, at) => found[at]);
  }

  async function dispatchCount(link: RedisLink, key: string): Promise<number> {
    const entries = await listLedger(link, POOL, { count: 10_000 });
    return entries.filter(entry => entry.type === 'dispatched' && entry.key === key).length;
  }

  it('nobody there for ten ticks and more: skip makes up for none, one for one, all for each; none comes twice', async () => {
    const { fleet, start, link } = await setUp();
    const first = await start();
    const common = { everyMs: EVERY_MS, toleranceMs: TOLERANCE_MS };
    const names = ['skip', 'one', 'all'] as const;
    for (const misfire of names) await addSchedule(link, POOL, misfire, { ...common, key: misfire, misfire });
    const shown = (name: string) => showSchedule(link, POOL, name);
    await until(async () => (await shown('all')).firedCount > 2, 'the first ticks');
    first.process.kill('SIGKILL');
    await first.exited;
    const before = new Map(await Promise.all(names.map(async name => [name, await shown(name)] as const)));
    const wallMs = async () => Number(((await link.commands.call('TIME')) as Buffer[])[0]) * 1000;
    const downMs = Math.max(...[...before.values()].map(({ nextAtMs }) => nextAtMs as number));
    await until(async () => (await wallMs()) > downMs + 10 * EVERY_MS + TOLERANCE_MS, 'ten ticks', { everyMs: 100 });
    const upMs = await wallMs();
    await start();
    for (const name of names) {
      await until(async () => ((await shown(name)).nextAtMs as number) > upMs + TOLERANCE_MS, `${name} to go on`);
    }
    const missed = (ticks: number[]) => ticks.filter(ms => ms >= downMs && ms < upMs - TOLERANCE_MS).length;
    expect(missed(await dispatchedTicks(link, 'skip'))).toBe(0);
    const [made = 0] = (await dispatchedTicks(link, 'one')).filter(ms => ms >= downMs);
    expect(made).toBeGreaterThan(upMs - EVERY_MS);
    expect((await shown('one')).misfireCount).toBeGreaterThan(before.get('one')?.misfireCount ?? 0);
    const all = await dispatchedTicks(link, 'all');
    expect(missed(all)).toBeGreaterThanOrEqual(9);
    expect(missed(all)).toBe(
      all.filter((ms, at) => at > 0 && missed([ms]) && ms - (all[at - 1] as number) === EVERY_MS).length,
    );
    for (const name of names) await pauseSchedule(link, POOL, name);
    for (const name of names) expect(await dispatchCount(link, name)).toBe((await shown(name)).firedCount);
    await fleet.stop();
    await rm(fleet.folder, { recursive: true });
  });

  it('workers killed again and again: each tick is acted for once', async () => {
    const { fleet, start, link } = await setUp();
    const processes = [await start(), await start()];
    await addSchedule(link, POOL, 's', { everyMs: EVERY_MS, key: 's', misfire: 'all', maxMisfires: 1000 });
    for (let round = 0; round < 4; round++) {
      const { firedCount } = await showSchedule(link, POOL, 's');
      await until(async () => (await showSchedule(link, POOL, 's')).firedCount > firedCount + 2, 'ticks');
      const victim = processes.shift();
      victim?.process.kill('SIGKILL');
      processes.push(await start());
    }
    const ticks = await dispatchedTicks(link, 's');
    const [first = 0] = ticks;
    await pauseSchedule(link, POOL, 's');
    const { firedCount, occupiedCount, lastTickAtMs } = await showSchedule(link, POOL, 's');
    expect(firedCount + occupiedCount).toBe(((lastTickAtMs as number) - first) / EVERY_MS + 1);
    expect(await dispatchCount(link, 's')).toBe(firedCount);
    await fleet.stop();
    await rm(fleet.folder, { recursive: true });
  });
});
