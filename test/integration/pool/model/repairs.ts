/** A repair that looks at everything, wherever it is: in a shard that is whole it finds nothing and changes nothing. */
import fc from 'fast-check';
import { expect } from 'vitest';
import * as scripts from '../../../../src/engine/pool/scripts.gen.ts';
import { dumpKeys } from '../../../support/dump.ts';
import { type Command, GROUPS, KEYS, type Model, quarantined, type Real, WORKERS } from './model.ts';
import { NAMES } from './timeline.ts';

export const repairCommands: fc.Arbitrary<Command> = fc.constant({ step: { do: 'repair' }, take });

/** Each job looked for in each place. */
const JOBS = [
  ...KEYS.flatMap(key => [
    ...['', '', key],
    ...GROUPS.flatMap(group => ['pending', group, key]),
    ...WORKERS.flatMap(worker => ['owned', worker, key]),
  ]),
  ...WORKERS.flatMap(worker => ['owned', worker, '']),
];
const REST = [
  ...KEYS.flatMap(key => ['dead-entry', 'dead-record', 'notes'].flatMap(kind => [kind, key])),
  ...GROUPS.flatMap(group => ['group', group]),
  ...WORKERS.flatMap(worker => ['member', worker]),
  ...NAMES.flatMap(name => ['schedule', name]),
];

async function take(model: Model, real: Real): Promise<void> {
  const { shard } = real;
  const { keys } = shard;
  const { config, members, groups, ledger, dead, schedules, events } = keys;
  const names = {
    ...{ config, members, groups, ledger, dead, schedules },
    member_info: keys.memberInfo,
    job_prefix: keys.jobPrefix,
    dead_job_prefix: keys.deadJobPrefix,
    notes_prefix: keys.notesPrefix,
    pending_prefix: keys.pendingPrefix,
    own_prefix: keys.ownedPrefix,
    schedule_prefix: keys.schedulePrefix,
  };
  const before = await contents(real);
  const replies = [
    await shard.run(scripts.repairJobsScript, names, { events, items: JOBS }),
    await shard.run(scripts.repairRestScript, names, { events, items: REST }),
    await shard.run(scripts.repairCountersScript, names, { events, token: 0 }),
  ];
  expect(await contents(real)).toEqual(before);
  if (quarantined(model)) return expect(replies.map(({ status }) => status)).toEqual(Array(3).fill('QUARANTINE'));
  const fine = (items: string[], width: number) => Array(items.length / width).fill('fine');
  const queued = [...model.jobs.values()].filter(({ state }) => state === 'pending').length;
  const said = replies.map(reply => ('states' in reply ? reply.states.map(String) : reply));
  expect(said).toEqual([fine(JOBS, 3), fine(REST, 2), { status: 'OK', count: model.jobs.size, queued, repaired: 0 }]);
}

/** All but the clock of the shard. */
async function contents({ link, pool, shard }: Real): Promise<Map<string, unknown>> {
  const { base, config } = link.keys.pool(pool);
  const found = await dumpKeys(link, base);
  const fields = ['epoch', 'token', 'count', 'queued', 'limit', 'generation', 'dispatched', 'quarantine-until'];
  return found.set(config, (await shard.readConfig(...fields)).map(String));
}
