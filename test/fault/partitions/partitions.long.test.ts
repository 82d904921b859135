import { describe, expect, it } from 'vitest';
import { useRedis } from '../../support/fixture.ts';
import { TEST_LEASE } from '../../support/pool.ts';
import { recordFigures, seededRandom, seeds } from '../report.ts';
import { type Fault, forget, type Storm, storm } from './storm.ts';

const FAULTS: readonly Fault[] = ['kill', 'kill', 'stop', 'stop', 'leave', 'add'];
const FAULT_COUNT = 20;
/** A lease, its grace, and what a busy machine takes to notice, to take over and to begin. */
const MOST_GAP_MS = TEST_LEASE.leaseMs + TEST_LEASE.graceMs + 4000;

describe('the processes of a partitioned sink', () => {
  const redis = useRedis();

  it('handle the events of a key in order and by one at a time, whatever happens to them', async () => {
    const results: { seed: number; storm: Storm }[] = [];
    for (const seed of seeds(3)) {
      const random = seededRandom(seed);
      const faults = Array.from({ length: FAULT_COUNT }, () => FAULTS[Math.floor(random() * FAULTS.length)] as Fault);
      results.push({ seed, storm: await storm(redis, faults, seed) });
      // The next begins with nothing.
      await (await redis.connect()).commands.call('FLUSHALL');
    }
    const sum = (of: (storm: Storm) => number) => results.reduce((total, each) => total + of(each.storm), 0);
    const worst = results.reduce((a, b) => (b.storm.worstGapMs > a.storm.worstGapMs ? b : a));
    recordFigures({
      test: 'a partition has one owner, a key keeps its order, no event is lost',
      fault: `8 partitions, 4 processes and more; ${FAULT_COUNT} at random: SIGKILL, SIGSTOP beyond the lease, SIGTERM, another one`,
      runs: results.length,
      overlaps: sum(({ overlaps }) => overlaps.length),
      lost: sum(({ missing, deadCount, lostTotal }) => missing.length + deadCount + lostTotal),
      worstGapMs: worst.storm.worstGapMs,
      seed: worst.seed,
      more: {
        events: sum(({ published }) => published),
        disorders: sum(({ disorders }) => disorders.length),
        'done twice': sum(({ repeated }) => repeated),
        'broken off by a fence': sum(({ brokenOff }) => brokenOff),
      },
    });
    for (const { storm: result } of results) {
      const { overlaps, disorders, missing, errors, deadCount, lostTotal, worstGapMs, folder } = result;
      const wrong = { overlaps, disorders, missing, errors, dead: deadCount, lost: lostTotal };
      expect(wrong, folder).toEqual({ overlaps: [], disorders: [], missing: [], errors: [], dead: 0, lost: 0 });
      expect(worstGapMs, folder).toBeLessThan(MOST_GAP_MS);
      forget(result);
    }
  });
});
