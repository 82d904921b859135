import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { repairPool } from '../../../src/engine/admin/repair.ts';
import { QuarantineError } from '../../../src/engine/core/errors.ts';
import { checkInvariants } from '../../../src/engine/inspect/invariants/invariants.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { usePool } from '../../support/pool.ts';
import { joinWorker, openShard, passTime, putSchedules, request } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

type Keys = ReturnType<RedisLink['keys']['pool']>;
type Command = [string, ...(string | number)[]];

const JOBS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const;
const WORKERS = ['w1', 'w2', 'stranger'] as const;
const GROUPS = ['default', 'other', 'unheard'] as const;
/** Stands for the name of the pool in commands made before there is one. */
const ANY_POOL = 'any-pool';

/** Jobs that wait in two groups, jobs of two workers in every state, a dead one, notifications, schedules. */
async function fill(link: RedisLink, pool: string): Promise<Keys> {
  const shard = await openShard(link, pool);
  await joinWorker(shard, 'w1');
  await joinWorker(shard, 'w2');
  const { epoch } = await shard.members('', 'default', 0);
  const assign = async (key: string, worker: 'w1' | 'w2') => {
    const reply = await shard.dispatch(request(key, { worker, epoch }));
    if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
    return reply.token;
  };
  await shard.dispatch(request('a', { delayMs: 60_000 }));
  await shard.dispatch(request('b', { group: 'other' }));
  await assign('c', 'w1');
  await shard.started('w1', ['d', await assign('d', 'w1'), '']);
  await shard.started('w2', ['e', await assign('e', 'w2'), '']);
  await assign('f', 'w2');
  await shard.stop('stop-f', 'f', '');
  await shard.fail('w1', 'g', await assign('g', 'w1'), 'broke', 0, true);
  await assign('h', 'w1');
  await shard.notify('n1', 'd', 'note');
  await shard.notify('n2', 'a', 'note');
  await putSchedules(shard);
  return link.keys.pool(pool);
}

const job = fc.constantFrom(...JOBS, 'ghost');
const worker = fc.constantFrom(...WORKERS);
const group = fc.constantFrom(...GROUPS);
const schedule = fc.constantFrom('hourly', 'paused', 'ticker', 'gone');
const due = fc.constantFrom('+inf', '-inf', 1, 9e15);
const number = fc.integer({ min: 0, max: 1_000_000 });

/** Anything but the job records may be changed. */
const damage = (keys: Keys): fc.Arbitrary<Command> =>
  fc.oneof(
    fc.tuple(worker, job).map(([w, j]): Command => ['SREM', keys.owned(w), j]),
    fc.tuple(worker, job).map(([w, j]): Command => ['SADD', keys.owned(w), j]),
    fc.tuple(group, job).map(([g, j]): Command => ['ZREM', keys.pending(g), j]),
    fc.tuple(group, number, job).map(([g, n, j]): Command => ['ZADD', keys.pending(g), n, j]),
    worker.map((w): Command => ['DEL', keys.owned(w)]),
    group.map((g): Command => ['DEL', keys.pending(g)]),
    worker.map((w): Command => ['ZREM', keys.members, w]),
    fc.constantFrom(keys.members, keys.memberInfo, keys.groups, keys.dead).map((name): Command => ['DEL', name]),
    fc.tuple(fc.constantFrom('count', 'queued', 'token'), number).map(([f, n]): Command => ['HSET', keys.config, f, n]),
    job.map((j): Command => ['ZADD', keys.dead, 1, j]),
    job.map((j): Command => ['ZREM', keys.dead, j]),
    job.map((j): Command => ['RPUSH', String(keys.notes(j)), 'x']),
    worker.map((w): Command => ['HSET', keys.memberInfo, `mail:${w}`, 3]),
    group.map((g): Command => ['SREM', keys.groups, g]),
    schedule.map((s): Command => ['ZREM', keys.schedules, s]),
    fc.tuple(due, schedule).map(([n, s]): Command => ['ZADD', keys.schedules, n, s]),
  );

async function records(link: RedisLink, keys: Keys): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (const key of JOBS) {
    for (const name of [keys.job(key), keys.deadJob(key)]) {
      found.set(String(name), await link.commands.call('HGETALL', name));
    }
  }
  return found;
}

