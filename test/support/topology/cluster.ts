/**
 * A cluster of three masters, each with a replica, on loopback. The nodes begin with a configuration that names all of
 * them, so that none has to be introduced, and notice a dead one soon.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import type { Argument } from '../../../src/engine/redis/script.ts';
import { freePort, RedisServer } from '../redis.ts';
import { until } from '../until.ts';
import { ask, tell } from './commands.ts';

export const NODE_TIMEOUT_MS = 1000;
const RANGES = ['0-5460', '5461-10922', '10923-16383'];

interface Place {
  id: string;
  port: number;
  busPort: number;
  /** Index of its master, undefined for a master. */
  masterIndex: number | undefined;
}

export interface SlotMove {
  readonly source: RedisServer;
  readonly target: RedisServer;
  /** Brings keys over; of those that are not at the source nothing. */
  take(...keys: (string | Buffer)[]): Promise<void>;
  /** Tells every master who has the slot. */
  end(): Promise<void>;
}

export class ClusterServers {
  readonly nodes: RedisServer[];
  readonly #places: Place[];

  private constructor(nodes: RedisServer[], places: Place[]) {
    this.nodes = nodes;
    this.#places = places;
  }

  static async start(options: { replicas?: boolean } = {}): Promise<ClusterServers> {
    const count = options.replicas === false ? 3 : 6;
    const places: Place[] = [];
    for (let index = 0; index < count; index++) {
      const [port, busPort] = [await freePort(), await freePort()];
      const id = createHash('sha1').update(`node ${port}`).digest('hex');
      places.push({ id, port, busPort, masterIndex: index < 3 ? undefined : index - 3 });
    }
    const nodes = await Promise.all(
      places.map((place, index) =>
        RedisServer.start({
          port: place.port,
          files: { 'nodes.conf': configurationOf(places, index) },
          args: [
            ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
            ...['--cluster-port', String(place.busPort), '--cluster-node-timeout', String(NODE_TIMEOUT_MS)],
            // A replica that was cut off for long is better than none, here.
            ...['--cluster-replica-validity-factor', '0', '--cluster-allow-replica-migration', 'no'],
            ...['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'],
          ],
        }),
      ),
    );
    const cluster = new ClusterServers(nodes, places);
    await cluster.untilWell();
    return cluster;
  }

