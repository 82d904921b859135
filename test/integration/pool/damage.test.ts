/** Somebody damages records: those of other jobs go on, no script raises, counters stay right, and nothing spins. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WrongTypeError } from '../../../src/engine/core/errors.ts';
import { checkInvariants } from '../../../src/engine/inspect/invariants/invariants.ts';
import { listLedger } from '../../../src/engine/inspect/ledger.ts';
import { listWorkers, showPool } from '../../../src/engine/inspect/pools.ts';
import { listSchedules } from '../../../src/engine/inspect/schedules.ts';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import type { Shard } from '../../../src/engine/pool/shard.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { commandCount } from '../../support/dump.ts';
import { usePool } from '../../support/pool.ts';
import { epochOf, joinWorker, openShard, passTime, request } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

type Keys = ReturnType<RedisLink['keys']['pool']>;

const SITUATIONS = ['waits', 'again', 'assigned', 'running', 'stopping', 'service'] as const;
const KEYS = SITUATIONS.flatMap(situation => [`${situation}-1`, `${situation}-2`]);
const FIELDS = [
  ...['state', 'attempt', 'payload', 'dispatch', 'terms', 'group', 'worker', 'token', 'not-before', 'stable-at'],
  ...['started-at', 'dispatched-at', 'stop-by', 'notes-done', 'error'],
];
const VALUES = ['', 'x', '-1', 'nan', '1e999', '0x10', '9'.repeat(20), 'a b\nc', '3 x'];

type Damage = [command: 'HDEL' | 'HSET' | 'type', key: string, field: string, value: string];

/** Two jobs in each situation, all of worker `w` or waiting. */
async function fill(shard: Shard): Promise<void> {
  await joinWorker(shard, 'w');
  const epoch = await epochOf(shard);
  for (const key of KEYS) {
    const [situation] = key.split('-');
    const waits = situation === 'waits';
    const more = waits ? {} : { worker: 'w', epoch };
    const reply = await shard.dispatch(request(key, { ...more, replyTo: 'me', rememberMs: 60_000, keepMs: 60_000 }));
    if (reply.status !== 'ASSIGNED') continue;
    if (situation === 'again') await shard.fail('w', key, reply.token, 'no', 0, false);
    if (situation === 'running') await shard.started('w', [key, reply.token, '']);
    if (situation === 'service') await shard.started('w', [key, reply.token, 1]);
    if (situation === 'stopping') await shard.stop(`stop-${key}`, key, 'me');
    if (situation === 'running') await shard.notify(`note-${key}`, key, 'note');
  }
}

async function apply(link: RedisLink, keys: Keys, [command, key, field, value]: Damage): Promise<void> {
  const name = keys.job(key);
  if (command !== 'type') {
    const type = String(await link.commands.call('TYPE', name));
    if (type === 'hash') await link.commands.call(command, name, field, ...(command === 'HSET' ? [value] : []));
    return;
  }
  await link.commands.call('DEL', name);
  await link.commands.call('SET', name, value);
}

/** What a worker does with everything recorded to it, and with all that waits, until nothing is left to do. */
async function workOff(shard: Shard, worker: string): Promise<string[]> {
  const done: string[] = [];
  const self = { id: worker, incarnation: 1, group: 'default', capacity: 100 };
  for (let round = 0; ; round++) {
    expect(round, 'rounds').toBeLessThan(8);
    const { keys } = await shard.due('default', 0, 100);
    const assigned = await shard.assign(self, await epochOf(shard), keys as Buffer[]);
    if (assigned.status !== 'ASSIGNED') throw new Error(assigned.status);
    const owned = (await shard.scanOwned(worker, '0')).keys;
    const claimed = await shard.claim(
      worker,
      1,
      owned.flatMap(key => [key, '']),
    );
    if (claimed.status !== 'CLAIMED') throw new Error(claimed.status);
    const held = (claimed.jobs as Buffer[][]).filter(([state]) => String(state) === 'claimed');
    for (const [, key, token] of held as [Buffer, Buffer, Buffer][]) {
      const started = await shard.started(worker, [key, String(token), '']);
      expect(started.states).toEqual([expect.any(Number)]);
      const settled = await shard.settle(worker, [key, String(token), 'completed', '']);
      expect(settled.states.map(String)).toEqual(['ended']);
      done.push(String(key));
    }
    if (owned.length === 0 && keys.length === 0) return done;
  }
}

