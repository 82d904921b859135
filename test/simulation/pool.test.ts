/** Many seeded schedules over the real scripts and the real workers. `PONOS_SIM_SEED=n` runs that one and prints it. */
import { describe, expect, it } from 'vitest';
import { checkSchedules, useSimulation } from './run.ts';
import { runSchedule } from './schedule.ts';

const COUNT = 300;
/** Bounds what a slow machine takes; the long test runs many more. */
const LIMIT_MS = 12_000;

describe('a pool under faults, in simulated time', () => {
  const simulation = useSimulation();

  it('keeps its promises in every schedule', async () => {
    const { runs, startCount } = await checkSchedules(simulation.server, 1, COUNT, LIMIT_MS);
    expect(startCount).toBeGreaterThan(runs);
  });

  it('does the same again from the same seed', async () => {
    const first = await runSchedule(17, simulation.server);
    const again = await runSchedule(17, simulation.server);
    expect(withoutIds(again.history)).toEqual(withoutIds(first.history));
  });
});

/** Ids are random bytes of the system's; nothing depends on them. */
function withoutIds(history: readonly string[]): string[] {
  return history.map(line =>
    line
      .replace(/"node":"\w+/g, 'node')
      .replace(/\b[0-9a-hjkmnp-tv-z]{16}\b/g, 'id')
      .replace(/used_memory.*/s, ''),
  );
}
