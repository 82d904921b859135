/** Makes and changes the schedules of a pool, from any process. A schedule lives in the shard of its job's key. */
import { NotFoundError } from '../core/errors.ts';
import { checkName, checkSize } from '../core/names.ts';
import { resolveOptions } from '../core/options.ts';
import { shardIndex } from '../pool/hash.ts';
import { jobKeyForm } from '../pool/job-key.ts';
import { clientOptions } from '../pool/options.ts';
import { scheduleOptions } from '../pool/schedules/options.ts';
import type { Schedule } from '../pool/schedules/record.ts';
import { nameTaken, ScheduleStore } from '../pool/schedules/store.ts';
import { splitTiming } from '../pool/schedules/ticks.ts';
import { Shard } from '../pool/shard.ts';
import type { RedisLink } from '../redis/link.ts';

/** `unchanged`: it was there, the same. */
export type AddOutcome = 'created' | 'replaced' | 'unchanged';

const OUTCOMES = { CREATED: 'created', REPLACED: 'replaced', EXISTS: 'unchanged' } as const;

/**
 * Makes a schedule. The same again changes nothing. With `replace` it takes the place of another one of that name, and
 * stays paused if that was.
 * @throws NotFoundError unless the pool exists; ConflictError SCHEDULE_EXISTS; OptionError, ArgumentError, TooLargeError.
 */
export async function addSchedule(
  link: RedisLink,
  pool: string,
  name: string,
  schedule: Schedule,
  options: { replace?: boolean } = {},
): Promise<AddOutcome> {
  const { specification, home, elsewhere } = await locate(link, pool, name, schedule);
  const { replace = false } = options;
  if (elsewhere.length > 0 && !replace) throw nameTaken(name);
  const status = await home.put(name, specification, replace);
  if (status === 'CONFLICT') throw nameTaken(name);
  for (const store of elsewhere) await store.remove(name);
  return elsewhere.length > 0 ? 'replaced' : OUTCOMES[status];
}

/**
 * What `addSchedule` would do; it only reads.
 * @throws as `addSchedule`
 */
export async function checkSchedule(
  link: RedisLink,
  pool: string,
  name: string,
  schedule: Schedule,
  { replace = false }: { replace?: boolean } = {},
): Promise<AddOutcome> {
  const { specification, home, elsewhere } = await locate(link, pool, name, schedule);
  const found = elsewhere.length > 0 ? 'OTHER' : await home.compare(name, specification);
  if (found === 'OTHER' && !replace) throw nameTaken(name);
  return found === 'OTHER' ? 'replaced' : found === 'SAME' ? 'unchanged' : 'created';
}

/** What a schedule is made of, the shard it belongs to, and others that have one of its name. */
async function locate(link: RedisLink, pool: string, name: string, schedule: Schedule) {
  const { key, payload = '', ...input } = schedule;
  const [timing, rest] = splitTiming(input);
  const settings = resolveOptions('schedule', scheduleOptions, rest);
  const { bytes, hash } = jobKeyForm(key);
  checkSize('PAYLOAD', payload, clientOptions.maxPayloadBytes.default);
  const stores = await storesOf(link, pool, name);
  const home = stores[shardIndex(hash, stores.length)] as ScheduleStore;
  const elsewhere: ScheduleStore[] = [];
  for (const store of stores) if (store !== home && (await store.read(name)).record) elsewhere.push(store);
  return { specification: { timing, settings, job: { key: bytes, payload } }, home, elsewhere };
}

/** Ticks come up no more until it is resumed. @throws NotFoundError */
export async function pauseSchedule(link: RedisLink, pool: string, name: string): Promise<void> {
  await onEach(link, pool, name, store => store.pause(name));
}

/** Goes on with the first tick from now on; those of the pause are nobody's. @throws NotFoundError */
export async function resumeSchedule(link: RedisLink, pool: string, name: string): Promise<void> {
  await onEach(link, pool, name, store => store.resume(name));
}

/** What it dispatched stays. A ticker comes back when a node opens it. @throws NotFoundError */
export async function removeSchedule(link: RedisLink, pool: string, name: string): Promise<void> {
  await onEach(link, pool, name, store => store.remove(name));
}

async function onEach(
  link: RedisLink,
  pool: string,
  name: string,
  act: (store: ScheduleStore) => Promise<string>,
): Promise<void> {
  const statuses = await Promise.all((await storesOf(link, pool, name)).map(act));
  if (statuses.every(status => status === 'ABSENT')) {
    throw new NotFoundError('schedule', name, { hint: `"ponos schedule list --pool ${pool}" shows those that exist.` });
  }
}

async function storesOf(link: RedisLink, pool: string, name: string): Promise<ScheduleStore[]> {
  checkName('schedule', name);
  return (await Shard.findAll(link, checkName('pool', pool))).map(shard => new ScheduleStore(shard));
}
