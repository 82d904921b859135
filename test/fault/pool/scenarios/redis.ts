/** What befalls Redis. */
import { type LeaseTerms, leasePresets } from '../../../../src/engine/pool/options.ts';
import type { History } from '../history.ts';
import { nowMs } from '../journal.ts';
import { CALM, type Scenario } from '../scenario.ts';

const PAUSE_MS = 1000;
/** What Redis may take to be there again. */
const RESTART_MS = 400;

function redisKilled(scenario: Omit<Scenario, 'inject'> & { outageMs: (lease: LeaseTerms) => number }): Scenario {
  return {
    ...scenario,
    stage: { workers: 3, jobs: 100, jobsPerSecond: 50, redisArgs: ['--appendonly', 'yes'], ...scenario.stage },
    async inject(stage) {
      await stage.last(stage.between(300, 800));
      const running = [...stage.history.read().owners().keys()];
      stage.note('SIGKILL redis');
      await stage.redis.down('SIGKILL');
      await stage.last(scenario.outageMs(stage.options.lease));
      await stage.redis.up();
      stage.note('redis is up');
      const upMs = nowMs();
      const isBack = (history: History) => {
        const silent = new Set(history.silentSince(upMs));
        return !running.some(key => silent.has(key));
      };
      await stage.until(isBack, 'every job that ran before to show itself');
      const backMs = nowMs() - upMs;
      await stage.last(stage.between(300, 800));
      return { backMs };
    },
  };
}

export const redisScenarios: Scenario[] = [
  redisKilled({
    name: 'nothing accepted is lost when Redis is killed, and what ran goes on within a second',
    fault: 'SIGKILL of Redis with an append-only file, under 50 dispatches a second; back after 2 s',
    stage: { lease: leasePresets.default },
    short: { lease: CALM, jobs: 40, jobsPerSecond: 20 },
    usualRuns: 10,
    outageMs: ({ leaseMs, marginMs }) => Math.min(2000, (leaseMs * 2) / 3 - marginMs - RESTART_MS),
    // What was accepted at the last moment and had not begun waits for the end of the quarantine.
    bounds: ({ lease }) => ({ backMs: 1000, runningGapMs: 1000, gapMs: lease.leaseMs + 3000, fences: 0 }),
  }),
  redisKilled({
    name: 'nothing accepted is lost when Redis is killed and the lease does not outlast it',
    fault: 'SIGKILL of Redis with an append-only file, under 50 dispatches a second; back after more than a lease',
    stage: { lease: CALM },
    usualRuns: 10,
    outageMs: ({ leaseMs }) => leaseMs + 500,
    bounds: ({ lease, workers }) => ({
      backMs: lease.leaseMs + lease.graceMs + 1000,
      gapMs: 2 * lease.leaseMs + 1500,
      mostRestarts: 1,
      fences: [workers, workers],
    }),
  }),
  {
    name: 'workers stop themselves while Redis stands still, and go on where they were',
    fault: 'SIGSTOP of Redis for one and a half to two and a half leases',
    stage: { workers: 3, jobs: 100 },
    short: { workers: 2, jobs: 40 },
    async inject(stage) {
      const { leaseMs } = stage.options.lease;
      const before = stage.history.read().owners();
      stage.note('SIGSTOP redis');
      stage.redis.signal('SIGSTOP');
      const stoppedMs = nowMs();
      await stage.last(stage.between(1.5 * leaseMs, 2.5 * leaseMs));
      stage.note('SIGCONT redis');
      stage.redis.signal('SIGCONT');
      const resumedMs = nowMs();
      await stage.untilAlive(resumedMs);
      const backMs = nowMs() - resumedMs;
      const fences = stage.workers.map(({ name }) => stage.history.find('fenced', { who: name, fromMs: stoppedMs }));
      await stage.last(leaseMs);
      const moved = [...stage.history.read().owners()].filter(([key, who]) => before.get(key) !== who).length;
      return { backMs, moved, fewestFences: Math.min(...fences.map(({ length }) => length)) };
    },
    bounds: ({ workers, jobs }) => ({
      backMs: 2000,
      moved: 0,
      fewestFences: [1, 1],
      fences: [workers, workers],
      restarts: [jobs, jobs],
      mostRestarts: 1,
    }),
  },
  {
    name: 'pauses of Redis shorter than the lease cost nothing',
    fault: 'CLIENT PAUSE ALL, ten times, for a second, a third of the lease',
    stage: { workers: 3, jobs: 100, lease: CALM },
    short: { jobs: 40 },
    async inject(stage) {
      for (let n = 0; n < 10; n++) {
        await stage.link.commands.call('CLIENT', 'PAUSE', PAUSE_MS, 'ALL');
        // Another pause that begins as this one ends takes what had to wait along into it: that would be one of twice the time.
        await stage.link.commands.call('PING');
        await stage.last(stage.between(0, 200));
      }
      return {};
    },
    bounds: () => ({ fences: 0, restarts: 0, gapMs: 500 }),
  },
  {
    name: 'flushed scripts and killed connections restart nothing',
    fault: 'SCRIPT FLUSH and CLIENT KILL of normal and pubsub connections, ten times',
    stage: { workers: 4, jobs: 100, jobsPerSecond: 20, lease: CALM },
    short: { workers: 3, jobs: 40 },
    async inject(stage) {
      for (let n = 0; n < 10; n++) {
        await stage.link.commands.call('SCRIPT', 'FLUSH');
        await stage.link.commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await stage.link.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await stage.last(stage.between(50, 200));
      }
      return {};
    },
    // What ran is not touched. A job dispatched meanwhile may have to wait until its worker looks by itself.
    bounds: () => ({ fences: 0, restarts: 0, runningGapMs: 200, gapMs: 1000 }),
  },
  {
    name: 'running jobs survive that Redis forgets everything, and are listed again within a second',
    fault: 'FLUSHALL under 300 running jobs',
    stage: { workers: 3, jobs: 300, lease: CALM },
    short: {},
    async inject(stage) {
      await stage.last(stage.between(0, stage.options.lease.leaseMs / 3));
      stage.note('FLUSHALL');
      const flushedMs = nowMs();
      await stage.link.commands.call('FLUSHALL');
      await stage.untilRunning(stage.options.jobs);
      const listedMs = nowMs() - flushedMs;
      // Longer than the quarantine, in which nothing could be taken over.
      await stage.last(stage.options.lease.leaseMs + stage.options.lease.graceMs + 1000);
      return { listedMs };
    },
    bounds: () => ({ listedMs: 1000, gapMs: 200, restarts: 0, fences: 0 }),
  },
];
