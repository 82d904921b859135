/** Clocks that are wrong. */
import type { FleetProcess } from '../fleet.ts';
import { nowMs } from '../journal.ts';
import { CALM, type Scenario } from '../scenario.ts';
import { POOL, type Stage } from '../stage.ts';

const HOUR_S = 3600;

/** Kills a worker, and waits until its jobs are back. */
async function killOne(stage: Stage): Promise<void> {
  await stage.kill(stage.pick());
  await stage.untilAlive(nowMs());
}

/** By what it says of the time at which it started. */
async function wallAheadSeconds({ link }: Stage, { name }: FleetProcess): Promise<number> {
  const info = await link.commands.call('HGET', link.keys.pool(POOL).memberInfo, `info:${name}`);
  return (JSON.parse(String(info)).startedAtMs - Date.now()) / 1000;
}

export const clockScenarios: Scenario[] = [
  {
    name: 'a step of the clock of Redis costs no lease, and leases still end in time',
    fault: 'the clock of Redis goes 120 s ahead, a worker is killed; then 300 s back, another is killed',
    stage: { workers: 4, jobs: 100, lease: CALM, steppedClock: true },
    short: { jobs: 40 },
    async inject(stage) {
      let restartsByStep = 0;
      for (const seconds of [120, -300]) {
        const steppedMs = nowMs();
        await stage.stepClock(seconds);
        await stage.last(stage.options.lease.leaseMs / 2);
        restartsByStep += stage.history.read().find('start', { fromMs: steppedMs }).length;
        await killOne(stage);
      }
      return { restartsByStep };
    },
    bounds: ({ lease }) => ({
      fences: 0,
      restartsByStep: 0,
      gapMs: lease.leaseMs + lease.graceMs + 1000,
    }),
  },
  {
    name: 'a worker whose wall clock is an hour ahead keeps its lease as the others do',
    fault: 'the wall clock of one of three workers is an hour ahead; another worker is killed',
    stage: { workers: 3, jobs: 100, lease: CALM, wallAheadSeconds: HOUR_S },
    async inject(stage) {
      await stage.last(stage.options.lease.leaseMs);
      const [ahead, ...others] = stage.workers;
      const aheadSeconds = await wallAheadSeconds(stage, ahead as FleetProcess);
      const restartsBefore = stage.history
        .read()
        .find('start', { fromMs: nowMs() - stage.options.lease.leaseMs }).length;
      await stage.kill(others[stage.between(0, others.length - 1)] as FleetProcess);
      await stage.untilAlive(nowMs());
      return { restartsBefore, aheadSeconds, badExits: (await stage.end(ahead as FleetProcess)) === 0 ? 0 : 1 };
    },
    bounds: ({ lease }) => ({
      fences: 0,
      restartsBefore: 0,
      aheadSeconds: [HOUR_S - 60, HOUR_S],
      badExits: 0,
      gapMs: lease.leaseMs + lease.graceMs + 1000,
    }),
  },
];
