/** What operators do to jobs and to the pool as a whole. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { admit, type Command, GROUPS, KEYS, type Model, type Real, refusal } from './model.ts';

type Step =
  | { do: 'regroup' | 'retry'; key: string; group: string }
  /** More often open than closed, or little would happen. */
  | { do: 'gate'; open: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('regroup' as const, 'retry' as const),
    key: fc.constantFrom(...KEYS),
    group: fc.constantFrom(...GROUPS),
  }),
  fc.record({ do: fc.constant('gate' as const), open: fc.constantFrom(true, true, false) }),
);

export const operationCommands: fc.Arbitrary<Command> = step.map(each => ({
  step: each,
  take: (model, real) => take(each, model, real),
}));

async function take(each: Step, model: Model, { shard, memory }: Real): Promise<void> {
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
    case 'retry': {
      const id = `retry-${memory.count++}`;
      const reply = await shard.retry(id, each.key, each.group);
      const refused = refusal(model, each.key) ?? (model.dead.has(each.key) ? undefined : 'ABSENT');
      if (refused) return expect(reply.status).toBe(refused);
      expect(reply).toEqual({ status: 'PENDING', epoch: model.epoch });
      model.dead.delete(each.key);
      admit(model, each.key, id, each.group, '');
      // Sent again after a lost reply.
      return expect(await shard.retry(id, each.key, each.group)).toEqual(reply);
    }
    case 'gate': {
      const first = await shard.gate(each.open);
      expect(first.status).toBe(each.open ? 'OPEN' : 'CLOSED');
      // It stays closed since the first time.
      expect(await shard.gate(each.open)).toEqual(first);
      model.closed = !each.open;
    }
  }
}
