/** Jobs and workers, as the protocol moves them. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Shard } from '../../../../src/engine/pool/shard.ts';
import { joinWorker, LONG_LEASE, passTime, request } from '../../../support/shard.ts';
import {
  admit,
  alive,
  CAPACITY,
  type Command,
  end,
  GROUPS,
  heldOf,
  KEYS,
  MAX_ATTEMPTS,
  type Model,
  type ModelJob,
  mine,
  minted,
  owned,
  passed,
  quarantined,
  type Real,
  refusal,
  requeue,
  tokenNumber,
  unsure,
  WORKERS,
} from './model.ts';

/** Of every job here. */
export const TERMS = { attempts: MAX_ATTEMPTS, backoffMs: 1000, backoffMaxMs: 1000 };

type Step =
  | { do: 'register' | 'drain' | 'leave' | 'renew'; worker: string }
  | { do: 'dispatch'; key: string; worker: string; staleEpoch: boolean }
  | { do: 'assign' | 'claim'; worker: string; key: string; group: string }
  | { do: 'started' | 'complete' | 'fail' | 'give-up'; key: string; late: boolean }
  /** Of one that is owned, if there is one: or few would ever be dead. */
  | { do: 'give-up-any' }
  | { do: 'release'; key: string; late: boolean; to: string }
  | { do: 'stop' | 'notify' | 'purge'; key: string }
  | { do: 'take-notes'; key: string; late: boolean; handled: number }
  | { do: 'look' | 'rebalance' }
  | { do: 'pass'; ms: number }
  | { do: 'reap' };

const key = fc.constantFrom(...KEYS);
const worker = fc.constantFrom(...WORKERS);
const late = fc.boolean();
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('register' as const, 'register' as const, 'drain' as const, 'leave' as const, 'renew' as const),
    worker,
  }),
  fc.record({ do: fc.constant('dispatch' as const), key, worker, staleEpoch: fc.boolean() }),
  fc.record({ do: fc.constant('dispatch' as const), key, worker, staleEpoch: fc.constant(false) }),
  fc.record({
    do: fc.constantFrom('assign' as const, 'claim' as const),
    worker,
    key,
    group: fc.constantFrom('default', ...GROUPS),
  }),
  fc.record({
    do: fc.constantFrom('started' as const, 'complete' as const, 'fail' as const, 'give-up' as const),
    key,
    late,
  }),
  fc.constant({ do: 'give-up-any' as const }),
  fc.record({ do: fc.constant('release' as const), key, late, to: fc.constantFrom('', ...WORKERS) }),
  fc.record({ do: fc.constantFrom('stop' as const, 'notify' as const, 'purge' as const), key }),
  fc.record({ do: fc.constant('take-notes' as const), key, late, handled: fc.nat(2) }),
  fc.record({ do: fc.constantFrom('look' as const, 'rebalance' as const) }),
  fc.record({
    do: fc.constant('pass' as const),
    ms: fc.constantFrom(1000, LONG_LEASE.leaseMs / 2, LONG_LEASE.leaseMs),
  }),
  fc.record({ do: fc.constant('reap' as const) }),
);

export const jobCommands: fc.Arbitrary<Command> = step.map(each => ({
  step: each,
  take: (model, real) => take(each, model, real),
}));

