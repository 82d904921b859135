/** What befalls the network between a worker and Redis. */
import { nowMs } from '../journal.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

/** What a timer may be late. */
const LATE_MS = 20;

/** Cuts a worker off in some way for so many leases; gives when it gave itself up. */
async function cutOff(stage: Stage, mode: 'blackhole' | 'swallow', leases: number): Promise<Record<string, number>> {
  const { leaseMs } = stage.options.lease;
  const victim = stage.pick();
  const relay = stage.relayOf(victim);
  await stage.last(stage.between(0, leaseMs / 3));
  const cutMs = nowMs();
  stage.note(`${mode} ${victim.name}`);
  relay.mode = mode;
  await stage.until(() => stage.history.find('fenced', { who: victim.name, fromMs: cutMs })[0], 'it to give itself up');
  const fenceMs = (stage.history.find('fenced', { who: victim.name, fromMs: cutMs })[0]?.atMs ?? 0) - cutMs;
  await stage.untilAlive(nowMs());
  await stage.last(cutMs + leases * leaseMs - nowMs());
  stage.note(`pass ${victim.name}`);
  relay.mode = 'pass';
  const passedMs = nowMs();
  await stage.until(
    () => stage.history.find('registered', { who: victim.name, fromMs: passedMs })[0],
    'the worker to come back',
  );
  return { fenceMs };
}

export const networkScenarios: Scenario[] = [
  {
    name: 'a worker that hears nothing gives itself up before others take over',
    fault: 'blackhole between one of four workers and Redis, for two leases',
    stage: { workers: 4, jobs: 100, relay: true },
    short: { workers: 3, jobs: 40 },
    inject: stage => cutOff(stage, 'blackhole', 2),
    bounds: ({ lease }) => ({
      fenceMs: lease.leaseMs - lease.marginMs + LATE_MS,
      gapMs: lease.marginMs + lease.graceMs + 1000,
    }),
  },
  {
    name: 'a worker whose renewals arrive but are not confirmed gives itself up, and others wait for that',
    fault: 'replies to one of four workers are lost, its requests arrive, for four leases',
    stage: { workers: 4, jobs: 100, relay: true },
    short: { workers: 3, jobs: 40 },
    inject: stage => cutOff(stage, 'swallow', 4),
    bounds: ({ lease }) => ({
      fenceMs: lease.leaseMs - lease.marginMs + LATE_MS,
      gapMs: lease.leaseMs + lease.graceMs + 1000,
    }),
  },
];
