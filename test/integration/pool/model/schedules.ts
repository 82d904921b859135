/** Schedules, and several schedulers that act on what they saw last. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { resolveOptions } from '../../../../src/engine/core/options.ts';
import { scheduleOptions } from '../../../../src/engine/pool/schedules/options.ts';
import { ScheduleStore } from '../../../../src/engine/pool/schedules/store.ts';
import * as scripts from '../../../../src/engine/pool/scripts.gen.ts';
import { TERMS } from './jobs.ts';
import {
  admit,
  alive,
  CAPACITY,
  type Command,
  GROUPS,
  type Model,
  minted,
  owned,
  type Real,
  refusal,
  WORKERS,
} from './model.ts';
import {
  compare,
  EVERY_MS,
  fresh,
  listedAt,
  MAX_MISFIRES,
  type ModelSchedule,
  type ModelStep,
  moveClock,
  msOf,
  NAMES,
  nextTick,
  recordOf,
  type Seen,
  SPECIFICATIONS,
  saw,
  stepOf,
  tickOf,
} from './timeline.ts';

type Fire = { do: 'fire'; by: string; name: string; worker: string; group: string; staleEpoch: boolean };
type Step =
  | { do: 'put'; name: string; specification: number; replace: boolean }
  | { do: 'pause' | 'remove'; name: string }
  | { do: 'resume'; name: string; by: string }
  | { do: 'look'; by: string; most: number }
  | { do: 'defer'; by: string; name: string }
  | { do: 'tick'; ticks: number }
  | Fire;

/** What a scheduler that puts off a tick waits, in ticks. */
const PUT_OFF = 0.2;
/** Where a time that is a part of a tick from now is, about: it is the middle of one. */
const MIDDLE = 0.5;
/** Between two that are put off, so that their order is known. */
const APART = 1e-5;
/** Longest wait of a tick for the job of the one before. */
const MAX_WAIT_MS = 5000;
/** By which a caller may be slow. */
const SLACK_MS = 30_000;
const RANDOM = 0.9;

const name = fc.constantFrom(...NAMES);
const by = fc.constantFrom('first', 'second');
const fire = fc.record({
  do: fc.constant('fire' as const),
  by,
  name,
  worker: fc.constantFrom('', ...WORKERS),
  group: fc.constantFrom(...GROUPS),
  staleEpoch: fc.boolean(),
});
const look = fc.record({ do: fc.constant('look' as const), by, most: fc.constantFrom(1, 10, 10) });
const put = (id: string, min: number, max: number) =>
  fc.record({
    do: fc.constant('put' as const),
    name: fc.constant(id),
    specification: fc.integer({ min, max }),
    replace: fc.boolean(),
  });
const step: fc.Arbitrary<Step> = fc.oneof(
  put('s', 0, 3),
  put('t', 4, 6),
  put('t', 0, 6),
  fc.record({ do: fc.constantFrom('pause' as const, 'remove' as const), name }),
  // As who holds the record that was last seen, or the present one.
  fc.record({ do: fc.constant('resume' as const), name, by: fc.constantFrom('first', 'nobody', 'nobody') }),
  { arbitrary: look, weight: 3 },
  { arbitrary: fire, weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('defer' as const), by, name }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant('tick' as const), ticks: fc.constantFrom(1, 1, 2, 4, -1) }), weight: 2 },
);

export const scheduleCommands: fc.Arbitrary<Command> = step.map(each => ({
  step: each,
  take: (model, real) => takeSchedule(each, model, real),
}));

export async function takeSchedule(each: Step, model: Model, real: Real): Promise<void> {
  if (each.do === 'look') return lookAt(each, model, real);
  if (each.do === 'tick') {
    const { now, furthest } = real.memory.timeline;
    // Put back by more than an hour, what was put off would wait too long.
    if (now + each.ticks >= furthest - 2) await moveClock(real, each.ticks);
    return;
  }
  await change(each, model, real);
  await compare(model, real, each.name);
}

async function change(each: Exclude<Step, { do: 'look' | 'tick' }>, model: Model, real: Real): Promise<void> {
  const store = new ScheduleStore(real.shard);
  const schedule = model.schedules.get(each.name);
  switch (each.do) {
    case 'put':
      return make(each, model, real);
    case 'pause': {
      expect(await store.pause(each.name)).toBe(!schedule ? 'ABSENT' : schedule.paused ? 'SAME' : 'PAUSED');
      if (!schedule || schedule.paused) return;
      Object.assign(schedule, { paused: true, next: undefined, failures: 0, failed: false });
      schedule.listed = listedAt(schedule);
      return;
    }
    case 'remove':
      expect(await store.remove(each.name)).toBe(model.schedules.delete(each.name) ? 'REMOVED' : 'ABSENT');
      return;
    case 'resume':
      return resume(each, schedule, real);
    case 'defer': {
      const seen = real.memory.seen.get(`${each.by} ${each.name}`);
      if (!seen || !stepOf(seen) || seen.record.key === undefined) return;
      await store.defer(each.name, recordOf(real, seen), 'why', PUT_OFF * EVERY_MS);
      if (!schedule || !isPresent(schedule, seen)) return;
      schedule.failures++;
      schedule.failed = true;
      return putOff(each.name, schedule, PUT_OFF * EVERY_MS, real);
    }
    case 'fire':
      return act(each, schedule, model, real);
  }
}

