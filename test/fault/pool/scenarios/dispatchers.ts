/** Many that dispatch at once. */
import type { Scenario } from '../scenario.ts';

const DISPATCHERS = 50;
const ROUNDS = 20;

export const dispatcherScenarios: Scenario[] = [
  {
    name: 'of fifty processes that dispatch one key, one is accepted and the others are told that it exists',
    fault: '50 processes dispatch the same key at once, twenty times',
    stage: { workers: 2, jobs: 10, tickMs: 200 },
    usualRuns: 1,
    async inject(stage) {
      const racers = await Promise.all(Array.from({ length: DISPATCHERS }, () => stage.fleet.startDispatcher()));
      let wrong = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const key = `race-${round}`;
        for (const { process: racer } of racers) racer.stdin?.write(`${key}\n`);
        const count = (what: 'accepted' | 'exists') => stage.history.find(what, { key }).length;
        await stage.until(() => count('accepted') + count('exists') >= DISPATCHERS, 'every answer');
        if (count('accepted') !== 1 || count('exists') !== DISPATCHERS - 1) wrong++;
      }
      return { wrong, rounds: ROUNDS };
    },
    bounds: () => ({ wrong: 0 }),
  },
];
