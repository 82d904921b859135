/** A shard to call scripts on, without workers: what the scripts do alone. */

import { byteLength } from '../../src/engine/core/bytes.ts';
import { resolveOptions } from '../../src/engine/core/options.ts';
import type { WorkerInfo } from '../../src/engine/pool/membership.ts';
import type { LeaseTerms } from '../../src/engine/pool/options.ts';
import { scheduleOptions } from '../../src/engine/pool/schedules/options.ts';
import { ScheduleStore } from '../../src/engine/pool/schedules/store.ts';
import { type DispatchRequest, Shard } from '../../src/engine/pool/shard.ts';
import type { Worker } from '../../src/engine/pool/worker.ts';
import type { RedisLink } from '../../src/engine/redis/link.ts';

export type WorkerId = Worker['id'];

/** So long that it ends only when a test says so. */
export const LONG_LEASE: LeaseTerms = {
  leaseMs: 600_000,
  marginMs: 1000,
  graceMs: 60_000,
  clampMs: 1000,
  stopBudgetMs: 1000,
};

export const WORKER_INFO: WorkerInfo = {
  group: 'default',
  capacity: 100,
  weight: 1,
  node: 'n',
  host: 'h',
  pid: 1,
  version: '',
  startedAtMs: 0,
};

export function openShard(link: RedisLink, pool: string, limit = 100): Promise<Shard> {
  return Shard.open(link, pool, 0, {
    create: true,
    lease: LONG_LEASE,
    limit,
    shards: undefined,
    defaults: { limit, shards: 1, ledgerLength: 1000, deadLimit: 3 },
  });
}

export function joinWorker(shard: Shard, id: WorkerId, incarnation = 1, node = 'n', token = 0) {
  return shard.register(id, node, incarnation, JSON.stringify(WORKER_INFO), token);
}

/** One that is due in an hour, `hourly`, one that is `paused`, and a `ticker`. */
export async function putSchedules(shard: Shard): Promise<void> {
  const store = new ScheduleStore(shard);
  const settings = resolveOptions('schedule', scheduleOptions, {});
  const hourly = { timing: { everyMs: 3_600_000 }, settings, job: { key: 'k', payload: '' } };
  for (const name of ['hourly', 'paused']) await store.put(name, hourly, false);
  await store.pause('paused');
  await store.put('ticker', { ...hourly, job: undefined }, false);
}

export async function epochOf(shard: Shard): Promise<number> {
  return (await shard.members('', 'default', 0)).epoch;
}

export function request(key: string, more: Partial<DispatchRequest> = {}): DispatchRequest {
  const { payload = 'p' } = more;
  return {
    id: `id-${key}`,
    key,
    payload,
    payloadBytes: byteLength(payload),
    group: 'default',
    digest: '',
    rememberMs: undefined,
    delayMs: 0,
    attempts: 3,
    backoffMs: 1000,
    backoffMaxMs: 8000,
    replyTo: '',
    keepMs: undefined,
    worker: '',
    epoch: 0,
    capacity: 100,
    ...more,
  };
}

/** The logical clock of the shard goes on. */
export async function passTime(link: RedisLink, pool: string, ms: number): Promise<void> {
  const keys = link.keys.pool(pool);
  const [clock] = (await link.commands.call('HMGET', keys.config, 'clock')) as [Buffer];
  await link.commands.call('HSET', keys.config, 'clock', String(Number(String(clock)) + ms * 1000));
}
