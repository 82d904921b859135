import { describe, expect, it } from 'vitest';
import { useRedis } from '../../support/fixture.ts';
import { recordFigures, runCount } from '../report.ts';
import { type Outage, openStage, playOutage } from './schedule-stage.ts';

describe('schedules', () => {
  const redis = useRedis();

  it('make up for missed ticks by their policy, and none comes twice', async () => {
    const outages: Outage[] = [];
    for (let run = 0; run < runCount(20); run++) {
      const stage = await openStage(redis, `schedules-${run}`);
      outages.push(await playOutage(stage));
      await stage.finish();
    }
    const sum = (of: (outage: Outage) => number) => outages.reduce((total, outage) => total + of(outage), 0);
    recordFigures({
      fault: 'every worker killed for ten ticks and more, then one started',
      runs: outages.length,
      overlaps: sum(({ twice }) => twice),
      lost: sum(({ missed, made }) => missed - made.all),
      worstGapMs: null,
      seed: '',
      more: {
        'missed ticks': sum(({ missed }) => missed),
        'made up for by skip': sum(({ made }) => made.skip),
        'by all': sum(({ made }) => made.all),
      },
    });
    for (const { missed, made, twice } of outages) {
      expect({ made, twice }).toEqual({ made: { skip: 0, one: 0, all: missed }, twice: 0 });
    }
  });
});
