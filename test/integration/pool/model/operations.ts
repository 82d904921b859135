/** What operators do to jobs and to the pool as a whole. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { removePool } from '../../../../src/engine/pool/removal.ts';
import { openShard } from '../../../support/shard.ts';
import {
  admit,
  alive,
  type Command,
  emptyModel,
  GROUPS,
  KEYS,
  LIMIT,
  type Model,
  quarantined,
  type Real,
  refusal,
  WORKERS,
} from './model.ts';

type Step =
  | { do: 'regroup' | 'retry'; key: string; group: string }
  /** Of a dead one, if there is one. */
  | { do: 'retry-dead'; group: string }
  /** More often open than closed, or little would happen. */
  | { do: 'gate'; open: boolean }
  /** And is made anew. */
  | { do: 'remove'; jobs: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('regroup' as const, 'retry' as const),
    key: fc.constantFrom(...KEYS),
    group: fc.constantFrom(...GROUPS),
  }),
  fc.record({ do: fc.constant('retry-dead' as const), group: fc.constantFrom(...GROUPS) }),
  fc.record({ do: fc.constant('gate' as const), open: fc.constantFrom(true, true, false) }),
  fc.record({ do: fc.constant('remove' as const), jobs: fc.boolean() }),
);

export const operationCommands: fc.Arbitrary<Command> = step.map(each => ({
  step: each,
  take: (model, real) => take(each, model, real),
}));

async function take(each: Step, model: Model, real: Real): Promise<void> {
  const { shard } = real;
  switch (each.do) {
    case 'regroup': {
      const job = model.jobs.get(each.key);
      const reply = await shard.regroup([each.key, each.group]);
      const state = String(reply.states[0]);
      if (!job || job.state === 'stopping') return expect(state).toBe('gone');
      if (job.group === each.group) return expect(state).toBe('same');
      // Whatever ends the ownership puts it there.
      job.group = each.group;
      return expect(state).toBe(job.state === 'pending' ? 'queued' : 'asked');
    }
    case 'retry':
      return retry(each.key, each.group, model, real);
    case 'retry-dead':
      return retry([...model.dead][0] ?? KEYS[0], each.group, model, real);
    case 'gate': {
      const first = await shard.gate(each.open);
      expect(first.status).toBe(each.open ? 'OPEN' : 'CLOSED');
      // It stays closed since the first time.
      expect(await shard.gate(each.open)).toEqual(first);
      model.closed = !each.open;
      return;
    }
    case 'remove':
      return remove(each.jobs, model, real);
  }
}

async function remove(jobs: boolean, model: Model, real: Real): Promise<void> {
  const { link, pool, memory, shard } = real;
  const removing = removePool(link, pool, { jobs, timeoutMs: 0 });
  if (quarantined(model)) return expect(removing).rejects.toMatchObject({ code: 'POOL_QUARANTINED' });
  if (WORKERS.some(id => alive(model, id)) || (!jobs && model.jobs.size > 0)) {
    return expect(removing).rejects.toMatchObject({ code: 'POOL_IN_USE' });
  }
  await removing;
  await expect(shard.members('', 'default', 0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await link.registry.list('pools')).not.toContain(pool);
  memory.highestEpoch = Math.max(memory.highestEpoch, model.epoch);
  Object.assign(model, emptyModel());
  real.shard = await openShard(link, pool, LIMIT);
}

async function retry(key: string, group: string, model: Model, { shard, link, memory }: Real): Promise<void> {
  const id = `retry-${memory.count++}`;
  const reply = await shard.retry(id, key, group);
  const refused = refusal(model, key) ?? (model.dead.has(key) ? undefined : 'ABSENT');
  if (refused) return expect(reply.status).toBe(refused);
  expect(reply).toEqual({ status: 'PENDING', epoch: model.epoch });
  model.dead.delete(key);
  admit(model, key, id, group, '');
  // Sent again after a lost reply.
  expect(await shard.retry(id, key, group)).toEqual(reply);
  const { dead, deadJob } = shard.keys;
  const listed = (await link.commands.call('ZRANGE', dead, 0, -1)) as Buffer[];
  expect(listed.map(String).sort()).toEqual([...model.dead].sort());
  expect(await link.commands.call('EXISTS', deadJob(key))).toBe(0);
}
