/** The servers that a scenario plays on. */
import { RedisServer } from '../../support/redis.ts';
import { ClusterServers } from '../../support/topology/cluster.ts';
import { ReplicatedPair } from '../../support/topology/pair.ts';
import { Sentinels } from '../../support/topology/sentinels.ts';

export type ServersKind = 'one' | 'pair' | 'sentinels' | 'cluster';

export interface Servers {
  readonly url: string;
  readonly one?: RedisServer;
  readonly pair?: ReplicatedPair;
  readonly sentinels?: Sentinels;
  readonly cluster?: ClusterServers;
  stop(): Promise<void>;
}

export async function startServers(
  kind: ServersKind,
  options: { args: string[]; env: Record<string, string> },
): Promise<Servers> {
  if (kind === 'pair') return named('pair', await ReplicatedPair.start());
  if (kind === 'sentinels') return named('sentinels', await Sentinels.start());
  if (kind === 'cluster') return named('cluster', await ClusterServers.start());
  return named('one', await RedisServer.start(options));
}

function named<T extends { url: string; stop(): Promise<void> }>(name: ServersKind, servers: T): Servers {
  return { url: servers.url, [name]: servers, stop: () => servers.stop() };
}
