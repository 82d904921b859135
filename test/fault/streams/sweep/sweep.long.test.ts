/** The whole crash sweep of sinks: every script of a consumer, before and after its first calls. */
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../../../support/fixture.ts';
import { crashesOf } from '../../crash.ts';
import { recordFigures } from '../../report.ts';
import { LIMIT_MS, SCRIPTS, sweep } from './sweep.ts';

describe('the crash sweep of sinks', () => {
  const redis = useRedis();

  it('loses no event, whatever script a consumer ends at', async () => {
    const all = await sweep(crashesOf(SCRIPTS, [1, 2, 3]), redis.server.url, availableParallelism());
    // A consumer leaves once.
    const verdicts = all.filter(({ problems }) => !problems[0]?.startsWith('the script was never'));
    const worst = verdicts.reduce((a, b) => (b.tookMs > a.tookMs ? b : a));
    recordFigures({
      fault: 'SIGKILL just before or just after a script, at each script of a consumer',
      runs: verdicts.length,
      overlaps: 0,
      lost: verdicts.reduce((sum, { lost }) => sum + lost, 0),
      worstGapMs: Math.round(worst.tookMs),
      seed: `${worst.crash.script} ${worst.crash.nth} ${worst.crash.when}`,
      more: { scripts: SCRIPTS.length, repeated: Math.max(...verdicts.map(({ repeated }) => repeated)) },
    });
    expect(verdicts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(new Set(verdicts.map(({ crash }) => crash.script))).toEqual(new Set(SCRIPTS));
    expect(worst.tookMs).toBeLessThan(LIMIT_MS);
  });
});
