/** What befalls some shards of a pool on a cluster, and must not be felt in the others. */
import { leasePresets } from '../../../../src/engine/pool/options.ts';
import type { RedisServer } from '../../../support/redis.ts';
import type { ClusterServers } from '../../../support/topology/cluster.ts';
import { tell } from '../../../support/topology/commands.ts';
import { judge } from '../checker.ts';
import { slowestDispatchMs } from '../dispatches.ts';
import { type JournalEvent, nowMs } from '../journal.ts';
import { CALM, type Scenario } from '../scenario.ts';
import type { StageOptions } from '../stage.ts';
import { movedSlot, under } from './under.ts';

const STAGE: Partial<StageOptions> = {
  servers: 'cluster',
  shards: 6,
  workers: 4,
  jobs: 150,
  jobsPerSecond: 30,
  durableReplicas: 1,
  lease: CALM,
};

/** The master of each shard; a pool that has them all in one place would prove nothing. */
async function mastersOf(cluster: ClusterServers, slots: readonly number[]): Promise<RedisServer[]> {
  const masters = await Promise.all(slots.map(slot => cluster.masterOf(slot)));
  if (new Set(masters).size < 2) throw new Error('all shards are on one master');
  return masters;
}

/** What a history says about some keys. */
function about(events: readonly JournalEvent[], chosen: (key: string) => boolean): JournalEvent[] {
  return events.flatMap(event => {
    const jobs = event.jobs?.filter(([key]) => chosen(key)) ?? [];
    return jobs.length > 0 ? [{ ...event, jobs }] : [];
  });
}

/** `end`: how the master ends; `coverage`: whether the other masters serve nobody either, until the replica has taken over. */
function masterDies(
  name: string,
  end: 'SIGKILL' | 'SIGSTOP',
  coverage: 'yes' | 'no',
  more: Partial<Scenario> & Pick<Scenario, 'bounds'>,
): Scenario {
  const fault = `${end} of the master of some of 6 shards under load, cluster-require-full-coverage ${coverage}`;
  return {
    name,
    fault,
    stage: STAGE,
    async inject(stage) {
      const cluster = stage.servers.cluster as ClusterServers;
      for (const node of cluster.nodes) await tell(node, 'CONFIG', 'SET', 'cluster-require-full-coverage', coverage);
      const slots = await stage.slots;
      const masters = await mastersOf(cluster, slots);
      const struck = Math.floor(stage.random() * slots.length);
      const elsewhere = (key: string) => masters[stage.shardOf(key)] !== masters[struck];
      let frozen: RedisServer | undefined;
      const fromMs = nowMs();
      const figures = await under(stage, `${fault}: shard ${struck}`, async () => {
        const slot = slots[struck] as number;
        if (end === 'SIGKILL') await cluster.killMaster(slot);
        else frozen = await cluster.freezeMaster(slot);
        // The new master has no replica.
        stage.settleForNoReplica();
      });
      const toMs = nowMs();
      frozen?.signal('SIGCONT');
      const others = about(stage.history.read().events, elsewhere);
      const { gap, restarts } = judge(others, { fromMs, restMs: toMs, toMs });
      return {
        ...figures,
        othersGapMs: gap.ms,
        othersRestarts: restarts.size,
        othersDispatchMs: slowestDispatchMs(others, fromMs),
      };
    },
    ...more,
  };
}

export const shardScenarios: Scenario[] = [
  masterDies('shards on other masters of a cluster feel nothing when one dies', 'SIGKILL', 'no', {
    short: { jobs: 100, jobsPerSecond: 20 },
    bounds: ({ lease }) => ({
      backMs: lease.leaseMs + 2000,
      othersGapMs: 1000,
      othersRestarts: 0,
      othersDispatchMs: 1000,
    }),
  }),
  masterDies('shards on other masters of a cluster feel nothing when one hangs', 'SIGSTOP', 'no', {
    bounds: ({ lease }) => ({
      backMs: lease.leaseMs + 4000,
      othersGapMs: 1000,
      othersRestarts: 0,
    }),
  }),
  // Nothing is renewed anywhere while the cluster is down: only a lease longer than that survives it.
  masterDies('nothing restarts when a master dies and the lease outlasts the failover', 'SIGKILL', 'yes', {
    stage: { ...STAGE, lease: leasePresets.default },
    bounds: () => ({ backMs: 2000, othersGapMs: 1000, restarts: 0, fences: 0 }),
  }),
  {
    name: 'nothing stops while the slot of one shard moves key by key',
    fault: 'slot of one of 6 shards moved key by key, with its keys in two places for a second, under load',
    stage: STAGE,
    short: { jobs: 100, jobsPerSecond: 20 },
    async inject(stage) {
      const cluster = stage.servers.cluster as ClusterServers;
      const slots = await stage.slots;
      await mastersOf(cluster, slots);
      const moved = Math.floor(stage.random() * slots.length);
      return under(stage, `the slot of shard ${moved} moves`, () =>
        cluster.moveSlot(slots[moved] as number, { pauseMs: 1000 }),
      );
    },
    bounds: movedSlot,
  },
];
