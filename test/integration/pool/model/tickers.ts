/** Tickers, and several nodes that hold them open and act on what they read last. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { ScheduleStore } from '../../../../src/engine/pool/schedules/store.ts';
import { LONG_LEASE } from '../../../support/shard.ts';
import type { Command, Model, Real } from './model.ts';
import { takeSchedule } from './schedules.ts';
import { compare, NAMES, realStep, recordOf, saw, stepOf } from './timeline.ts';

type Step =
  | { do: 'read' | 'extend' | 'give-back'; by: string; name: string }
  /** `fresh`: it reads the record just before. */
  | { do: 'take'; by: string; name: string; fresh: boolean }
  | { do: 'finish'; by: string; name: string; failure: string };

/** Mostly the one that is a ticker. */
const name = fc.constantFrom(...NAMES, 't', 't');
const by = fc.constantFrom('first', 'second');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('read' as const, 'extend' as const, 'give-back' as const), by, name }),
  { arbitrary: fc.record({ do: fc.constant('take' as const), by, name, fresh: fc.boolean() }), weight: 2 },
  fc.record({ do: fc.constant('finish' as const), by, name, failure: fc.constantFrom('', 'broke') }),
);

/** What would seldom come together by itself. */
type Story = { do: 'race' | 'pause-while-it-runs'; name: string };
const story: fc.Arbitrary<Story> = fc.record({
  do: fc.constantFrom('race' as const, 'pause-while-it-runs' as const),
  name: fc.constant('t'),
});

export const tickerCommands: fc.Arbitrary<Command> = fc.oneof(
  {
    arbitrary: step.map((each): Command => ({ step: each, take: (model, real) => take(each, model, real) })),
    weight: 4,
  },
  story.map((each): Command => ({ step: each, take: (model, real) => tell(each, model, real) })),
);

async function tell({ do: what, name }: Story, model: Model, real: Real): Promise<void> {
  const ticker = (each: Step) => take(each, model, real);
  const first: Step = { do: 'take', by: 'first', name, fresh: true };
  const finish: Step = { do: 'finish', by: 'first', name, failure: '' };
  await takeSchedule({ do: 'tick', ticks: 1 }, model, real);
  if (what === 'race') {
    await ticker({ do: 'read', by: 'second', name });
    await ticker(first);
    await ticker(finish);
    return ticker({ do: 'take', by: 'second', name, fresh: false });
  }
  await ticker(first);
  await takeSchedule({ do: 'pause', name }, model, real);
  await takeSchedule({ do: 'tick', ticks: 2 }, model, real);
  await takeSchedule({ do: 'resume', name, by: 'nobody' }, model, real);
  return ticker(finish);
}

async function take(each: Step, model: Model, real: Real): Promise<void> {
  await change(each, model, real);
  await compare(model, real, each.name);
}

async function change(each: Step, model: Model, real: Real): Promise<void> {
  const { shard, memory } = real;
  const store = new ScheduleStore(shard);
  const ticker = model.schedules.get(each.name);
  const who = `${each.by} ${each.name}`;
  if (each.do === 'read' || (each.do === 'take' && each.fresh)) {
    const { record, nowMs } = await store.read(each.name);
    expect(record !== undefined).toBe(ticker !== undefined);
    if (record) memory.seen.set(who, saw(model, real, each.name, record, nowMs));
    if (each.do === 'read') return;
  }
  if (each.do === 'take') {
    const seen = memory.seen.get(who);
    const planned = seen && stepOf(seen);
    if (!seen || !planned || seen.record.key) return;
    const reply = await store.claim(each.name, recordOf(real, seen), each.by, '', LONG_LEASE.leaseMs);
    if (ticker?.revision !== seen.record.revision || ticker.next !== seen.next) {
      return expect(reply.status).toBe('STALE');
    }
    const leftMs = ticker.claim?.leftMs ?? 0;
    if (leftMs > 0) {
      if (reply.status !== 'TAKEN') throw new Error(reply.status);
      // The clock of Redis goes on beside the model's.
      return expect(Math.abs(leftMs - reply.left_ms)).toBeLessThan(LONG_LEASE.leaseMs / 10);
    }
    if (reply.status !== 'CLAIMED') throw new Error(reply.status);
    expect(Number(reply.claim)).toBeGreaterThan(memory.highest);
    memory.highest = Number(reply.claim);
    memory.claims.set(who, { id: reply.claim, step: planned });
    ticker.claim = { id: reply.claim, leftMs: LONG_LEASE.leaseMs };
    return;
  }
  const claimed = memory.claims.get(who);
  if (!claimed) return;
  const { id } = claimed;
  const mine = ticker?.claim?.id === id ? ticker : undefined;
  if (each.do === 'finish') {
    const reply = await store.finish(each.name, id, realStep(memory.timeline, claimed.step), each.failure);
    expect(reply.status).toBe(mine ? 'DONE' : 'STALE');
    if (!mine) return;
    const { tick, next, late } = claimed.step;
    // Resumed meanwhile, it goes on with what is to come.
    if (mine.next !== undefined) mine.next = Math.max(mine.next, next);
    if (tick !== undefined) {
      mine.fired++;
      mine.lastTick = tick;
    }
    if (late) mine.misfires++;
    Object.assign(mine, { claim: undefined, failed: each.failure !== '' });
    return;
  }
  const leaseMs = each.do === 'extend' ? LONG_LEASE.leaseMs : 0;
  const seen = memory.seen.get(who);
  if (!seen) return;
  const reply = await store.claim(each.name, recordOf(real, seen), each.by, id, leaseMs);
  expect(reply).toEqual(mine ? { status: 'CLAIMED', claim: id } : { status: 'STALE' });
  if (mine?.claim) mine.claim.leftMs = leaseMs;
}
