/** Bugs put in on purpose, one at a time: the simulation must find each. A checker that finds nothing proves nothing. */
import { afterEach, describe, expect, it } from 'vitest';
import { Lease } from '../../src/engine/pool/lease.ts';
import { MailboxCursor } from '../../src/engine/pool/mailbox.ts';
import { RecordedJobs } from '../../src/engine/pool/recorded-jobs.ts';
import { useSimulation } from './run.ts';
import { type Plant, runSchedule } from './schedule.ts';
import type { Mutation } from './server.ts';

const MOST_SEEDS = 4000;

const SCRIPTS: Record<string, Mutation[]> = {
  'a claim mints no token': [{ script: 'pool.claim', from: 'local token = mint()', to: 'local token = job.token' }],
  'a lease is reaped before its end': [
    { script: 'pool.reap', from: 'whole(shard.now - grace_us)', to: 'whole(shard.now + lease_us * 0.7)' },
    { script: 'pool.members', from: 'if left + grace_us <= 0', to: 'if left <= shard.more[1] * 4200' },
  ],
  'a lease is reaped without grace': [
    { script: 'pool.reap', from: 'whole(shard.now - grace_us)', to: 'whole(shard.now)' },
    { script: 'pool.members', from: 'if left + grace_us <= 0', to: 'if left <= 0' },
  ],
  'the logical clock follows every step of the wall clock': [
    {
      script: '*',
      from: 'math.min(time - tonumber(found[2]), tonumber(found[6]) * 1000)',
      to: 'time - tonumber(found[2])',
    },
  ],
  'a job is settled under any token': [{ script: 'pool.settle', from: 'not job or job.token ~= token', to: 'not job' }],
  'a job is released under any token': [
    { script: 'pool.release', from: "not job or job.token ~= token or job.state == 'pending'", to: 'not job' },
  ],
  'a job that waits keeps its token': [{ script: '*', from: "'worker', 'token', 'started-at'", to: "'started-at'" }],
  'a stop is not recorded': [
    { script: 'pool.stop', from: "redis.call('HSET', job_prefix .. key, 'state', 'stopping')", to: '' },
  ],
  'hints are counted from the beginning again': [
    {
      script: 'pool.register',
      from: "math.max(tonumber(stand[3] or '0'), shard.token, shard.time)",
      to: "tonumber(stand[3] or '0')",
    },
  ],
  'a member that ends leaves its jobs': [
    { script: 'pool.leave', from: "if owned > 0 then return {'OWNS', owned} end", to: '' },
  ],
  'nothing is restored after a loss': [{ script: 'pool.reassert', from: 'or shard.quarantine == 0', to: 'or true' }],
  'notifications are dropped by their place alone': [
    { script: 'pool.take_notes', from: 'given_in == life() and', to: '' },
  ],
  'a loss is followed by no quarantine': [
    { script: '*', from: "tonumber(redis.call('HGET', config, 'lease-ms')) * 1000", to: '0' },
  ],
  'a job is dispatched twice under one id': [
    { script: 'pool.dispatch', from: 'if known[3] then', to: 'if false then' },
  ],
};

const PLANTS: Record<string, Plant> = {
  'a job is given up before its handler has stopped': { stopsLate: true },
};

/** Replaces a member of a class; gives back what puts it in its place again. */
function replace(target: object, name: string, descriptor: PropertyDescriptor): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name) as PropertyDescriptor;
  Object.defineProperty(target, name, { configurable: true, ...descriptor });
  return () => Object.defineProperty(target, name, before);
}

const CODE: Record<string, () => () => void> = {
  'a worker does not give itself up at the deadline': () =>
    replace(Lease.prototype, 'owned', {
      get(this: Lease) {
        return this.leftMs() !== -1;
      },
    }),
  'a worker does not look for what it may have missed': () => replace(RecordedJobs.prototype, 'doubt', { value() {} }),
  'a lost hint is not noticed': () => replace(MailboxCursor.prototype, 'compare', { value: () => false }),
};

describe('the simulation finds it when', () => {
  const simulation = useSimulation();
  let restore = () => {};
  afterEach(async () => {
    restore();
    restore = () => {};
    await simulation.server.load([]);
  });

  async function expectFound(plant?: Plant): Promise<void> {
    let found: string[] = [];
    for (let seed = 1; seed <= MOST_SEEDS && found.length === 0; seed++) {
      found = (await runSchedule(seed, simulation.server, plant)).violations;
    }
    expect(found).not.toEqual([]);
  }

  it.each(Object.entries(SCRIPTS))('%s', async (_name, mutations) => {
    await simulation.server.load(mutations);
    await expectFound();
  });

  it.each(Object.entries(PLANTS))('%s', async (_name, plant) => {
    await expectFound(plant);
  });

  it.each(Object.entries(CODE))('%s', async (_name, plant) => {
    restore = plant();
    await expectFound();
  });
});