describe('repair', () => {
  const fixture = usePool();

  it('restores the invariants after any change to what is derived, and touches no job', {
    timeout: 120_000,
  }, async () => {
    const link = await fixture.look();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(damage(link.keys.pool(ANY_POOL)), { minLength: 1, maxLength: 25 }), async damages => {
        const pool = `${fixture.pool}-${run++}`;
        const keys = await fill(link, pool);
        const before = await records(link, keys);
        for (const [command, ...args] of damages) {
          await link.commands.call(command, ...args.map(arg => String(arg).replace(ANY_POOL, pool)));
        }
        const report = await repairPool(link, pool);
        expect(report.violations).toEqual([]);
        expect((await checkInvariants(link, pool)).violations).toEqual([]);
        expect(await records(link, keys)).toEqual(before);
        // And the protocol can go on from there: whoever owned jobs is reaped like anybody.
        const shard = await openShard(link, pool);
        await passTime(link, pool, 700_000);
        for (let step = 0; (await shard.reap(100, 0.5)).status === 'REAPED'; step++) expect(step).toBeLessThan(10);
        const { violations } = await checkInvariants(link, pool);
        expect(violations.filter(({ code }) => code !== 'CLOCK_AHEAD')).toEqual([]);
        const states = JOBS.map(
          key => link.commands.call('HMGET', keys.job(key), 'state') as Promise<(Buffer | null)[]>,
        );
        expect((await Promise.all(states)).map(([state]) => state && String(state))).toEqual([
          ...['pending', 'pending', 'pending', 'pending', 'pending'],
          null, // was to stop
          null, // was dead
          'pending',
        ]);
      }),
      { numRuns: Number(process.env.PONOS_TEST_RUNS ?? 60) },
    );
  });

  it('changes nothing in a pool that is whole', async () => {
    const link = await fixture.look();
    await fill(link, fixture.pool);
    expect(await repairPool(link, fixture.pool)).toMatchObject({ repairedCount: 0, violations: [], removed: [] });
  });

  it('reports what it cannot derive, and only on request sets it aside or deletes it', async () => {
    const link = await fixture.look();
    const keys = await fill(link, fixture.pool);
    await link.commands.call('HDEL', keys.job('c'), 'payload');
    await link.commands.call('DEL', keys.job('d'));
    await link.commands.call('SET', keys.job('d'), 'foreign');
    await link.commands.call('DEL', keys.pending('default'));
    await link.commands.call('SET', keys.pending('default'), 'foreign');
    const codes = ({ violations }: { violations: { code: string }[] }) => violations.map(({ code }) => code).sort();
    const kept = await repairPool(link, fixture.pool);
    expect(codes(kept)).toEqual(['RECORD_BROKEN', 'WRONG_TYPE', 'WRONG_TYPE']);
    expect(await link.commands.call('EXISTS', keys.job('c'), keys.job('d'))).toBe(2);

    const aside = await repairPool(link, fixture.pool, { broken: 'set-aside' });
    expect(aside.violations).toEqual([]);
    expect(aside).toMatchObject({ asideCount: 3, jobCount: 5 });
    expect([...aside.removed].sort()).toEqual(
      [String(keys.job('c')), String(keys.job('d')), keys.pending('default')].sort(),
    );
    expect(await link.commands.call('EXISTS', `${keys.asidePrefix}job:c`, `${keys.asidePrefix}job:d`)).toBe(2);
    // The queue was derived anew from the records.
    expect(await link.commands.call('ZCARD', keys.pending('default'))).toBe(1);

    await link.commands.call('HDEL', keys.job('h'), 'state');
    const deleted = await repairPool(link, fixture.pool, { broken: 'delete' });
    expect(deleted).toMatchObject({ violations: [], removed: [String(keys.job('h'))], jobCount: 4, asideCount: 3 });
  });

  it('waits while workers say what Redis may have lost', async () => {
    fixture.expectViolations();
    const link = await fixture.look();
    const keys = await fill(link, fixture.pool);
    await link.commands.call('RPUSH', keys.notes('lost'), 'note');
    await link.commands.call('HSET', keys.config, 'quarantine-until', Number.MAX_SAFE_INTEGER);
    await expect(repairPool(link, fixture.pool)).rejects.toBeInstanceOf(QuarantineError);
    expect(await link.commands.call('EXISTS', keys.notes('lost'))).toBe(1);
  });

  it('does nothing to a shard whose settings are gone, but says so', async () => {
    fixture.expectViolations();
    const link = await fixture.look();
    const keys = await fill(link, fixture.pool);
    await link.commands.call('DEL', keys.config);
    await link.commands.call('SREM', keys.owned('w1'), 'd');
    const { violations, repairedCount } = await repairPool(link, fixture.pool, { broken: 'delete' });
    expect(repairedCount).toBe(0);
    expect(violations.map(({ code }) => code)).toContain('CONFIG_MISSING');
  });

  it('may run beside workers: what is damaged under them comes back, and nothing runs twice', {
    timeout: 60_000,
  }, async () => {
    const alive = new Map<string, number>();
    let overlaps = 0;
    const handler = {
      start({ key }: { key: string }) {
        alive.set(key, (alive.get(key) ?? 0) + 1);
        if ((alive.get(key) ?? 0) > 1) overlaps++;
      },
      stop({ key }: { key: string }) {
        alive.set(key, (alive.get(key) ?? 0) - 1);
      },
    };
    const nodes = [await fixture.node(), await fixture.node()];
    const workers = await Promise.all(nodes.map(node => node.addWorker({ handler })));
    const client = await fixture.client();
    const keys = Array.from({ length: 40 }, (_, at) => `s-${at}`);
    await Promise.all(keys.map(key => client.dispatch(key)));
    const runs = () => keys.every(key => alive.get(key) === 1);
    await until(runs, 'all to run');
    const link = await fixture.look();
    const names = link.keys.pool(fixture.pool);
    const [first, second] = workers.map(({ id }) => names.owned(id)) as [string, string];
    await link.commands.call('DEL', first);
    await link.commands.call('SADD', second, ...keys.slice(0, 10));
    await link.commands.call('ZADD', names.pending('default'), 0, 's-5', 0, 's-6');
    await link.commands.call('HSET', names.config, 'count', 3);
    expect((await repairPool(link, fixture.pool)).violations).toEqual([]);
    await until(
      async () => runs() && (await checkInvariants(link, fixture.pool)).violations.length === 0,
      'all to run',
    );
    expect(overlaps).toBe(0);
  });
});
