/** Everything under a prefix of keys, to compare before and after. */
import type { RedisLink } from '../../src/engine/redis/link.ts';

/** How each type is read whole, and whether its order means nothing. */
const READS: Record<string, readonly [unordered: boolean, command: string, ...args: (string | number)[]]> = {
  string: [false, 'GET'],
  hash: [false, 'HGETALL'],
  set: [true, 'SMEMBERS'],
  zset: [false, 'ZRANGE', 0, -1, 'WITHSCORES'],
  list: [false, 'LRANGE', 0, -1],
  stream: [false, 'XRANGE', '-', '+'],
};

/** Type and value of each key by name. Fields of hashes that `leaveOut` names are left out. */
export async function dumpKeys(
  link: RedisLink,
  base: string,
  leaveOut: readonly string[] = [],
): Promise<Map<string, unknown>> {
  const dump = new Map<string, unknown>();
  for await (const names of link.commands.scanKeys(`${base}*`)) {
    const read = async (name: Buffer) => {
      const type = String(await link.commands.call('TYPE', name));
      const [unordered, command, ...args] = READS[type] ?? [false, 'DUMP'];
      const value = plain(await link.commands.call(command, name, ...args));
      if (unordered) (value as unknown[]).sort();
      if (type === 'hash') for (const field of leaveOut) delete (value as Record<string, unknown>)[field];
      dump.set(name.toString('latin1'), { type, value });
    };
    await Promise.all(names.map(read));
  }
  return dump;
}

function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

/** Commands of one name that the server has carried out since its start, e.g. `evalsha`. */
export async function commandCount(link: RedisLink, command: string): Promise<number> {
  const info = String(await link.commands.call('INFO', 'commandstats'));
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}
