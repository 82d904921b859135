/** Everything at once, as a seed decides. */
import { type ClusterServers, NODE_TIMEOUT_MS } from '../../../support/topology/cluster.ts';
import type { FleetProcess } from '../fleet.ts';
import { nowMs } from '../journal.ts';
import { CALM, type Scenario, SHORT } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const MINUTE_MS = 60_000;
const FEWEST_WORKERS = 2;
const MOST_WORKERS = 6;
const FLUSH_SHARE = 0.15;

type Deed = (stage: Stage) => Promise<unknown>;

/** Something is wrong between a worker and Redis for up to a lease and a half. */
function disturb(mode: 'blackhole' | 'swallow' | 'refuse'): Deed {
  return async stage => {
    const worker = stage.pick();
    const relay = stage.relayOf(worker);
    stage.note(`${mode} ${worker.name}`);
    relay.mode = mode;
    await stage.last(stage.between(50, 1.5 * SHORT.leaseMs));
    stage.note(`pass ${worker.name}`);
    relay.mode = 'pass';
  };
}

async function call(stage: Stage, ...command: (string | number)[]): Promise<void> {
  stage.note(command.join(' '));
  const [name, ...args] = command as [string, ...(string | number)[]];
  // It may be down at the moment, or its connection is the one that is killed.
  await stage.link.commands.call(name, ...args).catch(() => {});
}

/** With Redis down at that moment it ends with an error, as it should. */
async function join(stage: Stage): Promise<void> {
  await stage.startWorker().catch(() => stage.note('a worker could not join'));
}

const processDeeds: Deed[] = [
  async stage => {
    if (stage.workers.length > FEWEST_WORKERS) await stage.kill(stage.pick());
    await join(stage);
  },
  async stage => {
    if (stage.workers.length > FEWEST_WORKERS) await stage.end(stage.pick());
  },
  async stage => {
    if (stage.workers.length < MOST_WORKERS) await join(stage);
  },
  async stage => {
    const worker: FleetProcess = stage.pick();
    stage.signal(worker, 'SIGSTOP');
    await stage.last(stage.between(50, 2 * SHORT.leaseMs));
    stage.signal(worker, 'SIGCONT');
  },
];

const networkDeeds: Deed[] = [
  disturb('blackhole'),
  disturb('swallow'),
  disturb('refuse'),
  async stage => {
    const relay = stage.relayOf(stage.pick());
    relay.delayMs = stage.between(5, 200);
    await stage.last(stage.between(200, SHORT.leaseMs));
    relay.delayMs = 0;
  },
];

