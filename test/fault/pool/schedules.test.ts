import { describe, expect, it } from 'vitest';
import { addSchedule, pauseSchedule } from '../../../src/engine/admin/schedules.ts';
import { showSchedule } from '../../../src/engine/inspect/schedules.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { dispatchCount, dispatchedTicks, EVERY_MS, openStage, playOutage } from './schedule-stage.ts';

describe('schedules of worker processes under faults', () => {
  const redis = useRedis();

  it('nobody there for ten ticks: skip makes up for none, one for all at once, all for each; none comes twice', async () => {
    const stage = await openStage(redis, 'faults');
    const { missed, made, misfires, twice } = await playOutage(stage);
    expect(missed).toBeGreaterThanOrEqual(9);
    expect(made).toEqual({ skip: 0, one: 0, all: missed });
    expect(misfires).toBeGreaterThan(0);
    expect(twice).toBe(0);
    await stage.finish();
  });

  it('workers killed again and again: each tick is acted for once', async () => {
    const stage = await openStage(redis, 'faults');
    const { link, pool, start, finish } = stage;
    const processes = [await start(), await start()];
    await addSchedule(link, pool, 's', { everyMs: EVERY_MS, key: 's', misfire: 'all', maxMisfires: 1000 });
    const shown = () => showSchedule(link, pool, 's');
    for (let round = 0; round < 3; round++) {
      const { firedCount } = await shown();
      await until(async () => (await shown()).firedCount > firedCount + 2, 'ticks');
      processes.shift()?.process.kill('SIGKILL');
      processes.push(await start());
    }
    await pauseSchedule(link, pool, 's');
    const [first = 0] = await dispatchedTicks(stage, 's');
    const { firedCount, occupiedCount, lastTickAtMs } = await shown();
    expect(firedCount + occupiedCount).toBe(((lastTickAtMs as number) - first) / EVERY_MS + 1);
    expect(await dispatchCount(stage, 's')).toBe(firedCount);
    await finish();
  });
});
