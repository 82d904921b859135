/**
 * Replicas in several processes, writes going on, and one fault after the other, as a seed decides; then everything is healed
 * and every copy, and what every watcher was told, must equal Redis.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisFixture } from '../../support/fixture.ts';
import { seededRandom } from '../report.ts';
import { MapFleet, type MapProcess } from './fleet.ts';
import { isWholeMessages } from './messages.ts';

export interface Convergence {
  seed: number;
  processCount: number;
  replicasEach: number;
  writesPerSecond: number;
  durationMs: number;
  faultEveryMs: number;
  pollIntervalMs: number;
  limitMs: number;
}

export interface Converged {
  convergedMs: number;
  doneCount: number;
  failedCount: number;
  faults: Record<string, number>;
  entryCount: number;
  replicaCount: number;
  reassertedCount: number;
}

type Fault = (fleet: MapFleet, victim: MapProcess, redis: RedisFixture, forMs: number) => Promise<void>;

/** For a time on the way of one process, then as before. */
const onTheWay =
  (mode: 'swallow' | 'blackhole' | 'refuse'): Fault =>
  async (_fleet, { proxy }, _redis, forMs) => {
    proxy.mode = mode;
    await sleep(forMs);
    proxy.mode = 'pass';
  };

const command =
  (...words: (string | number)[]): Fault =>
  async ({ control }) => {
    await control.commands.call(...(words as [string]));
  };

/** Every other message, and nobody is told. */
const loseMessages: Fault = async (_fleet, { proxy }, _redis, forMs) => {
  let met = 0;
  proxy.filter = bytes => (isWholeMessages(bytes) && met++ % 2 === 0 ? undefined : bytes);
  await sleep(forMs);
  proxy.filter = undefined;
};

const FAULTS: Record<string, Fault> = {
  'subscribers killed': command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
  'connections killed': command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  'scripts flushed': command('SCRIPT', 'FLUSH'),
  'Redis paused': command('CLIENT', 'PAUSE', 700, 'ALL'),
  'connections cut': async (_fleet, { proxy }) => proxy.cut(),
  'replies lost': onTheWay('swallow'),
  'half-open': onTheWay('blackhole'),
  refused: onTheWay('refuse'),
  'messages lost': loseMessages,
  slow: async (_fleet, { proxy }, _redis, forMs) => {
    proxy.delayMs = 150;
    await sleep(forMs);
    proxy.delayMs = 0;
  },
  'process stopped': async (_fleet, victim, _redis, forMs) => {
    victim.signal('SIGSTOP');
    await sleep(forMs);
    victim.signal('SIGCONT');
  },
  'process killed': async (_fleet, victim) => {
    await victim.kill();
    victim.proxy.mode = 'pass';
    await victim.start();
  },
  'Redis stopped': async (_fleet, _victim, { server }, forMs) => {
    server.signal('SIGSTOP');
    await sleep(Math.min(forMs, 1000));
    server.signal('SIGCONT');
  },
  'map lost': async ({ control }) => {
    const { data, meta } = control.keys.map('m');
    await control.commands.call('DEL', data, meta);
  },
  'all lost': command('FLUSHDB'),
};

export async function runConvergence(redis: RedisFixture, plan: Convergence): Promise<Converged> {
  const { seed, processCount, replicasEach, pollIntervalMs } = plan;
  const random = seededRandom(seed);
  const onStateLoss = seed % 2 === 0 ? 'reassert' : 'clear';
  const fleet = await MapFleet.start(redis, 'convergence', processCount, {
    seed,
    replicaCount: replicasEach,
    writesPerSecond: plan.writesPerSecond / processCount,
    options: { pollIntervalMs, onStateLoss },
  });
  const counts: Record<string, number> = {};
  const names = Object.keys(FAULTS);
  /** One fault at a time for each process: a stopped one is not killed as well. */
  const busy = new Set<MapProcess>();
  const running = new Set<Promise<void>>();
  const end = performance.now() + plan.durationMs;
  for (let next = performance.now() + plan.faultEveryMs; next < end; next += plan.faultEveryMs) {
    await sleep(Math.max(0, next - performance.now()));
    const name = names[Math.floor(random() * names.length)] as string;
    const free = fleet.processes.filter(process => !busy.has(process));
    const victim = free[Math.floor(random() * free.length)];
    const forMs = 300 + random() * 1700;
    if (!victim) continue;
    busy.add(victim);
    counts[name] = (counts[name] ?? 0) + 1;
    fleet.note(name, { victim: victim.name, forMs });
    const fault = (FAULTS[name] as Fault)(fleet, victim, redis, forMs).finally(() => {
      busy.delete(victim);
      running.delete(fault);
    });
    // Judged below: a fault that cannot be made fails the test.
    fault.catch(() => {});
    running.add(fault);
  }
  await Promise.all(running);
  // Last what only the replicas can find: after a lost connection all is read anew, and would hide it.
  await Promise.all(fleet.processes.map(process => loseMessages(fleet, process, redis, 500)));
  const { doneCount, failedCount } = await fleet.quiet();
  fleet.note('quiet');
  const convergedMs = await fleet.converge(plan.limitMs);
  const [{ entries }, reports] = [await fleet.truth(), await fleet.reports()];
  await fleet.end();
  return {
    convergedMs,
    doneCount,
    failedCount,
    faults: counts,
    entryCount: entries.size,
    replicaCount: reports.length,
    reassertedCount: reports.reduce((sum, report) => sum + report.ownCount, 0),
  };
}
