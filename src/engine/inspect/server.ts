import type { RedisLink } from '../redis/link.ts';
import type { ServerSnapshot } from './snapshots.ts';

/** What the Redis behind a link is and how it is set up. One round trip for the facts, one to time it. */
export async function inspectServer(link: RedisLink): Promise<ServerSnapshot> {
  const sentAtMs = link.clock.monotonicMs();
  await link.commands.call('PING');
  const roundTripMs = link.clock.monotonicMs() - sentAtMs;
  const facts = await readInfo(link);
  const number = (name: string) => Number(facts.get(name) ?? 0);
  return {
    address: link.address,
    version: facts.get('valkey_version') ?? facts.get('redis_version') ?? 'unknown',
    mode: facts.get('redis_mode') ?? 'standalone',
    role: facts.get('role') ?? 'master',
    usedMemoryBytes: number('used_memory'),
    maxMemoryBytes: number('maxmemory') || null,
    evictionPolicy: facts.get('maxmemory_policy') ?? 'unknown',
    // INFO does not say whether snapshots are scheduled; a snapshot that was ever taken since the start is what it shows.
    persistence: facts.get('aof_enabled') === '1' ? 'aof' : number('rdb_saves') > 0 ? 'rdb' : 'none',
    clientCount: number('connected_clients'),
    uptimeMs: number('uptime_in_seconds') * 1000,
    roundTripMs,
  };
}

/** What INFO says, by name. */
export async function readInfo(link: RedisLink): Promise<Map<string, string>> {
  const info = String(await link.commands.call('INFO'));
  const facts = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) facts.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return facts;
}
