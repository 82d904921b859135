/** What befalls worker processes. */

import { type LeaseTerms, nodeOptions } from '../../../../src/engine/pool/options.ts';
import type { FleetProcess } from '../fleet.ts';
import { workerOf } from '../history.ts';
import { nowMs } from '../journal.ts';
import type { Scenario } from '../scenario.ts';
import { CALM } from '../scenario.ts';
import type { Stage } from '../stage.ts';

/** Ticks and starts of a process between two moments. */
function signsBetween(stage: Stage, who: string, fromMs: number, toMs: number): number {
  return stage.history
    .read()
    .events.filter(
      event =>
        (event.what === 'tick' || event.what === 'start') &&
        workerOf(event.who) === who &&
        event.atMs > fromMs &&
        event.atMs < toMs,
    ).length;
}

/** How long after a moment a worker's processes showed themselves last, until another. */
function lastSignMs(stage: Stage, who: string, fromMs: number, toMs: number): number {
  const signs = stage.history.events.filter(
    event => event.what === 'tick' && workerOf(event.who) === who && event.atMs > fromMs && event.atMs < toMs,
  );
  return Math.max(0, ...signs.map(({ atMs }) => atMs - fromMs));
}

/**
 * Stops a process for longer than its lease, lets it go on, and gives how often it acted on what it no longer had,
 * and how long processes that it has for its jobs lived while it stood still.
 */
async function standStill(stage: Stage, worker: FleetProcess, ms: number): Promise<{ stale: number; aliveMs: number }> {
  const stoppedMs = nowMs();
  stage.signal(worker, 'SIGSTOP');
  await stage.untilAlive(stoppedMs + stage.options.lease.leaseMs);
  await stage.last(stoppedMs + ms - nowMs());
  const resumedMs = nowMs();
  stage.signal(worker, 'SIGCONT');
  const came = (what: 'fenced' | 'registered') => stage.history.find(what, { who: worker.name, fromMs: resumedMs })[0];
  await stage.until(() => came('fenced'), 'the stopped worker to give itself up');
  await stage.until(() => came('registered'), 'it to come back');
  return {
    stale: signsBetween(stage, worker.name, resumedMs, came('registered')?.atMs ?? nowMs()),
    aliveMs: lastSignMs(stage, worker.name, stoppedMs, resumedMs),
  };
}

/** Its processes end at its deadline at the latest. */
const deadBy = ({ leaseMs, marginMs }: LeaseTerms) => ({ aliveMs: leaseMs - marginMs + 200 });

/** What four processes may take to start on a busy machine. */
const START_MS = 2500;

