/**
 * What must hold in a shard at any moment: count = queued + owned = records; each key in exactly one place, and its record
 * agrees; no token above the high-water; a set of a worker that is no member only while a reap is due; no unknown key.
 */
import { decodeText } from '../../src/engine/core/text.ts';
import type { RedisLink } from '../../src/engine/redis/link.ts';

export async function findViolations(link: RedisLink, pool: string, shard = 0): Promise<string[]> {
  const keys = link.keys.pool(pool, shard);
  const call = (command: string, ...args: (string | number | Buffer)[]) => link.commands.call(command, ...args);
  const texts = async (command: string, ...args: (string | number)[]) =>
    ((await call(command, ...args)) as Buffer[]).map(decodeText);
  const violations: string[] = [];
  if ((await call('EXISTS', keys.config)) === 0) return violations;
  const [count, queued, token] = ((await call('HMGET', keys.config, 'count', 'queued', 'token')) as Buffer[]).map(
    Number,
  );
  const members = new Set(await texts('ZRANGE', keys.members, 0, -1));
  const all = (await scanKeys(link, `${escapeGlob(keys.base)}:*`)).map(decodeText);
  const place = new Map<string, string>();
  const put = (key: string, where: string) => {
    if (place.has(key)) violations.push(`${key} is in ${place.get(key)} and in ${where}`);
    place.set(key, where);
  };
  let waiting = 0;
  for (const group of await texts('SMEMBERS', keys.groups)) {
    for (const key of await texts('ZRANGE', keys.pending(group), 0, -1)) {
      put(key, `pending:${group}`);
      waiting++;
    }
  }
  for (const name of all.filter(name => name.startsWith(keys.ownedPrefix))) {
    const worker = name.slice(keys.ownedPrefix.length);
    if (!members.has(worker)) violations.push(`jobs are recorded to ${worker}, which is no member`);
    for (const key of await texts('SMEMBERS', name)) put(key, `own:${worker}`);
  }
  const records = all.filter(name => name.startsWith(keys.jobPrefix));
  for (const name of records) {
    const key = name.slice(keys.jobPrefix.length);
    const fields = (await call('HMGET', name, 'state', 'worker', 'token', 'group')) as (Buffer | null)[];
    const [state, worker, jobToken, group] = fields.map(field => (field === null ? '' : String(field)));
    const expected = state === 'pending' ? `pending:${group}` : `own:${worker}`;
    if (place.get(key) !== expected) violations.push(`${key} is ${state} of ${expected} but in ${place.get(key)}`);
    if (Number(jobToken) > (token ?? 0)) violations.push(`${key} has token ${jobToken}, above ${token}`);
    place.delete(key);
  }
  for (const [key, where] of place) violations.push(`${key} is in ${where} and has no record`);
  if (records.length !== count) violations.push(`count is ${count}, records are ${records.length}`);
  if (waiting !== queued) violations.push(`queued is ${queued}, waiting are ${waiting}`);
  const dead = new Set(await texts('ZRANGE', keys.dead, 0, -1));
  for (const name of all.filter(name => name.startsWith(keys.deadJobPrefix))) {
    if (!dead.has(name.slice(keys.deadJobPrefix.length))) violations.push(`${name} is not in the dead set`);
  }
  const known = [
    keys.config,
    keys.members,
    keys.memberInfo,
    keys.groups,
    keys.dead,
    keys.ledger,
    keys.jobPrefix,
    keys.ownedPrefix,
    keys.pendingPrefix,
    keys.dispatchPrefix,
    keys.deadJobPrefix,
  ];
  for (const name of all) {
    const notesOf = name.startsWith(keys.notesPrefix) ? name.slice(keys.notesPrefix.length) : undefined;
    if (notesOf !== undefined) {
      if (!records.includes(`${keys.jobPrefix}${notesOf}`)) violations.push(`${name} has no job`);
    } else if (!known.some(prefix => (prefix.endsWith(':') ? name.startsWith(prefix) : name === prefix))) {
      violations.push(`${name} has no role`);
    }
  }
  return violations;
}

async function scanKeys(link: RedisLink, pattern: string): Promise<Buffer[]> {
  const found = new Map<string, Buffer>();
  for (let cursor = '0'; ; ) {
    const reply = await link.commands.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000);
    const [next, keys] = reply as [Buffer, Buffer[]];
    for (const key of keys) found.set(key.toString('latin1'), key);
    cursor = String(next);
    if (cursor === '0') return [...found.values()];
  }
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}
