/** Notifications on the way while jobs change hands. */
import { nowMs } from '../journal.ts';
import type { Scenario } from '../scenario.ts';

export const noteScenarios: Scenario[] = [
  {
    name: 'notifications come in order and none is lost when jobs move and workers die',
    fault:
      '60 notifications a second to ten jobs; a worker is killed, one joins, one ends, Redis loses its connections',
    stage: { workers: 3, jobs: 20, notesPerSecond: 60 },
    short: { notesPerSecond: 40 },
    async inject(stage) {
      await stage.last(stage.between(100, 600));
      await stage.kill(stage.pick());
      await stage.untilAlive(nowMs());
      await stage.startWorker();
      await stage.last(stage.between(2 * stage.options.settleMs, 4 * stage.options.settleMs));
      await stage.link.commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await stage.end(stage.pick());
      await stage.last(stage.between(100, 600));
      return { notifications: stage.history.read().find('noted').length };
    },
    bounds: ({ lease }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000 }),
  },
];
