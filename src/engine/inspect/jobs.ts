import { NotFoundError } from '../core/errors.ts';
import { storedCount } from '../core/stored.ts';
import { decodeText } from '../core/text.ts';
import { hash64, shardIndex } from '../pool/hash.ts';
import { jobKeyBytes } from '../pool/job-key.ts';
import { parseTerms } from '../pool/terms.ts';
import type { KeyBytes } from '../redis/keys.ts';
import type { RedisLink } from '../redis/link.ts';
import { toBlob } from './blob.ts';
import { listHistory } from './ledger.ts';
import { type PoolReading, requirePool } from './pool-reading.ts';
import type { JobDetail, JobKey, JobSnapshot, JobState } from './snapshots.ts';

export interface JobFilter {
  state?: JobState | undefined;
  worker?: string | undefined;
  group?: string | undefined;
  /** Of dead jobs, those that died before that. */
  diedBeforeMs?: number | undefined;
  /** At most so many. */
  limit?: number | undefined;
}

const SCAN_COUNT = 1000;
const READ_AT_ONCE = 500;
const HISTORY_COUNT = 50;
const FIELDS = [
  'state',
  'worker',
  'group',
  'token',
  'attempt',
  'terms',
  'dispatched-at',
  'started-at',
  'not-before',
  'error',
  'died-at',
  'stable-at',
] as const;

/** Keys of all jobs that are not dead, in order, without reading their records. @throws NotFoundError */
export async function listJobKeys(link: RedisLink, pool: string): Promise<JobKey[]> {
  return collectKeys(link, await requirePool(link, pool), {});
}

/** Records of the keys that still exist, dead jobs not included. */
export async function readJobs(link: RedisLink, pool: string, keys: readonly string[]): Promise<JobSnapshot[]> {
  const { clocksUs } = await requirePool(link, pool);
  return readRecords(link, pool, keys, clocksUs, 'live');
}

/**
 * Jobs by key. Dead ones only when asked for by `state`.
 * @throws NotFoundError
 */
export async function listJobs(link: RedisLink, pool: string, filter: JobFilter = {}): Promise<JobSnapshot[]> {
  const { limit = Number.POSITIVE_INFINITY } = filter;
  const jobs: JobSnapshot[] = [];
  for await (const job of eachJob(link, pool, filter)) {
    if (jobs.length >= limit) break;
    jobs.push(job);
  }
  return jobs;
}

/** As `listJobs`, one after the other: only a page of records is held. @throws NotFoundError */
export async function* eachJob(link: RedisLink, pool: string, filter: JobFilter): AsyncGenerator<JobSnapshot> {
  const reading = await requirePool(link, pool);
  const { state, worker, group, diedBeforeMs } = filter;
  const keys =
    state === 'DEAD' ? await deadKeys(link, reading) : (await collectKeys(link, reading, filter)).map(({ key }) => key);
  for (let at = 0; at < keys.length; at += READ_AT_ONCE) {
    const page = keys.slice(at, at + READ_AT_ONCE);
    for (const job of await readRecords(link, pool, page, reading.clocksUs, state === 'DEAD' ? 'dead' : 'live')) {
      const wanted =
        (state === undefined || job.state === state) &&
        (worker === undefined || job.worker === worker) &&
        (group === undefined || job.group === group) &&
        (diedBeforeMs === undefined || (job.diedAtMs !== null && job.diedAtMs < diedBeforeMs));
      if (wanted) yield job;
    }
  }
}

/**
 * One job with its payload, cut to `shownBytes`, and what the ledger still says of it; a dead one when no other has the key.
 * @throws NotFoundError
 */
export async function showJob(
  link: RedisLink,
  pool: string,
  key: string,
  { shownBytes }: { shownBytes?: number | undefined } = {},
): Promise<JobDetail> {
  const { clocksUs } = await requirePool(link, pool);
  const bytes = jobKeyBytes(key);
  const shard = shardIndex(hash64(bytes), clocksUs.length);
  const keys = link.keys.pool(pool, shard);
  for (const [kind, record] of [
    ['live', keys.job(bytes)],
    ['dead', keys.deadJob(bytes)],
  ] as const) {
    const [job] = await readRecords(link, pool, [key], clocksUs, kind);
    if (!job) continue;
    const [[payload], history] = (await Promise.all([
      link.commands.call('HMGET', record, 'payload'),
      listHistory(link, pool, shard, key, HISTORY_COUNT),
    ])) as [[Buffer | null], JobDetail['history']];
    return { ...job, payload: toBlob(payload ?? Buffer.alloc(0), shownBytes), history };
  }
  throw new NotFoundError('job', key, { hint: `"ponos job list --pool ${pool}" shows those that exist.` });
}