async function make(each: Step & { do: 'put' }, model: Model, real: Real): Promise<void> {
  const { memory, shard, link } = real;
  const { key, misfire } = SPECIFICATIONS[each.specification] as (typeof SPECIFICATIONS)[number];
  const given = { ...TERMS, misfire, maxMisfires: MAX_MISFIRES, toleranceMs: EVERY_MS };
  const settings = resolveOptions('schedule', scheduleOptions, given);
  const job = key === undefined ? undefined : { key, payload: 'p' };
  const specification = { timing: { cron: memory.timeline.cron }, settings, job };
  const status = await new ScheduleStore(shard).put(each.name, specification, each.replace);
  const before = model.schedules.get(each.name);
  if (before?.specification === each.specification) return expect(status).toBe('EXISTS');
  if (before && !each.replace) return expect(status).toBe('CONFLICT');
  expect(status).toBe(before ? 'REPLACED' : 'CREATED');
  const [revision] = (await link.commands.call('HMGET', shard.keys.schedule(each.name), 'revision')) as [Buffer];
  const made = fresh(String(revision), each.specification);
  expect(made.revision).not.toBe(before?.revision);
  made.lastTick = before?.lastTick;
  made.paused = before?.paused ?? false;
  if (!made.paused) made.next = nextTick(memory.timeline, made.lastTick);
  made.listed = listedAt(made);
  model.schedules.set(each.name, made);
}

async function resume(each: Step & { do: 'resume' }, schedule: ModelSchedule | undefined, real: Real): Promise<void> {
  const { memory, shard } = real;
  const { config, schedules, events, ...keys } = shard.keys;
  const seen = memory.seen.get(`${each.by} ${each.name}`);
  const revision = seen?.record.revision ?? schedule?.revision ?? 'none';
  const next = nextTick(memory.timeline, schedule?.lastTick);
  const nextMs = msOf(memory.timeline, next);
  const isTicker = SPECIFICATIONS[schedule?.specification ?? 0]?.key === undefined;
  const reply = await shard.run(
    scripts.scheduleResumeScript,
    { config, schedules, schedule: keys.schedule(each.name) },
    { name: each.name, revision, next: nextMs, due: isTicker ? '+inf' : nextMs, events },
  );
  if (schedule?.revision !== revision) return expect(reply.status).toBe('STALE');
  expect(reply.status).toBe(schedule.paused ? 'RESUMED' : 'SAME');
  if (!schedule.paused) return;
  Object.assign(schedule, { paused: false, next });
  schedule.listed = listedAt(schedule);
}

/** As every scheduler does all the time. */
async function lookAt(each: Step & { do: 'look' }, model: Model, real: Real): Promise<void> {
  const { shard, memory } = real;
  const { due, nowMs, nextMs } = await new ScheduleStore(shard).due(each.most, RANDOM);
  const now = tickOf(memory.timeline, nowMs);
  const later = Math.min(...[...model.schedules.values()].map(({ listed: at }) => at).filter(at => at > now));
  const listed = [...model.schedules].filter(([, schedule]) => schedule.listed <= now);
  listed.sort(([a, one], [b, other]) => one.listed - other.listed || (a < b ? -1 : 1));
  const first = Math.floor(RANDOM * Math.max(1, listed.length - each.most + 1));
  const expected: string[] = [];
  for (const [id, schedule] of listed.slice(first, first + each.most)) {
    // Put off, and the clock was put back meanwhile.
    if ((schedule.next ?? 0) > now) schedule.listed = listedAt(schedule);
    else expected.push(id);
  }
  expect(due.map(({ name: id }) => id)).toEqual(expected);
  if (later === Number.POSITIVE_INFINITY) expect(nextMs).toBe(-1);
  else expect(Math.abs(nextMs / EVERY_MS - (later - now))).toBeLessThan(1e-4);
  for (const { name: id, record } of due) memory.seen.set(`${each.by} ${id}`, saw(model, real, id, record, nowMs));
  for (const id of NAMES) await compare(model, real, id);
}

