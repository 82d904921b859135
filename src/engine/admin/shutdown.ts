/** Ends everything a pool does, in good order: no new jobs, then none at all. The pool itself and its workers stay. */
import { QuarantineError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { checkName } from '../core/names.ts';
import { listJobKeys, listJobs } from '../inspect/jobs.ts';
import type { JobSnapshot } from '../inspect/snapshots.ts';
import { DEFAULT_GROUP } from '../pool/routes.ts';
import type { StopReply } from '../pool/scripts.gen.ts';
import { Shard } from '../pool/shard.ts';
import type { RedisLink } from '../redis/link.ts';
import { actInBatches } from './batches.ts';
import { lookUntil, type WaitForOptions } from './fleet.ts';

const REAP_BATCH = 100;

/** Refuses new jobs from here on; those that are there go on. Legal more than once. @throws NotFoundError */
export async function closePool(link: RedisLink, pool: string): Promise<void> {
  for (const shard of await Shard.findAll(link, checkName('pool', pool))) await shard.gate(false);
}

/** Admits jobs again. Legal more than once. @throws NotFoundError */
export async function openPool(link: RedisLink, pool: string): Promise<void> {
  for (const shard of await Shard.findAll(link, checkName('pool', pool))) await shard.gate(true);
}

/**
 * Closes the pool and stops every job: one that waits is gone at once, the worker of another is told and the request
 * survives its crash; one whose worker is dead ends when the lease is over. Gives what had not stopped when the time was
 * over; it still will, unless no worker is left: then it waits for another shutdown. Should Redis lose something meanwhile
 * the pool is closed again, and whatever comes back is asked again; it is not over before the quarantine is.
 * @throws NotFoundError; QuarantineError when the time was over and nobody can say yet what there is.
 */
export async function shutDownPool(
  link: RedisLink,
  pool: string,
  { timeoutMs, onProgress }: WaitForOptions<number>,
): Promise<JobSnapshot[]> {
  const shards = await Shard.findAll(link, checkName('pool', pool));
  const asked = new Set<string>();
  let lossCount = 0;
  for (const shard of shards) shard.events.on('lost', () => lossCount++);
  let losses = 0;
  const look = async () => {
    let unsureMs = 0;
    for (const shard of shards) {
      // Each time: what Redis lost may be that it is closed. In quarantine nobody comes in before that.
      await shard.gate(false);
      unsureMs = Math.max(unsureMs, (await shard.members('', DEFAULT_GROUP, 0)).quarantine_ms);
    }
    // What was asked before a loss may be forgotten.
    if (losses !== lossCount) asked.clear();
    losses = lossCount;
    await Promise.all(shards.map(takeOver));
    const keys = (await listJobKeys(link, pool)).map(({ key }) => key);
    // Some may come late: dispatched just before, or on their way from one place to another.
    const others = keys.filter(key => !asked.has(key));
    for (const key of await stopJobs(link, pool, shards, others)) asked.add(key);
    return { count: keys.length, unsureMs };
  };
  const seen = await lookUntil(
    link,
    { timeoutMs, onProgress: ({ count }) => onProgress?.(count) },
    look,
    ({ count, unsureMs }) => count === 0 && unsureMs === 0,
  );
  const left = await listJobs(link, pool);
  if (left.length === 0 && seen.unsureMs > 0) throw new QuarantineError(pool, seen.unsureMs);
  return left;
}

/** What dead workers had: where none is left alive nobody else does it, nor moves the clock by which their leases end. */
async function takeOver(shard: Shard): Promise<void> {
  for (let more = true; more; ) {
    const reply = await shard.reap(REAP_BATCH, Math.random());
    more = reply.status === 'REAPED' && reply.more === 1;
  }
}

/** Gives the keys of those that have ended, or whose end is recorded as asked for. */
async function stopJobs(
  link: RedisLink,
  pool: string,
  shards: readonly Shard[],
  keys: readonly string[],
): Promise<string[]> {
  const asked: string[] = [];
  await actInBatches(
    link,
    pool,
    keys.map(key => ({ key })),
    (shard, batch) => Promise.all(batch.map(({ bytes }) => shard.stop(newId(), bytes, ''))),
    (batch, replies: readonly StopReply[]) => {
      for (const [at, { key }] of batch.entries()) {
        const { status } = replies[at] as StopReply;
        if (status === 'STOPPED' || status === 'STOPPING') asked.push(key);
      }
    },
    shards,
  );
  return asked;
}
