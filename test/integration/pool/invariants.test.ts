import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../../src/engine/inspect/invariants/invariants.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { usePool } from '../../support/pool.ts';
import { joinWorker, openShard, putSchedules, request } from '../../support/shard.ts';

type Keys = ReturnType<RedisLink['keys']['pool']>;

/** One job that waits, one that is owned, one that is dead, one notification, a schedule, one that is paused, a ticker. */
async function fill(link: RedisLink, pool: string): Promise<Keys> {
  const shard = await openShard(link, pool);
  await joinWorker(shard, 'w');
  const { epoch } = await shard.members('', 'default', 0);
  await shard.dispatch(request('waits', { delayMs: 60_000 }));
  await shard.dispatch(request('owned', { worker: 'w', epoch }));
  const reply = await shard.dispatch(request('dies', { worker: 'w', epoch }));
  if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
  await shard.fail('w', 'dies', reply.token, 'no', 0, true);
  await shard.notify('n', 'owned', 'note');
  await putSchedules(shard);
  return link.keys.pool(pool);
}

/** What is done to a whole shard, and what is found then. */
const DAMAGES: Record<string, { code: string; job?: string; damage: (keys: Keys) => (string | number)[] }> = {
  'a queue without its job': { code: 'NOT_INDEXED', job: 'waits', damage: k => ['DEL', k.pending('default')] },
  'an owned set without its job': { code: 'NOT_INDEXED', job: 'owned', damage: k => ['SREM', k.owned('w'), 'owned'] },
  'a job in a second index': {
    code: 'MISPLACED',
    job: 'owned',
    damage: k => ['ZADD', k.pending('default'), 1, 'owned'],
  },
  'an index entry without a record': { code: 'NO_RECORD', job: 'ghost', damage: k => ['SADD', k.owned('w'), 'ghost'] },
  'a queue with another time': {
    code: 'NOT_BEFORE_DIFFERS',
    job: 'waits',
    damage: k => ['ZADD', k.pending('default'), 7, 'waits'],
  },
  'a token above the high-water': {
    code: 'TOKEN_ABOVE_HIGH_WATER',
    job: 'owned',
    damage: k => ['HSET', k.config, 'token', 5],
  },
  'a count': { code: 'COUNT_DIFFERS', damage: k => ['HSET', k.config, 'count', 9] },
  'a count of the queued': { code: 'QUEUED_DIFFERS', damage: k => ['HSET', k.config, 'queued', 0] },
  'a group that is not listed': { code: 'GROUP_UNLISTED', damage: k => ['DEL', k.groups] },
  'an owner that is no member': { code: 'OWNER_NOT_MEMBER', damage: k => ['ZREM', k.members, 'w'] },
  'a description of nobody': { code: 'MEMBER_INFO_LEFT', damage: k => ['HSET', k.memberInfo, 'mail:x', 1] },
  'notes of no job': { code: 'NOTES_WITHOUT_JOB', job: 'x', damage: k => ['RPUSH', String(k.notes('x')), 'n'] },
  'a dead job without a record': { code: 'DEAD_WITHOUT_RECORD', job: 'x', damage: k => ['ZADD', k.dead, 1, 'x'] },
  'a dead job that is not listed': { code: 'DEAD_UNLISTED', job: 'dies', damage: k => ['ZREM', k.dead, 'dies'] },
  'a schedule that nobody looks at': { code: 'SCHEDULE_MISPLACED', damage: k => ['ZREM', k.schedules, 'hourly'] },
  'a schedule that is due never': {
    code: 'SCHEDULE_MISPLACED',
    damage: k => ['ZADD', k.schedules, '+inf', 'hourly'],
  },
  'a schedule that is due too late': { code: 'SCHEDULE_MISPLACED', damage: k => ['ZADD', k.schedules, 9e15, 'hourly'] },
  'a paused schedule that is due': { code: 'SCHEDULE_MISPLACED', damage: k => ['ZADD', k.schedules, 1, 'paused'] },
  'a ticker that is due': { code: 'SCHEDULE_MISPLACED', damage: k => ['ZADD', k.schedules, 1, 'ticker'] },
  'a schedule without a record': { code: 'SCHEDULE_WITHOUT_RECORD', damage: k => ['ZADD', k.schedules, 1, 'gone'] },
  'a schedule of another type': { code: 'WRONG_TYPE', damage: k => ['SET', String(k.schedule('x')), 1] },
  'a record without its payload': {
    code: 'RECORD_BROKEN',
    job: 'owned',
    damage: k => ['HDEL', String(k.job('owned')), 'payload'],
  },
  'a record in no known state': {
    code: 'RECORD_BROKEN',
    job: 'waits',
    damage: k => ['HSET', String(k.job('waits')), 'state', 'odd'],
  },
  'settings that are gone': { code: 'CONFIG_MISSING', damage: k => ['DEL', k.config] },
  'a setting that is no number': { code: 'CONFIG_BROKEN', damage: k => ['HSET', k.config, 'clock', 'noon'] },
  'a clock that ran ahead': { code: 'CLOCK_AHEAD', damage: k => ['HSET', k.config, 'clock', 9e15] },
  'a key nobody knows': { code: 'UNKNOWN_KEY', damage: k => ['SET', `${k.base}:odd`, 1] },
  'a record of another type': { code: 'WRONG_TYPE', job: 'x', damage: k => ['SET', String(k.job('x')), 1] },
  'an outcome of another type': { code: 'WRONG_TYPE', damage: k => ['SET', k.dispatch('x'), 1] },
  'a ledger of another type': { code: 'WRONG_TYPE', damage: k => ['COPY', k.groups, k.ledger, 'REPLACE'] },
};

