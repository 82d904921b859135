import { RedisUnavailableError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import { nodeName } from '../redis/slot-map.ts';
import type { RedisNode } from '../redis/url.ts';
import { redisCli } from './redis-cli.ts';
import type { ServerSnapshot } from './snapshots.ts';

/** What one server says of itself. */
export interface ServerFacts {
  address: string;
  /** As in {@link ServerSnapshot}. */
  cli: string;
  /** For `Connection.callAt`; undefined for the server of a link without a cluster. */
  node: RedisNode | undefined;
  /** What INFO says, by name. */
  info: Map<string, string>;
  roundTripMs: number;
}

/**
 * What the Redis behind a link is and how it is set up. Of a cluster each figure is that of the master where it is worst,
 * and of the clients their sum.
 */
export async function inspectServer(link: RedisLink): Promise<ServerSnapshot> {
  return wholeServer(link.address, await readServers(link));
}

/** The same, and each master of a cluster by itself, or the one server there is. */
export async function inspectServers(link: RedisLink): Promise<{ server: ServerSnapshot; masters: ServerSnapshot[] }> {
  const servers = await readServers(link);
  return { server: wholeServer(link.address, servers), masters: servers.map(serverSnapshot) };
}

export function wholeServer(address: string, servers: readonly ServerFacts[]): ServerSnapshot {
  const snapshots = servers.map(serverSnapshot);
  const [fullest] = snapshots.toSorted((a, b) => fullness(b) - fullness(a)) as [ServerSnapshot];
  const unsafe = snapshots.find(({ evictionPolicy }) => evictionPolicy !== 'noeviction');
  const kept = (['none', 'rdb', 'aof'] as const).find(how => snapshots.some(({ persistence }) => persistence === how));
  return {
    ...fullest,
    address,
    evictionPolicy: (unsafe ?? fullest).evictionPolicy,
    persistence: kept ?? fullest.persistence,
    clientCount: snapshots.reduce((sum, { clientCount }) => sum + clientCount, 0),
    uptimeMs: Math.min(...snapshots.map(({ uptimeMs }) => uptimeMs)),
    roundTripMs: Math.max(...snapshots.map(({ roundTripMs }) => roundTripMs)),
  };
}

/** Without a limit the larger is the fuller, but never fuller than one with a limit. */
function fullness({ usedMemoryBytes, maxMemoryBytes }: ServerSnapshot): number {
  return maxMemoryBytes === null ? -1 / usedMemoryBytes : usedMemoryBytes / maxMemoryBytes;
}

/**
 * The facts of every master of a cluster that answers, or of the one server there is. Two round trips: one to time it.
 * @throws RedisUnavailableError when none answers; RedisDeniedError.
 */
export async function readServers(link: RedisLink): Promise<ServerFacts[]> {
  const masters = link.commands.masters();
  const answers = await Promise.allSettled(masters.map(node => readServer(link, node)));
  const facts = answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []));
  const failure = answers.find(answer => answer.status === 'rejected')?.reason;
  // A master that is down shows in the state of the cluster.
  if (failure && !(failure instanceof RedisUnavailableError)) throw failure;
  if (facts.length === 0) throw failure ?? new RedisUnavailableError(`no server of ${link.address} is known`);
  return facts;
}

async function readServer(link: RedisLink, node: RedisNode | undefined): Promise<ServerFacts> {
  const sentAtMs = link.clock.monotonicMs();
  await link.commands.callAt(node, 'PING');
  const roundTripMs = link.clock.monotonicMs() - sentAtMs;
  const info = new Map<string, string>();
  for (const line of String(await link.commands.callAt(node, 'INFO')).split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) info.set(line.slice(0, colon), line.slice(colon + 1));
  }
  const address = node ? nodeName(node) : link.address;
  return { address, cli: redisCli(link.address, node), node, info, roundTripMs };
}

export function serverSnapshot({ address, cli, info, roundTripMs }: ServerFacts): ServerSnapshot {
  const number = (name: string) => Number(info.get(name) ?? 0);
  return {
    address,
    cli,
    version: info.get('valkey_version') ?? info.get('redis_version') ?? 'unknown',
    mode: info.get('redis_mode') ?? 'standalone',
    role: info.get('role') ?? 'master',
    usedMemoryBytes: number('used_memory'),
    maxMemoryBytes: number('maxmemory') || null,
    evictionPolicy: info.get('maxmemory_policy') ?? 'unknown',
    // INFO does not say whether snapshots are scheduled; a snapshot that was ever taken since the start is what it shows.
    persistence: info.get('aof_enabled') === '1' ? 'aof' : number('rdb_saves') > 0 ? 'rdb' : 'none',
    clientCount: number('connected_clients'),
    uptimeMs: number('uptime_in_seconds') * 1000,
    roundTripMs,
  };
}