/** Acts for the tick that it saw. The id is made of the number of the tick, which stays the same as the clock moves. */
async function act(each: Fire, schedule: ModelSchedule | undefined, model: Model, real: Real): Promise<void> {
  const { memory, shard, link } = real;
  const seen = memory.seen.get(`${each.by} ${each.name}`);
  const planned = seen && stepOf(seen);
  if (!seen || !planned || seen.record.key === undefined) return;
  const id = `sch:${each.name}:${planned.tick}`;
  const key = String(seen.record.key);
  const epoch = each.staleEpoch ? model.epoch - 1 : model.epoch;
  const { keys } = shard;
  const inputs = {
    config: keys.config,
    members: keys.members,
    member_info: keys.memberInfo,
    groups: keys.groups,
    pending: keys.pending(each.group),
    own: keys.owned(each.worker),
    job: keys.job(key),
    record: keys.dispatch(id),
    ledger: keys.ledger,
    schedules: keys.schedules,
    schedule: keys.schedule(each.name),
  };
  const args = {
    name: each.name,
    revision: seen.record.revision,
    expected: msOf(memory.timeline, seen.next) ?? '',
    tick: msOf(memory.timeline, planned.tick) ?? '',
    id,
    next: msOf(memory.timeline, planned.next),
    late: planned.late ? 1 : 0,
    waits: planned.catchesUp ? 1 : 0,
    group: each.group,
    worker: each.worker,
    epoch,
    capacity: CAPACITY,
    mailbox_prefix: keys.mailboxPrefix,
    events: keys.events,
  };
  // One that knows another shard does nothing to this.
  expect((await link.commands.run(scripts.fireScript, inputs, { ...args, generation: 'other' })).status).toBe('LOST');
  const reply = await shard.run(scripts.fireScript, inputs, args);
  const next = schedule && isPresent(schedule, seen) ? schedule : undefined;
  if (!next || (seen.next ?? 0) > memory.timeline.now) return expect(reply.status).toBe('STALE');

  const waits = planned.catchesUp && model.jobs.get(key)?.dispatch.startsWith(`sch:${each.name}:`);
  const status = planned.tick === undefined ? 'PASSED' : answerTo(id, key, model);
  if (status === 'EXISTS' && waits) {
    expect(reply.status).toBe('WAITS');
    return putOff(each.name, next, MAX_WAIT_MS, real);
  }
  if (status === undefined) {
    const takes = !each.staleEpoch && alive(model, each.worker) && owned(model, each.worker).length < CAPACITY;
    expect(reply).toMatchObject({ status: takes ? 'ASSIGNED' : 'PENDING', epoch: model.epoch });
    const job = admit(model, key, id, each.group, takes ? each.worker : '');
    if (reply.status === 'ASSIGNED') job.token = minted(model, real, key, reply.token);
    next.fired++;
  } else {
    expect(reply.status).toBe(status);
    if (status === 'FULL' || status === 'CLOSED' || status === 'QUARANTINE') return;
    if (status !== 'PASSED') next.occupied++;
  }
  done(next, planned);
}

function done(schedule: ModelSchedule, { tick, next, late }: ModelStep): void {
  if (tick !== undefined) schedule.lastTick = tick;
  if (late) schedule.misfires++;
  Object.assign(schedule, { next, failures: 0, failed: false });
  schedule.listed = listedAt(schedule);
}

/** What a tick finds in its way. */
function answerTo(id: string, key: string, model: Model) {
  const endedKey = model.outcomes.get(id);
  if (endedKey !== undefined) return endedKey === key ? 'ENDED' : 'CONFLICT';
  const job = model.jobs.get(key);
  if (job?.dispatch === id) return job.state === 'pending' ? 'PENDING' : 'ASSIGNED';
  return refusal(model, key);
}

/** It is looked at again after so long at most: here only after the next move of the clock, in the order of the putting off. */
async function putOff(
  id: string,
  schedule: ModelSchedule,
  mostMs: number,
  { shard, link, memory }: Real,
): Promise<void> {
  const { timeline } = memory;
  const found = Number(String(await link.commands.call('ZSCORE', shard.keys.schedules, id)));
  const leftMs = found - Date.now();
  expect(leftMs).toBeGreaterThan(mostMs - SLACK_MS);
  expect(leftMs).toBeLessThanOrEqual(mostMs);
  schedule.listed = timeline.now + MIDDLE + PUT_OFF + memory.count++ * APART;
  await link.commands.call('ZADD', shard.keys.schedules, Math.floor(msOf(timeline, schedule.listed)), id);
}

/** Nothing has happened to it since. */
function isPresent(schedule: ModelSchedule, { record, next }: Seen): boolean {
  return schedule.revision === record.revision && schedule.next === next;
}
