/**
 * Schedules and tickers as plain data, in time counted by ticks, all of which are the same for every schedule here. Redis's
 * clock cannot be moved: instead the times in the records and in the index move the other way.
 */
import { expect } from 'vitest';
import { nextStep, type Step } from '../../../../src/engine/pool/schedules/misfire.ts';
import type { ScheduleRecord } from '../../../../src/engine/pool/schedules/record.ts';
import type { Model, Real } from './model.ts';

export const NAMES = ['s', 't'] as const;
export const EVERY_MS = 600_000;
/** With `all`: what is made up for. */
export const MAX_MISFIRES = 2;
const NEVER = Number.POSITIVE_INFINITY;

/** `key`: undefined for a ticker. */
export const SPECIFICATIONS = [
  { key: 'k0', misfire: 'one' },
  { key: 'k0', misfire: 'all' },
  { key: 'k1', misfire: 'all' },
  { key: 'k1', misfire: 'skip' },
  { key: undefined, misfire: 'one' },
  { key: undefined, misfire: 'all' },
  { key: undefined, misfire: 'skip' },
] as const;

export interface ModelSchedule {
  revision: string;
  /** Which of the specifications. */
  specification: number;
  /** The next tick; undefined while it is paused. */
  next: number | undefined;
  lastTick: number | undefined;
  paused: boolean;
  fired: number;
  occupied: number;
  misfires: number;
  failures: number;
  failed: boolean;
  claim: { id: string; leftMs: number } | undefined;
  /** When to look at it. */
  listed: number;
}

/** Ticks as Redis's clock has them. */
export interface Timeline {
  cron: string;
  startMs: number;
  /** The last tick that has come up. */
  now: number;
  furthest: number;
}

/** A record that somebody saw, and when. */
export interface Seen {
  record: ScheduleRecord;
  next: number | undefined;
  now: number;
}

/** A tick that somebody took, and what is to be done for it. */
export interface Claimed {
  id: string;
  step: ModelStep;
}

export interface ModelStep {
  tick: number | undefined;
  next: number;
  late: boolean;
  catchesUp: boolean;
}

/** The last tick was half an interval ago, so that none comes up by itself. */
export function beginTimeline(nowMs = Date.now()): Timeline {
  const minutes = Math.floor(nowMs / 60_000);
  const every = EVERY_MS / 60_000;
  const startMs = (minutes - every / 2) * 60_000;
  return { cron: `${(minutes - every / 2) % every}-59/${every} * * * *`, startMs, now: 0, furthest: 0 };
}

export function msOf(timeline: Timeline, tick: number): number;
export function msOf(timeline: Timeline, tick: number | undefined): number | undefined;
export function msOf({ startMs, now }: Timeline, tick: number | undefined): number | undefined {
  return tick === undefined ? undefined : startMs + (tick - now) * EVERY_MS;
}

export function tickOf({ startMs, now }: Timeline, ms: number): number {
  return (ms - startMs) / EVERY_MS + now;
}

/** The wall clock goes on, or back, by so many ticks. */
export async function moveClock(real: Real, ticks: number): Promise<void> {
  const { timeline } = real.memory;
  await shiftTicks(real, ticks);
  timeline.now += ticks;
  timeline.furthest = Math.max(timeline.furthest, timeline.now);
}

export async function shiftTicks({ link, shard }: Real, ticks: number): Promise<void> {
  const { keys } = shard;
  for (const name of NAMES) {
    for (const field of ['next', 'last-tick']) {
      const [value] = (await link.commands.call('HMGET', keys.schedule(name), field)) as [Buffer | null];
      if (value) await link.commands.call('HINCRBY', keys.schedule(name), field, -ticks * EVERY_MS);
    }
    const listed = await link.commands.call('ZSCORE', keys.schedules, name);
    if (listed !== null) await link.commands.call('ZINCRBY', keys.schedules, -ticks * EVERY_MS, name);
  }
}

export function fresh(revision: string, specification: number): ModelSchedule {
  const counters = { fired: 0, occupied: 0, misfires: 0, failures: 0 };
  const blank = { next: undefined, lastTick: undefined, paused: false, failed: false, claim: undefined, listed: NEVER };
  return { revision, specification, ...blank, ...counters };
}