/** In order. */
export async function collectKeys(link: RedisLink, reading: PoolReading, filter: JobFilter): Promise<JobKey[]> {
  const { name, members, groups, shardCount } = reading;
  const found = new Map<string, string | null>();
  const queued = filter.worker === undefined && (filter.state === undefined || filter.state === 'PENDING');
  const owned = filter.state !== 'PENDING';
  const waits = groups.filter(group => queued && (filter.group === undefined || filter.group === group));
  const owners = members.filter(({ id }) => owned && (filter.worker === undefined || filter.worker === id));
  for (let shard = 0; shard < shardCount; shard++) {
    const keys = link.keys.pool(name, shard);
    for (const group of waits) {
      for await (const key of scan(link, 'ZSCAN', keys.pending(group))) found.set(key, null);
    }
    for (const { id } of owners) for await (const key of scan(link, 'SSCAN', keys.owned(id))) found.set(key, id);
  }
  return [...found].map(([key, worker]) => ({ key, worker })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function deadKeys(link: RedisLink, { name, shardCount }: PoolReading): Promise<string[]> {
  const found = new Set<string>();
  for (let shard = 0; shard < shardCount; shard++) {
    for await (const key of scan(link, 'ZSCAN', link.keys.pool(name, shard).dead)) found.add(key);
  }
  return [...found].sort();
}

async function* scan(link: RedisLink, command: 'SSCAN' | 'ZSCAN', key: string): AsyncGenerator<string> {
  const step = command === 'ZSCAN' ? 2 : 1;
  for (let cursor = '0'; ; ) {
    const [next, items] = (await link.commands.call(command, key, cursor, 'COUNT', SCAN_COUNT)) as [Buffer, Buffer[]];
    for (let i = 0; i < items.length; i += step) yield decodeText(items[i] as Buffer);
    cursor = String(next);
    if (cursor === '0') return;
  }
}

/** Records of the keys that have one. `clocksUs` are the logical clocks of the shards. */
export async function readRecords(
  link: RedisLink,
  pool: string,
  keys: readonly string[],
  clocksUs: readonly number[],
  kind: 'live' | 'dead',
): Promise<JobSnapshot[]> {
  const records = clocksUs.map((_, shard) => link.keys.pool(pool, shard)[kind === 'live' ? 'job' : 'deadJob']);
  const rows = await Promise.all(
    keys.map(async key => {
      const bytes = jobKeyBytes(key);
      const shard = shardIndex(hash64(bytes), clocksUs.length);
      const fields = await link.commands.call(
        'HMGET',
        (records[shard] as (key: KeyBytes) => KeyBytes)(bytes),
        ...FIELDS,
      );
      return toSnapshot(pool, key, fields as (Buffer | null)[], clocksUs[shard] ?? 0);
    }),
  );
  return rows.filter(row => row !== undefined);
}

function toSnapshot(pool: string, key: string, row: (Buffer | null)[], nowUs: number): JobSnapshot | undefined {
  const [state, worker, group, token, attempt, termsText, dispatchedAt, startedAt, notBefore, error, diedAt, stableAt] =
    row;
  if (!state) return undefined;
  const terms = parseTerms(String(termsText ?? ''));
  const number = (value: Buffer | null | undefined) => storedCount(value, 0);
  return {
    key,
    pool,
    state: String(state).toUpperCase() as JobState,
    worker: worker && worker.length > 0 ? String(worker) : null,
    group: String(group ?? ''),
    token: number(token),
    attempt: number(attempt),
    maxAttempts: terms.attempts,
    dispatchedAtMs: number(dispatchedAt),
    startedAtMs: startedAt ? number(startedAt) : null,
    diedAtMs: diedAt ? number(diedAt) : null,
    kind: kindOf(String(state), stableAt),
    delayLeftMs: String(state) === 'pending' ? Math.max(0, Math.round((number(notBefore) - nowUs) / 1000)) : 0,
    payloadBytes: terms.payloadBytes,
    error: error ? decodeText(error) : null,
  };
}

/** The attempts of a service are forgotten after a while, those of a task never. */
function kindOf(state: string, stableAt: Buffer | null | undefined): JobSnapshot['kind'] {
  if (stableAt) return 'service';
  return state === 'running' ? 'task' : null;
}