  get url(): string {
    return `redis+cluster://${this.#places.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** Every node that runs serves, and every replica has its master's data. */
  async untilWell(): Promise<void> {
    for (const node of this.nodes) {
      await until(
        async () => /cluster_state:ok/.test(await ask(node, 'CLUSTER', 'INFO').catch(() => '')),
        'the cluster',
      );
      await until(
        async () => /role:master|master_link_status:up/.test(await ask(node, 'INFO', 'replication').catch(() => '')),
        'the replicas',
      );
    }
  }

  slotOf(key: string): Promise<number> {
    return ask(this.nodes[0] as RedisServer, 'CLUSTER', 'KEYSLOT', key).then(Number);
  }

  /** Master of a slot, as a node sees it that still runs; not one that is known to have failed. */
  async masterOf(slot: number): Promise<RedisServer> {
    for (const node of this.nodes) {
      const text = await ask(node, 'CLUSTER', 'NODES').catch(() => '');
      for (const line of text.split('\n')) {
        const [id, , flags = '', , , , , , ...ranges] = line.split(' ');
        if (!flags.includes('master') || flags.includes('fail') || !ranges.some(range => holds(range, slot))) continue;
        const index = this.#places.findIndex(place => place.id === id);
        if (index >= 0) return this.nodes[index] as RedisServer;
      }
      if (text) break;
    }
    throw new Error(`nobody has slot ${slot}`);
  }

  /** The node that follows a master; after a failover it takes a moment until one does. */
  replicaOf(master: RedisServer): Promise<RedisServer> {
    const id = this.#idOf(master);
    return until(async () => {
      const text = await ask(master, 'CLUSTER', 'NODES');
      const line = text.split('\n').find(other => other.split(' ')[3] === id);
      return this.nodes[this.#places.findIndex(place => place.id === line?.split(' ')[0])];
    }, `a replica of the node on port ${master.port}`);
  }

  /**
   * Moves a slot as operators' tools do: both sides are told, its keys go over one by one, then every master is told who
   * has it. `pauseMs` in the middle leaves the keys in two places for so long.
   */
  async moveSlot(slot: number, options: { pauseMs?: number; batch?: number } = {}): Promise<{ keyCount: number }> {
    const { pauseMs = 0, batch = 1 } = options;
    const move = await this.beginMove(slot);
    const source = await RedisLink.connect({ url: move.source.url, connectAttempts: 1 });
    try {
      const total = Number(await source.commands.call('CLUSTER', 'COUNTKEYSINSLOT', slot));
      let keyCount = 0;
      for (let paused = pauseMs === 0; ; ) {
        const keys = (await source.commands.call('CLUSTER', 'GETKEYSINSLOT', slot, batch)) as Buffer[];
        if (keys.length === 0) break;
        await source.commands.call(...migrate(move.target, keys));
        keyCount += keys.length;
        if (!paused && keyCount >= total / 2) {
          paused = true;
          await pause(pauseMs);
        }
      }
      await move.end();
      return { keyCount };
    } finally {
      await source.close();
    }
  }

  /** The steps of a move, one at a time: both sides have been told. */
  async beginMove(slot: number): Promise<SlotMove> {
    const source = await this.masterOf(slot);
    const target = await this.#otherMaster(source);
    await tell(target, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', this.#idOf(source));
    await tell(source, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', this.#idOf(target));
    return {
      source,
      target,
      take: async (...keys) => {
        await tell(source, ...migrate(target, keys));
      },
      end: async () => {
        // The target first: a client that is sent there by the source must find it the owner.
        for (const node of [target, source, ...this.nodes.filter(other => other !== target && other !== source)]) {
          await tell(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', this.#idOf(target)).catch(() => {});
        }
      },
    };
  }

  /** The replica of a slot's master takes over: in agreement with it, or without asking it. */
  async failover(slot: number, mode?: 'FORCE' | 'TAKEOVER'): Promise<void> {
    const before = await this.masterOf(slot);
    await tell(await this.replicaOf(before), 'CLUSTER', 'FAILOVER', ...(mode ? [mode] : []));
    await this.untilMasterIsNot(slot, before);
  }

  /** Kills the master of a slot. Resolves when its replica has taken over. */
  async killMaster(slot: number): Promise<RedisServer> {
    const before = await this.masterOf(slot);
    await before.down('SIGKILL');
    await this.untilMasterIsNot(slot, before);
    return before;
  }

  /** The master of a slot stands still, until its replica has taken over. Resolves with it; `SIGCONT` is the caller's. */
  async freezeMaster(slot: number): Promise<RedisServer> {
    const before = await this.masterOf(slot);
    const replica = await this.replicaOf(before);
    before.signal('SIGSTOP');
    // Not asked of all: the one that stands still would not answer.
    await until(async () => /role:master/.test(await ask(replica, 'INFO', 'replication')), 'the replica to take over', {
      limitMs: 30_000,
      everyMs: 20,
    });
    return before;
  }

  async untilMasterIsNot(slot: number, server: RedisServer): Promise<void> {
    await until(async () => (await this.masterOf(slot).catch(() => server)) !== server, 'another master', {
      limitMs: 30_000,
      everyMs: 20,
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.stop()));
  }

  async #otherMaster(source: RedisServer): Promise<RedisServer> {
    for (const range of RANGES) {
      const master = await this.masterOf(Number.parseInt(range, 10));
      if (master !== source) return master;
    }
    throw new Error('there is one master only');
  }

  #idOf(node: RedisServer): string {
    return (this.#places[this.nodes.indexOf(node)] as Place).id;
  }
}

function migrate(target: RedisServer, keys: readonly (string | Buffer)[]): [string, ...Argument[]] {
  return ['MIGRATE', '127.0.0.1', target.port, '', 0, 5000, 'KEYS', ...keys];
}

function holds(range: string, slot: number): boolean {
  const [first = Number.NaN, last = first] = range.split('-').map(Number);
  return slot >= first && slot <= last;
}

function configurationOf(places: readonly Place[], own: number): string {
  const lines = places.map(({ id, port, busPort, masterIndex }, index) => {
    const role = masterIndex === undefined ? 'master' : 'slave';
    const flags = index === own ? `myself,${role}` : role;
    const master = masterIndex === undefined ? '-' : (places[masterIndex] as Place).id;
    const slots = masterIndex === undefined ? ` ${RANGES[index]}` : '';
    return `${id} 127.0.0.1:${port}@${busPort} ${flags} ${master} 0 0 ${(masterIndex ?? index) + 1} connected${slots}`;
  });
  return `${lines.join('\n')}\nvars currentEpoch 3 lastVoteEpoch 0\n`;
}