/** The first tick from now on that has not been. */
export function nextTick({ now }: Timeline, lastTick = now): number {
  return Math.max(now, lastTick) + 1;
}

/** When it is looked at: a ticker by those who hold it open. */
export function listedAt({ specification, next }: ModelSchedule): number {
  return SPECIFICATIONS[specification]?.key === undefined ? NEVER : (next ?? NEVER);
}

/** What who saw it then would do, after the policy; undefined when it was not due. */
export function stepOf({ record, next, now }: Seen): ModelStep | undefined {
  if (next === undefined || next > now) return undefined;
  if (next === now) return { tick: next, next: next + 1, late: false, catchesUp: false };
  switch (record.terms.misfire) {
    case 'skip':
      return { tick: undefined, next: now, late: true, catchesUp: false };
    case 'one':
      return { tick: now, next: now + 1, late: true, catchesUp: false };
    case 'all': {
      const tick = Math.max(next, now - MAX_MISFIRES);
      return { tick, next: tick + 1, late: true, catchesUp: true };
    }
  }
}

/** As the store takes it. */
export function realStep(timeline: Timeline, { tick, next, late, catchesUp }: ModelStep): Step {
  return { tickMs: msOf(timeline, tick), nextMs: msOf(timeline, next), late, catchesUp };
}

/** Somebody looks at a record, which is as in the model. */
export function saw(model: Model, { memory }: Real, name: string, record: ScheduleRecord, nowMs: number): Seen {
  const { timeline } = memory;
  const schedule = model.schedules.get(name) as ModelSchedule;
  expect(record.revision).toBe(schedule.revision);
  expect(record.nextMs).toBe(msOf(timeline, schedule.next));
  const seen: Seen = { record, next: schedule.next, now: timeline.now };
  const step = stepOf(seen);
  const { nextMs } = record;
  const real = nextMs === undefined ? undefined : nextStep(record.ticks(), nextMs, nowMs, record.terms);
  expect(real).toEqual(step && realStep(timeline, step));
  return seen;
}

/** The record, as who saw it then has it. */
export function recordOf({ memory }: Real, { record, next }: Seen): ScheduleRecord {
  return { ...record, nextMs: msOf(memory.timeline, next) };
}

/** What Redis has of it is what the model has. */
export async function compare(model: Model, { link, shard, memory }: Real, name: string): Promise<void> {
  const { keys } = shard;
  const fields = [
    'revision',
    'next',
    'last-tick',
    'paused',
    'fired',
    'occupied',
    'misfires',
    'failures',
    'error',
    'claim',
  ];
  const [row, listed] = await Promise.all([
    link.commands.call('HMGET', keys.schedule(name), ...fields) as Promise<(Buffer | null)[]>,
    link.commands.call('ZSCORE', keys.schedules, name) as Promise<Buffer | null>,
  ]);
  const schedule = model.schedules.get(name);
  const text = (value: unknown) => (value ? String(value) : null);
  const ms = (tick: number | undefined) => (tick === undefined ? null : String(msOf(memory.timeline, tick)));
  if (!schedule) return expect([listed, ...row]).toEqual([null, ...fields.map(() => null)]);
  const { revision, next, lastTick, paused, fired, occupied, misfires, failures, failed, claim } = schedule;
  const counters = [fired, occupied, misfires, failures].map(text);
  const actual = row.map(text);
  // Whatever it says.
  actual[8] &&= 'failed';
  expect(Object.fromEntries(fields.map((field, at) => [field, actual[at]]))).toEqual(
    Object.fromEntries(
      [
        revision,
        ms(next),
        ms(lastTick),
        paused ? '1' : null,
        ...counters,
        failed ? 'failed' : null,
        claim?.id ?? null,
      ].map((value, at) => [fields[at], value]),
    ),
  );
  const at = tickOf(memory.timeline, Number(String(listed).replace('inf', 'Infinity')));
  if (schedule.listed === NEVER) expect(at).toBe(NEVER);
  else expect(Math.abs(at - schedule.listed)).toBeLessThan(1e-5);
}