async function take(each: Step, model: Model, real: Real): Promise<void> {
  const { shard, link, pool, memory } = real;
  switch (each.do) {
    case 'register': {
      const incarnation = (model.workers.get(each.worker)?.incarnation ?? 0) + 1;
      const reply = await joinWorker(shard, each.worker, incarnation);
      model.epoch++;
      model.workers.set(each.worker, { incarnation, leaseLeftMs: LONG_LEASE.leaseMs, draining: false });
      expect(reply).toMatchObject({
        status: 'REGISTERED',
        epoch: model.epoch,
        owned: owned(model, each.worker).length,
      });
      return;
    }
    case 'renew': {
      const state = model.workers.get(each.worker);
      const reply = await shard.renew(link.commands, each.worker, state?.incarnation ?? 1);
      const refused = quarantined(model) ? 'UNKNOWN' : 'EXPIRED';
      expect(reply.status).toBe(alive(model, each.worker) ? 'RENEWED' : refused);
      if (state && alive(model, each.worker)) state.leaseLeftMs = LONG_LEASE.leaseMs;
      return;
    }
    case 'drain': {
      const state = model.workers.get(each.worker);
      const reply = await shard.drain(each.worker);
      if (state && !state.draining) model.epoch++;
      if (state) state.draining = true;
      if (state) return expect(reply).toEqual({ status: 'DRAINING', epoch: model.epoch });
      expect(reply.status).toBe(quarantined(model) ? 'QUARANTINE' : 'ABSENT');
      return;
    }
    case 'leave': {
      const state = model.workers.get(each.worker);
      const count = owned(model, each.worker).length;
      const reply = await shard.leave(each.worker, state?.incarnation ?? 1);
      if (state && count === 0) {
        model.epoch++;
        model.workers.delete(each.worker);
      }
      expect(reply).toEqual(state && count > 0 ? { status: 'OWNS', count } : { status: 'LEFT', epoch: model.epoch });
      return;
    }
    case 'dispatch':
      return dispatch(each, model, real);
    case 'assign': {
      const state = model.workers.get(each.worker);
      const { incarnation = 1 } = state ?? {};
      const asked = { id: each.worker, incarnation, group: each.group, capacity: CAPACITY };
      const reply = await shard.assign(asked, model.epoch, [each.key]);
      if (quarantined(model)) return expect(reply.status).toBe('QUARANTINE');
      if (!state || !alive(model, each.worker)) return expect(reply.status).toBe('EXPIRED');
      if (state.draining) return expect(reply.status).toBe('STALE');
      const job = model.jobs.get(each.key);
      const here = job?.state === 'pending' && job.due && job.group === each.group;
      const given = here && owned(model, each.worker).length < CAPACITY;
      if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
      const rows = reply.jobs as [Buffer, Buffer, number, Buffer][];
      expect(rows.length).toBe(given ? 1 : 0);
      if (!given || !job) return;
      job.attempt++;
      expect(rows[0]?.[2]).toBe(job.attempt);
      const token = minted(model, real, each.key, tokenNumber(rows[0]?.[1]));
      Object.assign(job, { state: 'assigned', worker: each.worker, token });
      return;
    }
    case 'claim': {
      const state = model.workers.get(each.worker);
      const reply = await shard.claim(each.worker, state?.incarnation ?? 1, [each.key, '']);
      if (quarantined(model)) return expect(reply.status).toBe('QUARANTINE');
      if (!state || !alive(model, each.worker)) return expect(reply.status).toBe('EXPIRED');
      if (reply.status !== 'CLAIMED') throw new Error(reply.status);
      const [row] = reply.jobs as unknown[][];
      const job = model.jobs.get(each.key);
      if (!job || job.worker !== each.worker || job.state === 'pending') return expect(String(row?.[0])).toBe('gone');
      if (job.state === 'stopping') {
        end(model, each.key);
        return expect(String(row?.[0])).toBe('gone');
      }
      if (String(row?.[0]) === 'gone') {
        // Its last attempt had begun: dead.
        expect(job.attempt).toBe(MAX_ATTEMPTS);
        end(model, each.key);
        model.dead.add(each.key);
        return;
      }
      expect(row?.[3]).toBeLessThanOrEqual(MAX_ATTEMPTS);
      expect(String(row?.[7])).toBe(job.group);
      Object.assign(job, { state: 'assigned', attempt: row?.[3] });
      job.token = minted(model, real, each.key, tokenNumber(row?.[2]));
      return;
    }
    case 'started': {
      const { token } = heldOf(real, each.key, each.late);
      const job = mine(model, each.key, token);
      const { states } = await shard.started('w', [each.key, token, '']);
      const missing = unsure(model, each.key, token) ? 'unknown' : 'gone';
      const expected = !job ? missing : job.state === 'stopping' ? 'stopping' : job.notes.length;
      expect(typeof states[0] === 'number' ? states[0] : String(states[0])).toBe(expected);
      if (job?.state === 'assigned') job.state = 'running';
      return;
    }
    case 'complete': {
      const { token } = heldOf(real, each.key, each.late);
      const job = mine(model, each.key, token);
      const { states } = await shard.settle(job?.worker ?? 'a', [each.key, token, 'completed', '']);
      const missing = unsure(model, each.key, token) ? 'unknown' : 'gone';
      expect(String(states[0])).toBe(job ? 'ended' : missing);
      if (job) end(model, each.key);
      return;
    }
    case 'give-up-any': {
      const [name = KEYS[0]] = [...model.jobs].find(([, job]) => job.state !== 'pending') ?? [];
      return take({ do: 'give-up', key: name, late: false }, model, real);
    }
    case 'fail':
    case 'give-up': {
      const final = each.do === 'give-up';
      const { token } = heldOf(real, each.key, each.late);
      const job = mine(model, each.key, token);
      const reply = await shard.fail(job?.worker ?? 'a', each.key, token, 'broke', 0.5, final);
      if (!job) return expect(reply.status).toBe(unsure(model, each.key, token) ? 'UNKNOWN' : 'GONE');
      if (job.state === 'stopping' || final || job.attempt >= MAX_ATTEMPTS) {
        end(model, each.key);
        if (job.state !== 'stopping') model.dead.add(each.key);
        return expect(reply.status).toBe(job.state === 'stopping' ? 'STOPPED' : 'DEAD');
      }
      expect(reply).toMatchObject({ status: 'RETRY', attempt: job.attempt });
      requeue(job, false);
      return;
    }
    case 'release': {
      const { token } = heldOf(real, each.key, each.late);
      const job = mine(model, each.key, token);
      const target = each.to === '' ? undefined : { worker: each.to, epoch: model.epoch, capacity: CAPACITY };
      const others =
        each.to === '' ? [] : owned(model, each.to).filter(name => name !== each.key || job?.worker !== each.to);
      const takes = !quarantined(model) && alive(model, each.to) && owned(model, each.to).length < CAPACITY;
      const reply = await shard.release(job?.worker ?? 'a', each.key, token, target, 'test');
      if (!job) return expect(reply.status).toBe(unsure(model, each.key, token) ? 'UNKNOWN' : 'GONE');
      if (job.state === 'stopping') {
        end(model, each.key);
        return expect(reply.status).toBe('STOPPED');
      }
      job.attempt = Math.max(0, job.attempt - 1);
      if (takes && others.length < CAPACITY) {
        if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
        job.attempt++;
        Object.assign(job, { state: 'assigned', worker: each.to, token: minted(model, real, each.key, reply.token) });
        return;
      }
      expect(reply.status).toBe('PENDING');
      requeue(job, true);
      return;
    }
    case 'stop': {
      const job = model.jobs.get(each.key);
      const reply = await shard.stop(`stop-${memory.count++}`, each.key, '');
      if (quarantined(model) && (!job || job.state === 'pending')) return expect(reply.status).toBe('QUARANTINE');
      if (!job) return expect(reply.status).toBe('ABSENT');
      if (job.state === 'pending') end(model, each.key);
      expect(reply.status).toBe(job.state === 'pending' ? 'STOPPED' : 'STOPPING');
      if (job.state === 'pending') return;
      job.state = 'stopping';
      if (quarantined(model)) job.stoppedAfter = memory.lossCount;
      return;
    }
    case 'notify': {
      const job = model.jobs.get(each.key);
      const number = memory.count++;
      const reply = await shard.notify(`note-${number}`, each.key, String(number));
      const missing = quarantined(model) ? 'QUARANTINE' : 'ABSENT';
      expect(reply.status).toBe(job ? 'NOTED' : missing);
      job?.notes.push(number);
      return;
    }
    case 'take-notes': {
      const { token } = heldOf(real, each.key, each.late);
      const job = mine(model, each.key, token);
      const given = memory.given.get(each.key) ?? { givenIn: '', first: 0, numbers: [], lossCount: -1 };
      const handled = Math.min(each.handled, given.numbers.length);
      const take = () => shard.takeNotes(each.key, token, given.givenIn, given.first, handled);
      const reply = await take();
      if (!job) return expect(reply.status).toBe('GONE');
      // Only what was given is dropped: not what stands in its place since Redis lost something.
      if (given.lossCount === memory.lossCount && given.first === job.notesDone) {
        const dropped = job.notes.splice(0, handled);
        expect(given.numbers.slice(0, handled)).toEqual(dropped);
        job.notesDone += handled;
      }
      if (reply.status !== 'NOTES') throw new Error(reply.status);
      expect(reply.first).toBe(job.notesDone);
      expect(reply.list.map(Number)).toEqual(job.notes);
      // Its reply was lost: the same again drops nothing more.
      expect(await take()).toEqual(reply);
      memory.given.set(each.key, {
        givenIn: reply.given_in,
        first: reply.first,
        numbers: [...job.notes],
        lossCount: memory.lossCount,
      });
      return;
    }
    case 'purge': {
      const { states } = await shard.purge([each.key]);
      expect(String(states[0])).toBe(model.dead.delete(each.key) ? 'purged' : 'absent');
      return;
    }
    case 'rebalance': {
      const reply = await shard.rebalance();
      expect(reply).toEqual({ status: 'REBALANCING', epoch: ++model.epoch });
      return;
    }
    case 'look':
      return look(model, shard);
    case 'pass': {
      await passTime(link, pool, each.ms);
      return passed(model, each.ms);
    }
    case 'reap':
      return reap(model, shard);
  }
}

