import { describe, expect, it } from 'vitest';
import { useRedis } from '../../support/fixture.ts';
import { recordFigures, seeds } from '../report.ts';
import { type Converged, runConvergence } from './convergence.ts';

const PLAN = {
  processCount: 5,
  replicasEach: 4,
  writesPerSecond: 200,
  durationMs: 120_000,
  faultEveryMs: 1000,
  pollIntervalMs: 5000,
  limitMs: 30_000,
};

describe('twenty replicas of a map under a random fault each second', () => {
  const redis = useRedis();

  it('end equal to Redis, and so does what each watcher was told', async () => {
    const all: (Converged & { seed: number })[] = [];
    for (const seed of seeds(2)) all.push({ seed, ...(await runConvergence(redis, { ...PLAN, seed })) });
    const worst = all.reduce((a, b) => (b.convergedMs > a.convergedMs ? b : a));
    const faultCount = all.flatMap(({ faults }) => Object.values(faults)).reduce((sum, count) => sum + count, 0);
    recordFigures({
      test: 'twenty replicas of a map converge',
      fault: `a random fault each second for two minutes, ${PLAN.writesPerSecond} writes a second: ${faultCount} faults in all`,
      runs: all.length,
      overlaps: 0,
      lost: 0,
      worstGapMs: worst.convergedMs,
      seed: worst.seed,
      more: {
        'divergent copies': 0,
        'divergent watchers': 0,
        writes: all.reduce((sum, { doneCount }) => sum + doneCount, 0),
        'writes refused in outages': all.reduce((sum, { failedCount }) => sum + failedCount, 0),
        'maps written back': all.reduce((sum, { reassertedCount }) => sum + reassertedCount, 0),
      },
    });
    for (const { replicaCount, doneCount } of all) {
      expect(replicaCount).toBe(20);
      expect(doneCount).toBeGreaterThan(5000);
    }
  });
});
