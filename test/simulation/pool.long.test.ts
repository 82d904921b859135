/** The same, ten thousand schedules from a seed that is new each time. */
import { describe, expect, it } from 'vitest';
import { recordFigures, runCount, seeds } from '../fault/report.ts';
import { checkSchedules, useSimulation } from './run.ts';

const SCHEDULES = 10_000;
/** A quarter of an hour of a core; as many of a busy machine as it takes. */
const LIMIT_MS = 2 * 3_600_000;

describe('the simulation of a pool', () => {
  const simulation = useSimulation();

  it('never runs a key twice at once, and loses nothing, in any schedule', { timeout: LIMIT_MS }, async () => {
    const count = runCount(SCHEDULES);
    const [firstSeed = 1] = seeds(1);
    const startMs = performance.now();
    const record = (more: { overlaps: number; lost: number; runs: number; seed: number | string }, starts: number) =>
      recordFigures({
        fault: 'crashes, pauses, partitions, lost replies and hints, clock steps between any two steps',
        worstGapMs: null,
        ...more,
        more: { starts, seconds: Math.round((performance.now() - startMs) / 1000) },
      });
    const checking = checkSchedules(simulation.server, firstSeed, count);
    await checking.catch(() => record({ overlaps: 1, lost: 1, runs: count, seed: firstSeed }, 0));
    const { runs, startCount } = await checking;
    record({ overlaps: 0, lost: 0, runs, seed: firstSeed }, startCount);
    expect(startCount).toBeGreaterThan(runs);
  });
});
