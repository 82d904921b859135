/** The whole crash sweep: every script of the pool, before and after its first calls. */
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../../../support/fixture.ts';
import { crashesOf } from '../../crash.ts';
import { recordFigures } from '../../report.ts';
import { LEASE, SCRIPTS, sweep } from './sweep.ts';

const LIMIT_MS = LEASE.leaseMs + LEASE.graceMs + 1000;

describe('the crash sweep', () => {
  const redis = useRedis();

  it('loses nothing, whatever script a process ends at', async () => {
    // The later ones look for a pool whose protocol was raised, and make one that Redis has forgotten.
    const crashes = [...crashesOf(SCRIPTS, [1, 2]), ...crashesOf(['pool.create'], [3, 4])];
    const verdicts = await sweep(crashes, redis.server.url, availableParallelism());
    // Some are called once in the life of a process.
    const reached = verdicts.filter(({ problems }) => !problems[0]?.startsWith('the script was never'));
    const worst = reached.reduce((a, b) => (b.tookMs > a.tookMs ? b : a));
    recordFigures({
      fault: 'SIGKILL just before or just after a script, at each script of the pool',
      runs: reached.length,
      overlaps: reached.reduce((sum, { overlaps }) => sum + overlaps, 0),
      lost: reached.reduce((sum, { lost }) => sum + lost, 0),
      worstGapMs: Math.round(worst.tookMs),
      seed: `${worst.crash.script} ${worst.crash.nth} ${worst.crash.when}`,
      more: { scripts: SCRIPTS.length },
    });
    expect(reached.filter(({ problems }) => problems.length > 0)).toEqual([]);
    // Later calls may never come; each script has a first one, and a death before it and one after it.
    const firstDeaths = reached
      .filter(({ crash }) => crash.nth === 1)
      .map(({ crash }) => `${crash.when} ${crash.script}`);
    expect(new Set(firstDeaths)).toEqual(new Set(SCRIPTS.flatMap(name => [`before ${name}`, `after ${name}`])));
    expect(worst.tookMs).toBeLessThan(LIMIT_MS);
  });
});
