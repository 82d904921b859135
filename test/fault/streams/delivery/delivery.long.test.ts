import { describe, expect, it } from 'vitest';
import { useRedis } from '../../../support/fixture.ts';
import { recordFigures, seeds } from '../../report.ts';
import { type Delivery, deliver } from './delivery.ts';

const CLAIM_MS = 1000;
const LANES = 50;
const KILL_EVERY_MS = 500;

describe('consumers that are killed every half second', () => {
  const redis = useRedis();

  async function deliverAgain(events: number, eventsPerSecond: number, consumers: number, usualRuns: number) {
    const runs: (Delivery & { seed: number })[] = [];
    for (const seed of seeds(usualRuns)) {
      const options = { events, eventsPerSecond, consumers, killEveryMs: KILL_EVERY_MS, lanes: LANES };
      runs.push({ seed, ...(await deliver(redis, { ...options, claimIdleMs: CLAIM_MS, seed })) });
      await (await redis.connect()).commands.call('FLUSHALL');
    }
    const worst = runs.reduce((a, b) => (b.recoveryMs > a.recoveryMs ? b : a));
    const sum = (of: (run: Delivery) => number) => runs.reduce((total, run) => total + of(run), 0);
    recordFigures({
      fault: `SIGKILL of one of ${consumers} consumers every ${KILL_EVERY_MS} ms, ${events} events`,
      runs: runs.length,
      overlaps: sum(({ disorder }) => disorder.length),
      lost: sum(({ lost }) => lost.length),
      worstGapMs: Math.round(worst.recoveryMs),
      seed: worst.seed,
      more: {
        events: events * runs.length,
        kills: sum(({ kills }) => kills),
        'started again after a kill': sum(({ repeated }) => repeated.killed),
        'started again after a claim': sum(({ repeated }) => repeated.claimed),
        'ended more than once': sum(({ endedBefore }) => endedBefore),
        unexplained: sum(({ unexplained }) => unexplained.length),
      },
    });
    for (const run of runs) {
      expect(run).toMatchObject({ lost: [], disorder: [], unexplained: [], miscounted: [] });
    }
    return worst;
  }

  it('have all events of a stream, soon after the last is killed', async () => {
    const { recoveryMs } = await deliverAgain(10_000, 1000, 3, 5);
    expect(recoveryMs).toBeLessThan(CLAIM_MS + 1000);
  });

  it('lose none of 100 000 events, keep the order of each lane, and repeat only what a dead one had', async () => {
    const { kills } = await deliverAgain(100_000, 1500, 4, 1);
    expect(kills).toBeGreaterThan(30);
  });
});