describe('the invariants of a pool', () => {
  const fixture = usePool();

  it('hold in a pool that was only ever used through its scripts', async () => {
    const link = await fixture.look();
    await fill(link, fixture.pool);
    expect(await checkInvariants(link, fixture.pool)).toMatchObject({
      shardCount: 1,
      jobCount: 2,
      violations: [],
      moreCount: 0,
    });
  });

  it.each(Object.entries(DAMAGES))('tell of %s', async (_, { code, job, damage }) => {
    fixture.expectViolations();
    const link = await fixture.look();
    const keys = await fill(link, fixture.pool);
    const [command, ...args] = damage(keys) as [string];
    await link.commands.call(command, ...args);
    const { violations } = await checkInvariants(link, fixture.pool);
    expect(violations).toContainEqual(expect.objectContaining({ code, shard: 0, ...(job ? { job } : {}) }));
  });

  it('tell of a job in a shard its key does not belong to, and look at every shard', async () => {
    fixture.expectViolations();
    const link = await fixture.look();
    const keys = await fill(link, fixture.pool);
    await link.commands.call('HSET', keys.config, 'shards', 2);
    const second = link.keys.pool(fixture.pool, 1);
    await link.commands.call('SADD', second.owned('w'), 'ghost');
    const { shardCount, violations } = await checkInvariants(link, fixture.pool);
    expect(shardCount).toBe(2);
    expect(violations).toContainEqual(expect.objectContaining({ code: 'NO_RECORD', shard: 1 }));
    expect(violations).toContainEqual(expect.objectContaining({ code: 'WRONG_SHARD', shard: 0, is: 'in shard 0' }));
  });

  it('are checked with reading commands alone, and say how far they are', async () => {
    const writing = await fixture.look();
    await fill(writing, fixture.pool);
    const link = await fixture.connect({ access: 'read-only' });
    const seen: number[] = [];
    const report = await checkInvariants(link, fixture.pool, { onProgress: count => seen.push(count) });
    expect(report.violations).toEqual([]);
    expect(seen.at(-1)).toBe(report.keyCount);
  });

  it('hold at any moment of a pool at work', { timeout: 60_000 }, async () => {
    const node = await fixture.node();
    await node.addWorker({ handler: { run: async () => 'done' }, capacity: 50 });
    const other = await fixture.node();
    await other.addWorker({ handler: { run: async () => 'done' }, capacity: 50 });
    const client = await fixture.client();
    const link = await fixture.look();
    let looking = true;
    const load = (async () => {
      for (let i = 0; looking; i++) {
        const keys = Array.from({ length: 20 }, (_, n) => `job-${i}-${n}`);
        await Promise.all(keys.map(key => client.dispatch(key, 'x', { delayMs: Math.random() < 0.3 ? 20 : 0 })));
      }
    })();
    try {
      for (let look = 0; look < 12; look++) {
        expect((await checkInvariants(link, fixture.pool)).violations).toEqual([]);
      }
    } finally {
      looking = false;
      await load;
    }
  });
});
