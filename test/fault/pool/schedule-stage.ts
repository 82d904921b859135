/** Schedules of worker processes that are all killed, and what was made of the ticks of that time. */
import { rm } from 'node:fs/promises';
import { addSchedule, pauseSchedule } from '../../../src/engine/admin/schedules.ts';
import { listLedger } from '../../../src/engine/inspect/ledger.ts';
import { showSchedule } from '../../../src/engine/inspect/schedules.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { RedisFixture } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { Fleet, type FleetProcess } from './fleet.ts';
import { SHORT } from './scenario.ts';

export const EVERY_MS = 200;
const TOLERANCE_MS = 1000;
const POLICIES = ['skip', 'one', 'all'] as const;

export interface ScheduleStage {
  pool: string;
  link: RedisLink;
  start(): Promise<FleetProcess>;
  finish(): Promise<void>;
}

type Place = Pick<ScheduleStage, 'link' | 'pool'>;

export async function openStage(redis: RedisFixture, pool: string): Promise<ScheduleStage> {
  const fleet = new Fleet({ url: redis.server.url, prefix: redis.prefix, pool, lease: SHORT });
  redis.defer(() => fleet.stop());
  return {
    pool,
    link: await redis.connect(),
    start: () => fleet.startWorker({ tickMs: 50, settleMs: 200, task: true }),
    async finish() {
      await fleet.stop();
      await rm(fleet.folder, { recursive: true });
    },
  };
}

/** The ticks that were dispatched, by what is kept of their dispatches. */
export async function dispatchedTicks({ link, pool }: Place, name: string): Promise<number[]> {
  const { lastTickAtMs, startAtMs } = await showSchedule(link, pool, name);
  const ticks: number[] = [];
  for (let ms = startAtMs as number; ms <= (lastTickAtMs as number); ms += EVERY_MS) ticks.push(ms);
  const keys = link.keys.pool(pool);
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

/** How often the job of a schedule was dispatched. */
export async function dispatchCount({ link, pool }: Place, key: string): Promise<number> {
  const entries = await listLedger(link, pool, { count: 10_000 });
  return entries.filter(entry => entry.type === 'dispatched' && entry.key === key).length;
}

export interface Outage {
  /** Ticks of the time when nobody was there that were certainly missed. */
  missed: number;
  /** Of them, those that were made up for. */
  made: Record<(typeof POLICIES)[number], number>;
  /** How often `one` found that ticks were missed. */
  misfires: number;
  /** Dispatches beyond one for a tick. */
  twice: number;
}

/** Kills the only worker, waits for ten ticks and more, and starts another one. */
export async function playOutage(stage: ScheduleStage): Promise<Outage> {
  const { link, pool, start } = stage;
  const first = await start();
  for (const misfire of POLICIES) {
    await addSchedule(link, pool, misfire, { everyMs: EVERY_MS, toleranceMs: TOLERANCE_MS, key: misfire, misfire });
  }
  const shown = (name: string) => showSchedule(link, pool, name);
  await until(async () => (await shown('all')).firedCount > 2, 'the first ticks');
  first.process.kill('SIGKILL');
  await first.exited;
  const before = await Promise.all(POLICIES.map(shown));
  const wallMs = async () => Number(((await link.commands.call('TIME')) as Buffer[])[0]) * 1000;
  const downMs = Math.max(...before.map(({ nextAtMs }) => nextAtMs as number));
  await until(async () => (await wallMs()) > downMs + 10 * EVERY_MS + TOLERANCE_MS, 'ten ticks', { everyMs: 100 });
  const upMs = await wallMs();
  await start();
  for (const name of POLICIES) {
    await until(async () => ((await shown(name)).nextAtMs as number) > upMs + TOLERANCE_MS, `${name} to go on`);
  }
  for (const name of POLICIES) await pauseSchedule(link, pool, name);
  const isMissed = (ms: number) => ms >= downMs && ms < upMs - TOLERANCE_MS;
  const made = { skip: 0, one: 0, all: 0 };
  let twice = 0;
  for (const name of POLICIES) {
    made[name] = (await dispatchedTicks(stage, name)).filter(isMissed).length;
    twice += Math.abs((await dispatchCount(stage, name)) - (await shown(name)).firedCount);
  }
  const { startAtMs } = await shown('all');
  const firstMs = (startAtMs as number) + Math.ceil((downMs - (startAtMs as number)) / EVERY_MS) * EVERY_MS;
  const missed = Math.max(0, Math.ceil((upMs - TOLERANCE_MS - firstMs) / EVERY_MS));
  // One dispatch stands for all that have come up, as the last of them: it is none of those surely missed.
  const misfires = (await shown('one')).misfireCount - (before[1]?.misfireCount ?? 0);
  return { missed, made, misfires, twice };
}