export const workerScenarios: Scenario[] = [
  {
    name: 'the jobs of a killed worker are back within lease, grace and a second',
    fault: 'SIGKILL of one of four workers with 300 jobs',
    stage: { workers: 4, jobs: 300 },
    short: {},
    async inject(stage) {
      await stage.last(stage.between(0, stage.options.lease.leaseMs / 3));
      const victim = stage.pick();
      const held = stage.history.read().keysOf(victim.name).length;
      await stage.kill(victim);
      await stage.untilAlive(nowMs());
      return { held };
    },
    bounds: ({ lease, jobs }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000, mostRestarts: 1, restarts: jobs / 2 }),
  },
  {
    name: 'a worker that stood still acts on nothing it no longer has',
    fault: 'SIGSTOP of one of four workers for two to three leases, then SIGCONT',
    stage: { workers: 4, jobs: 100 },
    short: { workers: 3, jobs: 40 },
    async inject(stage) {
      const { leaseMs } = stage.options.lease;
      return standStill(stage, stage.pick(), stage.between(2 * leaseMs, 3 * leaseMs));
    },
    bounds: ({ lease }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000, stale: 0 }),
  },
  {
    name: 'child processes of a worker that stands still are dead before others begin theirs',
    fault: 'SIGSTOP of a worker with --exec jobs for three leases, then SIGCONT; judged by the logs of the children',
    stage: { workers: 3, jobs: 12, exec: true },
    short: {},
    inject: stage => standStill(stage, stage.pick(), 3 * stage.options.lease.leaseMs),
    bounds: ({ lease }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000 + 500, stale: 0, ...deadBy(lease) }),
  },
  {
    name: 'child processes of a killed worker are dead before others begin theirs',
    fault: 'SIGKILL of one of three workers with --exec jobs; judged by the logs of the children',
    stage: { workers: 3, jobs: 12, exec: true },
    async inject(stage) {
      await stage.kill(stage.pick());
      await stage.untilAlive(nowMs() + stage.options.lease.stopBudgetMs + 300);
      return {};
    },
    bounds: ({ lease }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000 + 500 }),
  },
  {
    name: 'isolated handlers of a worker that stands still are dead before others begin theirs',
    fault:
      'SIGSTOP for three leases of a worker whose isolated handlers block and do not listen, then SIGCONT; judged by their own logs',
    stage: { workers: 3, jobs: 12, isolate: true },
    inject: stage => standStill(stage, stage.pick(), 3 * stage.options.lease.leaseMs),
    bounds: ({ lease }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000, stale: 0, ...deadBy(lease) }),
  },
  {
    name: 'isolated handlers of a killed worker are dead before others begin theirs',
    fault: 'SIGKILL of one of three workers whose isolated handlers block and do not listen; judged by their own logs',
    stage: { workers: 3, jobs: 12, isolate: true },
    async inject(stage) {
      await stage.kill(stage.pick());
      await stage.untilAlive(nowMs() + stage.options.lease.stopBudgetMs + 300);
      return {};
    },
    bounds: ({ lease }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000 }),
  },
  {
    name: 'a handler that blocks its event loop beyond the lease owns nothing afterwards',
    fault: 'a handler holds the event loop of one of three workers for two leases',
    stage: { workers: 3, jobs: 60 },
    short: { jobs: 40 },
    async inject(stage) {
      const { leaseMs } = stage.options.lease;
      const key = `job-${stage.between(0, stage.options.jobs - 1)}`;
      const who = stage.history.read().owners().get(key) as string;
      const blockedMs = nowMs();
      stage.note(`block ${who}`);
      await stage.client.notify(key, `block=${2 * leaseMs}`);
      const came = (what: 'fenced' | 'registered') => stage.history.find(what, { who, fromMs: blockedMs })[0];
      await stage.until(() => came('fenced'), 'the blocked worker to give itself up');
      await stage.until(() => came('registered'), 'it to come back');
      return { stale: signsBetween(stage, who, blockedMs + leaseMs, came('registered')?.atMs ?? nowMs()) };
    },
    bounds: ({ lease }) => ({ gapMs: lease.leaseMs + lease.graceMs + 1000, stale: 0 }),
  },
  {
    name: 'a rolling restart under load loses nothing, and no job is silent for a second',
    fault: 'ten workers restarted one after the other with SIGTERM, under 50 dispatches a second',
    stage: { workers: 10, jobs: 100, jobsPerSecond: 50, lease: CALM, tickMs: 100 },
    short: { workers: 4, jobs: 60, jobsPerSecond: 20 },
    async inject(stage) {
      const old = [...stage.workers];
      const fromMs = nowMs();
      const jobsBefore = stage.history.read().accepted.size;
      let badExits = 0;
      let slowestExitMs = 0;
      for (const worker of old) {
        await stage.startWorker();
        const askedMs = nowMs();
        if ((await stage.end(worker)) !== 0) badExits++;
        slowestExitMs = Math.max(slowestExitMs, nowMs() - askedMs);
        await stage.last(stage.between(100, 400));
      }
      const history = stage.history.read();
      const starts = history.find('start', { fromMs }).length;
      const jobCount = history.accepted.size;
      return { badExits, slowestExitMs, movesPerJob: (starts - (jobCount - jobsBefore)) / jobCount };
    },
    // Each of the restarts takes a share of the jobs from one that leaves and gives as much to one that came: of n workers
    // 2 / (n + 1), n times.
    bounds: () => ({ gapMs: 1000, badExits: 0, slowestExitMs: nodeOptions.closeTimeoutMs.default, movesPerJob: 2 }),
  },
  {
    name: 'workers that join take their share, each job moves at most once',
    fault: 'two workers become six, one each 400 ms',
    stage: { workers: 2, jobs: 300, settleMs: 1000, lease: CALM },
    async inject(stage) {
      const { jobs } = stage.options;
      const before = stage.history.read().owners();
      // All are there by then: the distance between them is not what it takes to start a process.
      const joinMs = nowMs() + START_MS;
      await Promise.all([0, 1, 2, 3].map(n => stage.startWorker({ joinAtMs: joinMs + 400 * n })));
      const counts = (history: Stage['history']) => stage.workers.map(({ name }) => history.keysOf(name).length);
      await stage.until(history => Math.min(...counts(history)) > 0, 'every worker to have jobs');
      // Quiet for as long as a move would wait to begin, twice.
      await stage.last(2 * stage.options.settleMs);
      const after = stage.history.read().owners();
      const moved = [...after].filter(([key, who]) => before.get(key) !== who).length;
      return { moved, movedOfIdeal: moved / ((jobs * 4) / 6), fewest: Math.min(...counts(stage.history)) };
    },
    bounds: () => ({ gapMs: 500, mostRestarts: 1, movedOfIdeal: 1.2, fences: 0 }),
  },
  {
    name: 'a worker that joins and dies in a loop moves nothing',
    fault: 'a fourth worker joins and is killed before running jobs may move to it, five times',
    stage: { workers: 3, jobs: 100, lease: CALM, settleMs: 1000 },
    async inject(stage) {
      const { leaseMs, graceMs } = stage.options.lease;
      for (let n = 0; n < 5; n++) {
        const joiner = await stage.startWorker();
        await stage.last(stage.between(0, 0.6 * stage.options.settleMs));
        await stage.kill(joiner);
      }
      // Until nothing is left of the last one, and a turn longer.
      await stage.last(leaseMs + graceMs + 1000);
      return {};
    },
    bounds: () => ({ restarts: 0, fences: 0, gapMs: 500 }),
  },
];
