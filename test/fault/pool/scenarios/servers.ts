/** What befalls the servers when there are several: one takes over from another, or slots move. */
import type { ClusterServers } from '../../../support/topology/cluster.ts';
import type { ReplicatedPair } from '../../../support/topology/pair.ts';
import { DOWN_AFTER_MS, type Sentinels } from '../../../support/topology/sentinels.ts';
import { nowMs } from '../journal.ts';
import { CALM, type Scenario } from '../scenario.ts';
import type { Stage, StageOptions } from '../stage.ts';
import { movedSlot, under } from './under.ts';

const MISSED_MS = 3000;
/** Of each: starting the servers takes as long as the fault. */
const USUAL_RUNS = 10;
const SMALL = { workers: 2, jobs: 30, jobsPerSecond: 20 };

function stale(outageMs: number): Scenario {
  return {
    name: `every job goes on when a replica that missed ${MISSED_MS} ms takes over ${outageMs} ms after its master died`,
    fault: `replication cut, a worker joins and jobs start; SIGKILL of the master, promotion ${outageMs} ms later`,
    stage: { servers: 'pair', workers: 5, jobs: 300, jobsPerSecond: 10, lease: CALM },
    usualRuns: USUAL_RUNS,
    async inject(stage) {
      const pair = stage.servers.pair as ReplicatedPair;
      stage.note('replication is cut');
      pair.cutReplication();
      const cutMs = nowMs();
      await stage.startWorker();
      await stage.last(MISSED_MS - (nowMs() - cutMs));
      // What no worker had by then would be gone with the master, and nobody could know of it.
      await stage.endLoad();
      await stage.untilAlive(nowMs());
      stage.note('SIGKILL of the master');
      await pair.killMaster();
      await stage.last(outageMs);
      await pair.promote();
      stage.note('the replica is the master');
      const overMs = nowMs();
      await stage.untilAlive(overMs);
      const backMs = nowMs() - overMs;
      await stage.last(stage.between(500, 1500));
      return { backMs };
    },
    // A worker that outlived its lease waits for the end of the quarantine.
    bounds: ({ lease }) => ({ backMs: lease.leaseMs + 2000, gapMs: outageMs + lease.leaseMs + 2000 }),
  };
}

function withSentinels(
  name: string,
  fault: string,
  act: (sentinels: Sentinels) => Promise<unknown>,
  short?: Partial<StageOptions>,
): Scenario {
  return {
    name,
    fault,
    stage: { servers: 'sentinels', jobs: 150, jobsPerSecond: 30, durableReplicas: 1, lease: CALM },
    ...(short ? { short } : {}),
    usualRuns: USUAL_RUNS,
    inject: stage =>
      under(stage, fault, async () => {
        await act(stage.servers.sentinels as Sentinels);
        // The new master has no replica for a while.
        stage.settleForNoReplica();
      }),
    bounds: ({ lease }) => ({ backMs: lease.leaseMs + 2000, answeredMs: DOWN_AFTER_MS + 2000 }),
  };
}

function onCluster(
  name: string,
  fault: string,
  act: (cluster: ClusterServers, slot: number, stage: Stage) => Promise<unknown>,
  more: Pick<Scenario, 'bounds'> & { short?: Partial<StageOptions> },
): Scenario {
  return {
    name,
    fault,
    stage: { servers: 'cluster', jobs: 150, jobsPerSecond: 30, durableReplicas: 1, lease: CALM },
    usualRuns: USUAL_RUNS,
    async inject(stage) {
      const cluster = stage.servers.cluster as ClusterServers;
      const [slot] = (await stage.slots) as [number];
      return under(stage, fault, () => act(cluster, slot, stage));
    },
    ...more,
  };
}

const afterLease: Scenario['bounds'] = ({ lease }) => ({ backMs: lease.leaseMs + 2000 });

export const serverScenarios: Scenario[] = [
  stale(500),
  stale(1500),
  stale(3500),
  withSentinels(
    'nothing is lost when an operator has the sentinels fail over',
    'SENTINEL FAILOVER under load',
    sentinels => sentinels.failover(),
    SMALL,
  ),
  withSentinels('nothing is lost when the master of sentinels dies', 'SIGKILL of the master under load', sentinels =>
    sentinels.killMaster(),
  ),
  onCluster(
    'nothing stops while the slot of the pool moves key by key',
    'slot of a cluster moved key by key, with its keys in two places for a second, under load',
    (cluster, slot) => cluster.moveSlot(slot, { pauseMs: 1000 }),
    { short: SMALL, bounds: movedSlot },
  ),
  onCluster(
    'nothing stops when a replica of a cluster takes over in agreement with its master',
    'CLUSTER FAILOVER under load',
    (cluster, slot) => cluster.failover(slot),
    { bounds: () => ({ backMs: 1000 }) },
  ),
  onCluster(
    'nothing is lost when a replica of a cluster takes over without asking',
    'CLUSTER FAILOVER FORCE under load',
    (cluster, slot) => cluster.failover(slot, 'FORCE'),
    { bounds: afterLease },
  ),
  onCluster(
    'nothing is lost when a master of a cluster dies',
    'SIGKILL of the master of the slot of the pool under load',
    async (cluster, slot, stage) => {
      await cluster.killMaster(slot);
      stage.settleForNoReplica();
    },
    { bounds: afterLease },
  ),
];