/** What every worker sees each second: who is there, with how much, and what waits. */
async function look(model: Model, shard: Shard): Promise<void> {
  const live = WORKERS.filter(id => alive(model, id));
  const waiting = [...model.jobs]
    .filter(([, job]) => job.state === 'pending' && job.due && job.group === 'default')
    .map(([name]) => name);
  const members = await shard.members('a', 'default', 0);
  expect(members).toMatchObject({ status: 'MEMBERS', epoch: model.epoch, due: waiting.length > 0 ? 1 : 0 });
  const seen = (members.list as [Buffer, number, number][]).map(([id, count, draining]) => [
    String(id),
    count,
    draining,
  ]);
  expect(seen.sort()).toEqual(live.map(id => [id, owned(model, id).length, model.workers.get(id)?.draining ? 1 : 0]));
  const { epoch, keys, loads } = await shard.due('default', 0, 100);
  expect(epoch).toBe(model.epoch);
  expect(keys.map(String).sort()).toEqual(waiting.sort());
  const takers = live.filter(id => !model.workers.get(id)?.draining).map(id => [id, owned(model, id).length]);
  expect((loads as [Buffer, number][]).map(([id, count]) => [String(id), count]).sort()).toEqual(takers);
}

async function dispatch(each: Step & { do: 'dispatch' }, model: Model, real: Real): Promise<void> {
  const { shard, memory } = real;
  const epoch = each.staleEpoch ? model.epoch - 1 : model.epoch;
  const id = `d${memory.count++}`;
  const asked = request(each.key, { ...TERMS, id, worker: each.worker, epoch, capacity: CAPACITY });
  const reply = await shard.dispatch(asked);
  const refused = refusal(model, each.key);
  if (refused) return expect(reply.status).toBe(refused);
  const assigned = !each.staleEpoch && alive(model, each.worker) && owned(model, each.worker).length < CAPACITY;
  expect(reply).toMatchObject({ status: assigned ? 'ASSIGNED' : 'PENDING', epoch: model.epoch });
  const job = admit(model, each.key, id, 'default', assigned ? each.worker : '');
  if (reply.status === 'ASSIGNED') job.token = minted(model, real, each.key, reply.token);
  // Sent again after a lost reply.
  expect((await shard.dispatch(asked)).status).toBe(reply.status);
}

