import { NotFoundError } from '../core/errors.ts';
import { checkName } from '../core/names.ts';
import { storedCount } from '../core/stored.ts';
import { decodeText } from '../core/text.ts';
import { shardCountOf } from '../pool/options.ts';
import { parseTerms } from '../pool/terms.ts';
import type { RedisLink } from '../redis/link.ts';
import { toBlob } from './blob.ts';
import type { ScheduleDetail, ScheduleSnapshot } from './snapshots.ts';

const FIELDS = [
  'revision',
  'paused',
  'next',
  'cron',
  'time-zone',
  'every',
  'anchor',
  'misfire',
  'max-misfires',
  'tolerance',
  'key',
  'terms',
  'last-tick',
  'fired',
  'occupied',
  'misfires',
  'failures',
  'error',
  'failed-at',
  'holder',
  'created-at',
] as const;

type Row = Readonly<Record<(typeof FIELDS)[number], Buffer | null>>;

/** Schedules and tickers of a pool, by name. @throws NotFoundError when there is no such pool. */
export async function listSchedules(link: RedisLink, pool: string): Promise<ScheduleSnapshot[]> {
  const found: ScheduleSnapshot[] = [];
  for (let shard = 0, count = await shardCount(link, pool); shard < count; shard++) {
    const keys = link.keys.pool(pool, shard);
    const names = (await link.commands.call('ZRANGE', keys.schedules, 0, -1)) as Buffer[];
    const rows = await Promise.all(names.map(name => read(link, pool, shard, String(name))));
    for (const row of rows) if (row) found.push(row);
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** One schedule with all of its payload. @throws NotFoundError */
export async function showSchedule(link: RedisLink, pool: string, name: string): Promise<ScheduleDetail> {
  checkName('schedule', name);
  for (let shard = 0, count = await shardCount(link, pool); shard < count; shard++) {
    const snapshot = await read(link, pool, shard, name);
    if (!snapshot) continue;
    const record = link.keys.pool(pool, shard).schedule(name);
    const [payload] = (await link.commands.call('HMGET', record, 'payload')) as [Buffer | null];
    return { ...snapshot, payload: toBlob(payload ?? Buffer.alloc(0), Number.POSITIVE_INFINITY) };
  }
  throw new NotFoundError('schedule', name, { hint: `"ponos schedule list --pool ${pool}" shows those that exist.` });
}

async function shardCount(link: RedisLink, pool: string): Promise<number> {
  const { config } = link.keys.pool(checkName('pool', pool));
  const fields = (await link.commands.call('HMGET', config, 'generation', 'shards')) as (Buffer | null)[];
  const [generation, shards] = fields;
  if (!generation) throw new NotFoundError('pool', pool, { hint: '"ponos pool list" shows those that exist.' });
  return shardCountOf(shards);
}

async function read(link: RedisLink, pool: string, shard: number, name: string): Promise<ScheduleSnapshot | undefined> {
  const record = link.keys.pool(pool, shard).schedule(name);
  const values = (await link.commands.call('HMGET', record, ...FIELDS)) as (Buffer | null)[];
  const row = Object.fromEntries(FIELDS.map((field, at) => [field, values[at] ?? null])) as Row;
  return row.revision ? toSnapshot(pool, name, row) : undefined;
}

function toSnapshot(pool: string, name: string, row: Row): ScheduleSnapshot {
  const text = (value: Buffer | null) => (value === null ? null : decodeText(value));
  const numberOrNull = (value: Buffer | null) => storedCount(value, null);
  const count = (value: Buffer | null) => numberOrNull(value) ?? 0;
  const terms = row.terms && parseTerms(String(row.terms));
  return {
    name,
    pool,
    kind: row.key ? 'job' : 'ticker',
    state: row.paused ? 'PAUSED' : row.failures ? 'FAILING' : 'ACTIVE',
    cron: text(row.cron),
    timeZone: text(row['time-zone']),
    everyMs: numberOrNull(row.every),
    startAtMs: row.every ? numberOrNull(row.anchor) : null,
    nextAtMs: numberOrNull(row.next),
    key: text(row.key),
    payloadBytes: terms ? terms.payloadBytes : 0,
    maxAttempts: terms ? terms.attempts : 0,
    misfire: text(row.misfire) ?? '',
    maxMisfires: count(row['max-misfires']),
    toleranceMs: count(row.tolerance),
    lastTickAtMs: numberOrNull(row['last-tick']),
    firedCount: count(row.fired),
    occupiedCount: count(row.occupied),
    misfireCount: count(row.misfires),
    failureCount: count(row.failures),
    error: text(row.error),
    failedAtMs: numberOrNull(row['failed-at']),
    holder: text(row.holder),
    createdAtMs: count(row['created-at']),
  };
}
