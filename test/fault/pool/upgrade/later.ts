/** Makes of the sources of a release those of a later one: it speaks one more version, and adds what such a one may add. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listJobs } from '../../../../src/engine/inspect/jobs.ts';
import { listLedger } from '../../../../src/engine/inspect/ledger.ts';
import type { RedisLink } from '../../../../src/engine/redis/link.ts';

/** In a file of the pool, what stands there and what stands there later. */
const ADDITIONS: readonly [file: string, now: string, later: string][] = [
  ['protocol.ts', 'newest: 1 }', 'newest: 2 }'],
  // Fields of records: of a job, a member, the settings; in what a worker says of itself.
  ['lua/_admit.lua', "'payload', wanted.payload)", "'payload', wanted.payload, 'later', 'more')"],
  ['lua/register.lua', "'mail:' .. worker, mail)", "'mail:' .. worker, mail, 'later:' .. worker, 'more')"],
  ['lua/register.lua', "save('epoch', shard.epoch)", "save('epoch', shard.epoch, 'later', 'more')"],
  ['shard-worker.ts', 'JSON.stringify(info)', "JSON.stringify({ ...info, later: { more: ['more'] } })"],
  // Words at the end: of the terms of a job, which every assignment carries, of hints and of replies.
  ['terms.ts', ': words;', ": words + ' later';"],
  ['lua/_mail.lua', "rest .. '\\n'", "rest .. ' later\\n'"],
  ['lua/_end.lua', "token .. '\\n'", "token .. ' later\\n'"],
  ['lua/started.lua', "token .. '\\n'", "token .. ' later\\n'"],
  // Kinds: of events, hints, replies and entries of the ledger, which have a field more, too.
  [
    'lua/register.lua',
    "log('joined'",
    "redis.call('SPUBLISH', events, 'later 1')\nlog('later', '', worker, '', '')\nlog('joined'",
  ],
  ['lua/stop.lua', "mail(job.worker, 'stop'", "mail(job.worker, 'later', 'more', 'more')\nmail(job.worker, 'stop'"],
  [
    'lua/_end.lua',
    'if id then tell(node, outcome',
    "if id then tell(node, 'later', id, job.worker, job.token, 'more') end\n    if id then tell(node, outcome",
  ],
  ['lua/_ledger.lua', "'detail', detail)", "'detail', detail, 'later', 'more')"],
];

/** @throws when the sources do not say what they did when this was written. */
export async function makeLater(sources: string): Promise<void> {
  for (const [name, now, later] of ADDITIONS) {
    const file = join(sources, 'src', 'engine', 'pool', name);
    const text = await readFile(file, 'utf8');
    if (!text.includes(now)) throw new Error(`${name} no longer has what a later release changes: ${now}`);
    await writeFile(file, text.replaceAll(now, later));
  }
}

/** How much of it stands in a pool. */
export async function countAdditions(
  link: RedisLink,
  pool: string,
): Promise<{ addedFields: number; addedEntries: number }> {
  const keys = link.keys.pool(pool);
  const jobs = (await listJobs(link, pool, { limit: 10_000 })).map(({ key }) => keys.job(key));
  const holders = [...jobs, keys.config];
  const found = await Promise.all(holders.map(name => link.commands.call('HEXISTS', name, 'later')));
  const entries = await listLedger(link, pool, { count: 10_000 });
  return {
    addedFields: found.filter(Boolean).length,
    addedEntries: entries.filter(({ type }) => type === 'later').length,
  };
}
