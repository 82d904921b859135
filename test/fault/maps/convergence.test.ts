import { describe, expect, it } from 'vitest';
import { useRedis } from '../../support/fixture.ts';
import { runConvergence } from './convergence.ts';

describe('replicas of a map under random faults', () => {
  const redis = useRedis();

  it.each([1, 2])(
    'end equal to Redis, and so does what each watcher was told (seed %i)',
    { timeout: 60_000 },
    async seed => {
      const result = await runConvergence(redis, {
        seed,
        processCount: 2,
        replicasEach: 3,
        writesPerSecond: 100,
        durationMs: 6000,
        faultEveryMs: 400,
        pollIntervalMs: 500,
        limitMs: 20_000,
      });
      expect(result.replicaCount).toBe(6);
      expect(result.doneCount).toBeGreaterThan(100);
      expect(Object.keys(result.faults).length).toBeGreaterThan(4);
    },
  );
});
