/** Redis goes back to what it was at some moment, or forgets everything, and workers say what they hold and what they had ended. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { formatTerms } from '../../../../src/engine/pool/terms.ts';
import type { RedisLink } from '../../../../src/engine/redis/link.ts';
import { LONG_LEASE } from '../../../support/shard.ts';
import { until } from '../../../support/until.ts';
import { TERMS } from './jobs.ts';
import {
  admit,
  alive,
  type Command,
  emptyModel,
  heldOf,
  KEYS,
  lost,
  type Model,
  quarantined,
  type Real,
  WORKERS,
} from './model.ts';
import { shiftTicks } from './timeline.ts';

type ClaimState = 'running' | 'assigned' | 'stopping' | 'pending';

type Step =
  | { do: 'remember' | 'lose' | 'flush' }
  | { do: 'reassert'; worker: string; key: string; late: boolean; state: ClaimState }
  | { do: 'resettle'; key: string; late: boolean; outcome: 'completed' | 'dead' };

const key = fc.constantFrom(...KEYS);
const late = fc.boolean();
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('remember' as const, 'lose' as const, 'lose' as const, 'flush' as const) }),
  fc.record({
    do: fc.constant('reassert' as const),
    worker: fc.constantFrom(...WORKERS),
    key,
    late,
    state: fc.constantFrom<ClaimState>('running', 'assigned', 'stopping', 'pending'),
  }),
  fc.record({
    do: fc.constant('resettle' as const),
    key,
    late,
    outcome: fc.constantFrom('completed' as const, 'dead' as const),
  }),
);

/** An older copy of a shard, and what the model was then. */
interface Copy {
  model: Model;
  /** When it was made. */
  tick: number;
  keys: [name: Buffer, dump: Buffer, ttlMs: number][];
}
const copies = new WeakMap<Model, Copy>();

export const lossCommands: fc.Arbitrary<Command> = step.map(each => ({
  step: each,
  take: (model, real) => take(each, model, real),
}));

async function take(each: Step, model: Model, real: Real): Promise<void> {
  switch (each.do) {
    case 'remember':
      copies.set(model, {
        model: structuredClone(model),
        tick: real.memory.timeline.now,
        keys: await dump(real),
      });
      return;
    case 'lose':
      return lose(model, real);
    case 'flush':
      return flush(model, real);
    case 'reassert':
      return reassert(each, model, real);
    case 'resettle': {
      const { token, dispatch } = heldOf(real, each.key, each.late);
      const reply = await real.shard.resettle([each.key, dispatch, token, each.outcome, '-', '', '', 1]);
      const job = model.jobs.get(each.key);
      const ends = job?.dispatch === dispatch && job.token <= token;
      expect(reply).toEqual({ status: 'OK', count: ends ? 1 : 0 });
      if (ends) model.jobs.delete(each.key);
      if (ends && each.outcome === 'dead') model.dead.add(each.key);
      if (ends || (job?.dispatch !== dispatch && quarantined(model))) model.outcomes.set(dispatch, each.key);
    }
  }
}

/** A failover to a copy that missed something, or a restart. */
async function lose(model: Model, real: Real): Promise<void> {
  const { link, shard, memory } = real;
  memory.lossCount++;
  memory.highestEpoch = Math.max(memory.highestEpoch, model.epoch);
  const copy = copies.get(model);
  if (copy) {
    await restore(real, copy);
    Object.assign(model, structuredClone(copy.model));
  }
  // The epoch goes on from the time in ms: here more changes and losses come in one than anywhere else.
  await until(() => Date.now() > memory.highestEpoch, 'the time to be later', { everyMs: 1 });
  await link.commands.call('DEBUG', 'CHANGE-REPL-ID');
  const reply = await shard.members('', 'default', 0);
  expect(reply.quarantine_ms).toBeGreaterThan(0);
  lost(model, memory, reply.epoch);
}

/** Everything is gone, and somebody who knew the shard makes it again. */
async function flush(model: Model, { link, pool, shard, memory }: Real): Promise<void> {
  memory.highestEpoch = Math.max(memory.highestEpoch, model.epoch);
  memory.lossCount++;
  await removeAll(link, pool);
  Object.assign(model, emptyModel());
  const reply = await shard.members('', 'default', 0);
  expect(reply.epoch).toBe(model.epoch);
  expect(reply.quarantine_ms).toBeGreaterThan(0);
  model.quarantineLeftMs = LONG_LEASE.leaseMs;
}

async function reassert(each: Step & { do: 'reassert' }, model: Model, real: Real): Promise<void> {
  const { worker, key: name, state } = each;
  const { token, dispatch, attempt, group } = heldOf(real, name, each.late);
  const terms = formatTerms({ ...TERMS, payloadBytes: 1, keepMs: undefined, replyTo: '', digest: '' });
  const incarnation = model.workers.get(worker)?.incarnation ?? 1;
  const items = [name, token, state, attempt, '', group, dispatch, terms, 'p'];
  const reply = await real.shard.reassert(worker, incarnation, items);
  if (!alive(model, worker) && state !== 'pending') return expect(reply.status).toBe('EXPIRED');
  if (reply.status !== 'ASSERTED') throw new Error(reply.status);
  const job = model.jobs.get(name);
  const said = expect(String(reply.states[0]));
  const theirs = job?.token ?? 0;
  if (job && theirs === token && job.worker === worker) {
    if (job.state === 'assigned' && state === 'running') job.state = 'running';
    if (state === 'stopping') job.state = 'stopping';
    return said.toBe(job.state === 'stopping' ? 'stopping' : 'kept');
  }
  if (theirs > token || !quarantined(model)) return said.toBe('stale');
  if (model.outcomes.has(dispatch)) return said.toBe(state === 'pending' ? 'kept' : 'stale');
  if (state === 'pending' && job) return said.toBe('kept');
  const sinceLoss = job?.stoppedAfter !== undefined && job.stoppedAfter === real.memory.lossCount;
  const asked = job?.state === 'stopping' && (job.dispatch === dispatch || sinceLoss);
  const becomes = asked ? 'stopping' : state;
  said.toBe(becomes === 'stopping' ? 'stopping' : 'restored');
  const notes = job?.notes ?? [];
  const stoppedAfter = asked ? job?.stoppedAfter : undefined;
  const restored = admit(model, name, dispatch, group, state === 'pending' ? '' : worker);
  Object.assign(restored, { state: becomes, attempt, notes, stoppedAfter, token: state === 'pending' ? 0 : token });
}

async function dump({ link, pool }: Real): Promise<Copy['keys']> {
  const { base } = link.keys.pool(pool);
  const found: Copy['keys'] = [];
  for await (const names of link.commands.scanKeys(`${base}*`)) {
    for (const name of names) {
      const [bytes, ttlMs] = await Promise.all([link.commands.call('DUMP', name), link.commands.call('PTTL', name)]);
      if (bytes !== null) found.push([name, bytes as Buffer, Math.max(0, Number(ttlMs))]);
    }
  }
  return found;
}

async function restore(real: Real, { keys, tick }: Copy): Promise<void> {
  const { link, pool, memory } = real;
  await removeAll(link, pool);
  await Promise.all(keys.map(([name, bytes, ttlMs]) => link.commands.call('RESTORE', name, ttlMs, bytes)));
  // The clock on the wall did not go back.
  await shiftTicks(real, memory.timeline.now - tick);
}

async function removeAll(link: RedisLink, pool: string): Promise<void> {
  const { base } = link.keys.pool(pool);
  for await (const names of link.commands.scanKeys(`${base}*`)) {
    await Promise.all(names.map(name => link.commands.call('DEL', name)));
  }
}
