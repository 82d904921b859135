/** What befalls a cluster, or the master behind sentinels, while maps, streams, a reader and sinks are under load. */
import { describe, expect, it } from 'vitest';
import { newId } from '../../../src/engine/core/ids.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { type Evidence, Load } from '../../support/load.ts';
import { ClusterServers } from '../../support/topology/cluster.ts';
import { Sentinels } from '../../support/topology/sentinels.ts';
import { recordFigures, runCount } from '../report.ts';

const MAP = 'm';
const USUAL_RUNS = 3;
/** Two sinks, two replicas and a reader of three streams with a hundred events a second each: far below a loop. */
const MOST_COMMANDS_PER_SECOND = 1500;

interface Slots {
  map: number;
  /** Of one stream. */
  stream: number;
}

/** With what only some of the tests see. */
interface Seen extends Evidence {
  /** From the moment sentinels named another master until publishes and writes were answered again. */
  reconnectMs?: number;
}
type Bounds = Partial<Record<keyof Seen, number>>;

interface Trouble {
  name: string;
  fault: string;
  act(cluster: ClusterServers, slots: Slots): Promise<unknown>;
  bounds: Bounds;
}

/** Whatever happens: a write of a map waits for whoever can take it. */
const ALWAYS = {
  doubled: 0,
  unhandled: 0,
  unread: 0,
  divergent: 0,
  failedWrites: 0,
  commandsPerSecond: MOST_COMMANDS_PER_SECOND,
};
/** When no master is lost with what no replica had. */
const NOTHING_LOST = { ...ALWAYS, lost: 0, lostWrites: 0, misread: 0 };
/** Of each publisher what was on its way; what is lost is what replication had not done yet, and is counted. */
const IN_DOUBT = { uncertain: 3 };
/** A plain publish is refused when nobody can take it, by each of three publishers once per attempt to connect at most. */
const REFUSED_WHILE_NOBODY_IS_MASTER = { refused: 3 * 10 };
/** Beyond the time it takes sentinels to notice that a master is down and to agree on another. */
const RECONNECT = { reconnectMs: 2000 };

const troubles: Trouble[] = [
  {
    name: 'maps and streams stop for nothing while their slots move key by key',
    fault: 'slots of a map and of a stream moved key by key, with keys in two places for a second',
    async act(cluster, slots) {
      await cluster.moveSlot(slots.map, { pauseMs: 1000 });
      await cluster.moveSlot(slots.stream, { pauseMs: 1000 });
    },
    bounds: { ...NOTHING_LOST, uncertain: 0, refused: 0 },
  },
  {
    name: 'maps and streams lose nothing when replicas take over in agreement with their masters',
    fault: 'CLUSTER FAILOVER of the masters of a map and of a stream',
    async act(cluster, slots) {
      await cluster.failover(slots.map);
      await cluster.failover(slots.stream);
    },
    bounds: { ...NOTHING_LOST, refused: 0 },
  },
  {
    name: 'maps and streams go on when a replica takes over without asking',
    fault: 'CLUSTER FAILOVER FORCE of the master of a stream',
    act: (cluster, slots) => cluster.failover(slots.stream, 'FORCE'),
    bounds: { ...ALWAYS, refused: 0 },
  },
  {
    name: 'maps and streams go on when a master of a cluster dies',
    fault: 'SIGKILL of the master of a stream',
    act: (cluster, slots) => cluster.killMaster(slots.stream),
    bounds: { ...ALWAYS, ...IN_DOUBT, refused: 0 },
  },
  {
    name: 'maps and streams go on when the master of the map dies',
    fault: 'SIGKILL of the master of a map',
    act: (cluster, slots) => cluster.killMaster(slots.map),
    bounds: { ...ALWAYS, ...IN_DOUBT, refused: 0 },
  },
  {
    name: 'maps and streams go on when a master of a cluster hangs',
    fault: 'SIGSTOP of the master of a stream until its replica has taken over, SIGCONT 6 s later',
    async act(cluster, slots) {
      const frozen = await cluster.freezeMaster(slots.stream);
      await new Promise(resolve => setTimeout(resolve, 6000));
      frozen.signal('SIGCONT');
      await cluster.untilWell();
    },
    bounds: ALWAYS,
  },
];

async function repeat(
  { name, fault, bounds }: Pick<Trouble, 'name' | 'fault' | 'bounds'>,
  run: () => Promise<Seen>,
): Promise<void> {
  const runs = runCount(USUAL_RUNS);
  const all: Seen[] = [];
  for (let n = 0; n < runs; n++) all.push(await run());
  const worst = Object.fromEntries(
    (Object.keys(all[0] as Seen) as (keyof Seen)[]).map(key => [key, Math.max(...all.map(one => one[key] as number))]),
  ) as Record<keyof Seen, number>;
  const { lost, publishGapMs, ...more } = worst;
  recordFigures({ test: name, fault, runs, overlaps: 0, lost, worstGapMs: publishGapMs, seed: '-', more });
  const broken = Object.entries(bounds).filter(([key, most]) => worst[key as keyof Seen] > most);
  expect(Object.fromEntries(broken.map(([key]) => [key, worst[key as keyof Seen]]))).toEqual({});
}

describe('a cluster under maps and streams', () => {
  it.for(troubles)('$name', async trouble => {
    await repeat(trouble, async () => {
      const cluster = await ClusterServers.start();
      const prefix = `t-${newId()}`;
      const link = await RedisLink.connect({ url: cluster.url, prefix });
      try {
        const slots = {
          map: await cluster.slotOf(link.keys.map(MAP).data),
          stream: await cluster.slotOf(link.keys.stream('s0').events),
        };
        const load = await Load.start({ url: cluster.url, prefix, map: MAP, streams: ['s0', 's1', 's2'] });
        await load.untilMore(100);
        await trouble.act(cluster, slots);
        await load.untilMore(200);
        return await load.finish();
      } finally {
        await link.close();
        await cluster.stop();
      }
    });
  });
});

describe('sentinels over maps and streams', () => {
  const behind = [
    {
      name: 'maps and streams go on when an operator has the sentinels fail over',
      fault: 'SENTINEL FAILOVER',
      act: (sentinels: Sentinels) => sentinels.failover(),
    },
    {
      name: 'maps and streams go on when the master of sentinels dies',
      fault: 'SIGKILL of the master',
      act: (sentinels: Sentinels) => sentinels.killMaster(),
    },
  ];
  it.for(behind)('$name', async ({ name, fault, act }) => {
    const bounds = { ...ALWAYS, ...IN_DOUBT, ...REFUSED_WHILE_NOBODY_IS_MASTER, ...RECONNECT };
    await repeat({ name, fault, bounds }, async () => {
      const sentinels = await Sentinels.start();
      try {
        const options = { prefix: `t-${newId()}`, map: MAP, streams: ['s0', 's1', 's2'] };
        const load = await Load.start({ url: sentinels.url, ...options });
        await load.untilMore(100);
        const startMs = performance.now();
        await act(sentinels);
        const electedMs = performance.now() - startMs;
        await load.untilMore(200);
        const evidence = await load.finish();
        const gapMs = Math.max(evidence.publishGapMs, evidence.writeGapMs);
        return { ...evidence, reconnectMs: Math.max(0, Math.round(gapMs - electedMs)) };
      } finally {
        await sentinels.stop();
      }
    });
  });
});