/** One at a time: a Redis that stands still cannot be killed in good order. */
const redisDeeds: Deed[] = [
  async stage => {
    stage.note('SIGKILL redis');
    await stage.redis.down('SIGKILL');
    await stage.last(stage.between(50, SHORT.leaseMs));
    await stage.redis.up();
    stage.note('redis is up');
  },
  async stage => {
    stage.note('SIGSTOP redis');
    stage.redis.signal('SIGSTOP');
    await stage.last(stage.between(50, 1.5 * SHORT.leaseMs));
    stage.note('SIGCONT redis');
    stage.redis.signal('SIGCONT');
  },
  // Not so often that nothing is left to be lost by anything else.
  async stage => {
    if (stage.random() < FLUSH_SHARE) await stage.flush().catch(() => {});
  },
  // To its end, which is a time of the wall clock: set back meanwhile, it would last as much longer.
  async stage => {
    await call(stage, 'CLIENT', 'PAUSE', stage.between(50, SHORT.leaseMs), 'ALL');
    await call(stage, 'PING');
  },
  stage => call(stage, 'SCRIPT', 'FLUSH'),
  stage => call(stage, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  stage => call(stage, 'CLIENT', 'KILL', 'TYPE', 'pubsub'),
  // The connection that looks whether it was set may be killed by then.
  stage => stage.stepClock(stage.between(-120, 120)).catch(() => {}),
];

/** One at a time: what comes before is over when the next one begins. */
const clusterDeeds: Deed[] = [
  withSlot('CLUSTER FAILOVER', (cluster, slot) => cluster.failover(slot)),
  withSlot('CLUSTER FAILOVER FORCE', (cluster, slot) => cluster.failover(slot, 'FORCE')),
  withSlot('a slot moves', (cluster, slot, stage) => cluster.moveSlot(slot, { pauseMs: stage.between(0, 1000) })),
  withSlot('a master stands still', async (cluster, slot, stage) => {
    const master = await cluster.masterOf(slot);
    master.signal('SIGSTOP');
    await stage.last(stage.between(50, NODE_TIMEOUT_MS / 2));
    master.signal('SIGCONT');
  }),
  withSlot('SIGKILL of a master', async (cluster, slot) => {
    const master = await cluster.killMaster(slot);
    await master.up();
    await cluster.untilWell();
  }),
  stage => call(stage, 'SCRIPT', 'FLUSH'),
];

/** Something befalls the slot of one of the shards. */
function withSlot(name: string, act: (cluster: ClusterServers, slot: number, stage: Stage) => Promise<unknown>): Deed {
  return async stage => {
    const slots = await stage.slots;
    const shard = stage.between(0, slots.length - 1);
    stage.note(`${name}: shard ${shard}`);
    await act(stage.servers.cluster as ClusterServers, slots[shard] as number, stage);
    stage.note('it is over');
  };
}

/** Deeds one after the other until the time is over. */
async function ply(stage: Stage, deeds: Deed[], untilMs: number, restMs: number): Promise<number> {
  let count = 0;
  for (; nowMs() < untilMs; count++) {
    await (deeds[stage.between(0, deeds.length - 1)] as Deed)(stage);
    await stage.last(stage.between(0, restMs));
  }
  return count;
}

/** Each kind beside the others, with up to so many leases between one deed and the next. */
function storm(...kinds: [deeds: Deed[], restLeases: number][]): Scenario['inject'] {
  return async stage => {
    const { leaseMs } = stage.options.lease;
    const untilMs = nowMs() + (Number(process.env.PONOS_TEST_MINUTES) || 5) * MINUTE_MS;
    const counts = await Promise.all(kinds.map(([deeds, rest]) => ply(stage, deeds, untilMs, rest * leaseMs)));
    const { accepted } = stage.history.read();
    return { faults: counts.reduce((a, b) => a + b), acceptedJobs: accepted.size };
  };
}

export const nemesisScenarios: Scenario[] = [
  {
    name: 'the promises hold under faults of every kind at once',
    fault:
      'workers killed, stopped, ended, added, cut off and delayed at random, Redis killed, stopped, paused, flushed of scripts and of everything, its clock put forth and back',
    stage: {
      workers: 4,
      jobs: 60,
      jobsPerSecond: 5,
      notesPerSecond: 20,
      relay: true,
      redisArgs: ['--appendonly', 'yes'],
      steppedClock: true,
    },
    usualRuns: 2,
    inject: storm([[...processDeeds, ...networkDeeds], 1], [redisDeeds, 1]),
    // Faults come one upon the other, and each may take a lease and more.
    bounds: ({ lease }) => ({ gapMs: 10 * lease.leaseMs }),
  },
  {
    name: 'the promises hold under faults of every kind at once in a cluster',
    fault:
      'workers killed, stopped, ended and added at random, masters of three shards killed, stopped and replaced in agreement and by force, slots moved',
    stage: {
      servers: 'cluster',
      shards: 3,
      workers: 4,
      jobs: 60,
      jobsPerSecond: 5,
      notesPerSecond: 20,
      durableReplicas: 1,
      lease: CALM,
    },
    usualRuns: 2,
    // Each of most of these puts a shard into quarantine for a lease.
    inject: storm([processDeeds, 1], [clusterDeeds, 3]),
    bounds: ({ lease }) => ({ gapMs: 10 * lease.leaseMs }),
  },
];