async function reap(model: Model, shard: Shard): Promise<void> {
  if (quarantined(model)) return expect((await shard.reap(1, 0.5)).status).toBe('NONE');
  const over = [...model.workers].filter(([, { leaseLeftMs }]) => leaseLeftMs + LONG_LEASE.graceMs <= 0);
  for (let left = over.length; left > 0; ) {
    const reply = await shard.reap(1, 0.5);
    if (reply.status !== 'REAPED') throw new Error(reply.status);
    const taken = new Set(owned(model, reply.worker));
    const stays = new Set<string>();
    // One at a time, in any order: the record says which it was.
    for (const name of taken) {
      const [state] = await shard.readJob(name, 'state');
      const job = model.jobs.get(name) as ModelJob;
      if (state === null) {
        expect(job.state === 'stopping' || job.attempt >= MAX_ATTEMPTS).toBe(true);
        end(model, name);
        if (job.state !== 'stopping') model.dead.add(name);
      } else if (String(state) === 'pending') requeue(job, true);
      else stays.add(name);
    }
    expect(taken.size - stays.size).toBe(Math.min(1, taken.size));
    if (stays.size === 0) {
      model.workers.delete(reply.worker);
      model.epoch++;
      left--;
    }
  }
  expect((await shard.reap(1, 0.5)).status).toBe('NONE');
}