const damage: fc.Arbitrary<Damage> = fc.tuple(
  fc.constantFrom('HDEL', 'HSET', 'type'),
  fc.constantFrom(...KEYS),
  fc.constantFrom(...FIELDS),
  fc.constantFrom(...VALUES),
);

describe('damaged records', () => {
  const fixture = usePool();

  it('harm no other job and no counter, whatever their damage and whichever script meets them first', {
    timeout: 120_000,
  }, async () => {
    const link = await fixture.look();
    let run = 0;
    const first = fc.constantFrom(
      'claim',
      'fail',
      'release',
      'pass on',
      'reap',
      'settle',
      'started',
      'regroup',
      'stop',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 6 }), first, async (damages, meets) => {
        const pool = `${fixture.pool}-${run++}`;
        const keys = link.keys.pool(pool);
        const shard = await openShard(link, pool);
        await fill(shard);
        const tokens = new Map<string, string>();
        for (const key of KEYS) tokens.set(key, String((await shard.readJob(key, 'token'))[0] ?? '0'));
        for (const one of damages) await apply(link, keys, one);
        const hurt = new Set(damages.map(([, key]) => key));
        await joinWorker(shard, 'heir');
        const epoch = await epochOf(shard);
        for (const key of hurt) {
          const token = Number(tokens.get(key));
          const target = { worker: 'heir', epoch, capacity: 100 };
          if (meets === 'fail') await shard.fail('w', key, token, 'no', 0, false);
          if (meets === 'release') await shard.release('w', key, token, undefined, 'drain');
          if (meets === 'pass on') await shard.release('w', key, token, target, 'drain');
          // Nobody has a job that was never assigned.
          if (meets === 'settle' && token > 0) await shard.settle('w', [key, token, 'completed', '']);
          if (meets === 'started') await shard.started('w', [key, token, 1]);
          if (meets === 'regroup') await shard.regroup([key, 'other', key, 'default']);
          const refused = (error: unknown) => expect(error).toBeInstanceOf(WrongTypeError);
          if (meets === 'stop') await shard.stop(`s-${key}`, key, 'me').catch(refused);
          await shard.notify(`n-${key}`, key, 'x').catch(refused);
          await shard.takeNotes(key, token, '', 0, 1).catch(refused);
          await shard.dispatch(request(key, { id: `second-${key}` })).catch(refused);
        }
        if (meets === 'reap') {
          await passTime(link, pool, 700_000);
          for (let step = 0; (await shard.reap(5, 0.5)).status === 'REAPED'; step++) expect(step).toBeLessThan(20);
        }
        await joinWorker(shard, 'w');
        await joinWorker(shard, 'heir');
        await passTime(link, pool, 60_000);
        const done = [...(await workOff(shard, 'heir')), ...(await workOff(shard, 'w'))];
        for (const key of KEYS) {
          if (!hurt.has(key) && !key.startsWith('stopping')) expect(done, key).toContain(key);
        }
        const { violations } = await checkInvariants(link, pool);
        const whole = ['COUNT_DIFFERS', 'QUEUED_DIFFERS', 'TOKEN_ABOVE_HIGH_WATER', 'NOTES_WITHOUT_JOB'];
        expect(violations.filter(({ code }) => whole.includes(code))).toEqual([]);
        // A hint to a worker of whom a record speaks and who is none leaves its number.
        const harmless = ['CLOCK_AHEAD', 'MEMBER_INFO_LEFT'];
        const others = violations.filter(({ code }) => !harmless.includes(code));
        expect(others.filter(({ job }) => job === null || !hurt.has(job))).toEqual([]);
      }),
      { numRuns: Number(process.env.PONOS_TEST_RUNS ?? 60) },
    );
  });

  it.each([
    ['attempt', 'waiting'],
    ['payload', 'waiting'],
    ['terms', 'waiting'],
    ['attempt', 'running'],
    ['payload', 'running'],
  ])('without %s of one %s job a worker runs the others, and tells that one once', async (field, when) => {
    const link = await fixture.look();
    const client = await fixture.client({
      lease: { leaseMs: 1800, marginMs: 500, graceMs: 300, clampMs: 350, stopBudgetMs: 400 },
    });
    const keys = link.keys.pool(fixture.pool);
    const all = Array.from({ length: 10 }, (_, at) => `job-${at}`);
    const running = new Set<string>();
    const errors: unknown[] = [];
    const join = async (id: string) => {
      const node = await fixture.node();
      node.events.on('error', error => errors.push(error));
      const handler = {
        start: ({ key, signal }: { key: string; signal: AbortSignal }) => {
          running.add(key);
          signal.addEventListener('abort', () => running.delete(key));
        },
      };
      const worker = await node.addWorker({ id, handler });
      worker.events.on('error', error => errors.push(error));
      return node;
    };
    const first = when === 'running' ? await join('first') : undefined;
    for (const key of all) await client.dispatch(key, 'x', first ? { wait: 'started' } : {});
    await link.commands.call('HDEL', keys.job('job-3'), field);
    if (first) {
      fixture.partition(first);
      await until(() => running.size === 0, 'the first worker to be fenced');
      errors.length = 0;
    }
    await join('second');
    const before = await commandCount(link, 'evalsha');
    await until(() => running.size === 9, 'the other jobs to run');
    expect(running.has('job-3')).toBe(false);
    const broken = async () => (await listLedger(link, fixture.pool)).filter(({ type }) => type === 'broken');
    await until(async () => (await broken()).length > 0, 'the broken job to be told');
    expect(await broken()).toMatchObject([{ key: 'job-3', detail: expect.stringContaining(field) }]);
    expect(errors.filter(error => !String(error).includes('does not answer'))).toEqual([]);
    expect((await commandCount(link, 'evalsha')) - before).toBeLessThan(300);
    expect(await showPool(link, fixture.pool)).toMatchObject({ jobCount: 9, queuedCount: 0 });
  });

  it('a worker whose set was overwritten keeps no other from being reaped', async () => {
    fixture.expectViolations();
    const link = await fixture.look();
    const shard = await openShard(link, fixture.pool);
    const keys = link.keys.pool(fixture.pool);
    for (const worker of ['a', 'b', 'c']) {
      await joinWorker(shard, worker);
      await shard.dispatch(request(`of-${worker}`, { worker, epoch: await epochOf(shard) }));
    }
    await link.commands.call('DEL', keys.owned('a'));
    await link.commands.call('SET', keys.owned('a'), 'foreign');
    await passTime(link, fixture.pool, 700_000);
    const reaped: string[] = [];
    for (;;) {
      const reply = await shard.reap(10, 0.5);
      if (reply.status !== 'REAPED') break;
      reaped.push(reply.worker);
    }
    expect(reaped).toEqual(['b', 'c']);
    // What it owned may be told by its record; nothing of it is thrown away.
    expect(String(await link.commands.call('GET', keys.owned('a')))).toBe('foreign');
    expect((await shard.due('default', 0, 10)).keys.map(String)).toEqual(['of-b', 'of-c']);
    const { violations } = await checkInvariants(link, fixture.pool);
    expect(violations.map(({ code }) => code)).toContain('WRONG_TYPE');
  });

  it('who waits for a job whose record is broken is told', async () => {
    const link = await fixture.look();
    const client = await fixture.client();
    const waiting = client.dispatch('a', 'x', { wait: 'completed' });
    const refused = expect(waiting).rejects.toThrow('set aside: its record was without a valid payload');
    const name = link.keys.pool(fixture.pool).job('a');
    await until(async () => (await link.commands.call('HDEL', name, 'payload')) === 1, 'the payload to go');
    const node = await fixture.node();
    await node.addWorker({ handler: { start() {} } });
    await refused;
  });

  it.each(['{', '', 'null', '7', '{"group":7,"capacity":"x"}', '{"group":"default","capacity":1e999}'])(
    'a member that says %s of itself stops nobody, is told, and says it again',
    async text => {
      fixture.expectViolations();
      const link = await fixture.look();
      const shard = await openShard(link, fixture.pool);
      await joinWorker(shard, 'dead');
      const { memberInfo } = link.keys.pool(fixture.pool);
      await link.commands.call('HSET', memberInfo, 'info:dead', text);
      const client = await PoolClient.open(link, fixture.pool);
      const node = await fixture.node();
      const errors: unknown[] = [];
      node.events.on('error', error => errors.push(error));
      const worker = await node.addWorker({ id: 'w', handler: { start() {} } });
      worker.events.on('error', error => errors.push(error));
      await Promise.all(['a', 'b', 'c', 'd'].map(key => client.dispatch(key, '', { wait: 'started' })));
      const { violations } = await checkInvariants(link, fixture.pool);
      // An empty text is as good as none.
      if (text !== '') expect(violations).toMatchObject([{ code: 'MEMBER_INFO_BROKEN', worker: 'dead' }]);
      expect(await listWorkers(link, fixture.pool)).toHaveLength(2);
      await link.commands.call('HSET', memberInfo, 'info:w', text);
      await joinWorker(shard, 'other');
      const info = async () => String(await link.commands.call('HGET', memberInfo, 'info:w'));
      await until(async () => (await info()) !== text, 'the worker to say again what it is');
      await client.dispatch('e', '', { wait: 'started' });
      expect(errors).toEqual([]);
      await client.close();
    },
  );

  it('settings that are no numbers are told by a typed error, and a schedule whose tick is none waits', async () => {
    fixture.expectViolations();
    const link = await fixture.look();
    const node = await fixture.node();
    const { config, schedule } = link.keys.pool(fixture.pool);
    let tickCount = 0;
    const ticker = await node.ticker('t', { everyMs: 100 }, () => {
      tickCount++;
    });
    await until(() => tickCount > 0, 'a tick');
    // A tick that is under way writes the next one.
    const isDamaged = async () => {
      await link.commands.call('HSET', schedule('t'), 'next', 'x');
      const [claim, next] = (await link.commands.call('HMGET', schedule('t'), 'claim', 'next')) as unknown[];
      return claim === null && String(next) === 'x';
    };
    await until(isDamaged, 'the tick to be no number');
    ticker.poke();
    const before = await commandCount(link, 'evalsha');
    const beganMs = performance.now();
    await until(() => performance.now() - beganMs > 1000, 'some rounds');
    expect((await commandCount(link, 'evalsha')) - before).toBeLessThan(60);
    expect(await listSchedules(link, fixture.pool)).toMatchObject([{ name: 't', nextAtMs: null }]);
    for (const [field, value] of [
      ['shards', 'x'],
      ['shards', '99999999999999999999'],
      ['clamp-ms', ''],
    ] as const) {
      const [stood] = (await link.commands.call('HMGET', config, field)) as Buffer[];
      await link.commands.call('HSET', config, field, value);
      await expect(PoolClient.open(link, fixture.pool)).rejects.toMatchObject({ code: 'POOL_DAMAGED' });
      expect(await showPool(link, fixture.pool)).toMatchObject({ shardCount: 1 });
      await link.commands.call('HSET', config, field, stood as Buffer);
    }
  });
});
