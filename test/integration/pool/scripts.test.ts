import { describe, expect, it } from 'vitest';
import { setAsideScript } from '../../../src/engine/pool/scripts.gen.ts';
import type { Shard } from '../../../src/engine/pool/shard.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { dumpKeys } from '../../support/dump.ts';
import { usePool } from '../../support/pool.ts';
import { epochOf, joinWorker, LONG_LEASE, openShard, passTime, request } from '../../support/shard.ts';

describe('the scripts of a shard', () => {
  const fixture = usePool();

  async function setUp(limit?: number) {
    const link = await fixture.connect();
    const shard = await openShard(link, fixture.pool, limit);
    return { link, shard };
  }

  async function dispatchTo(shard: Shard, worker: string, key: string): Promise<number> {
    const reply = await shard.dispatch(request(key, { worker, epoch: await epochOf(shard) }));
    if (reply.status !== 'ASSIGNED') throw new Error(`dispatch of ${key}: ${reply.status}`);
    return reply.token;
  }

  const texts = (list: unknown[]) => list.map(item => (typeof item === 'number' ? item : String(item)));

  it('count an epoch for every change of the members, and none for a repetition', async () => {
    const { shard } = await setUp();
    const first = await joinWorker(shard, 'a');
    expect(await joinWorker(shard, 'a')).toEqual(first);
    const second = await joinWorker(shard, 'b');
    expect(second.status === 'REGISTERED' && first.status === 'REGISTERED' && second.epoch - first.epoch).toBe(1);
    const drained = await shard.drain('b');
    expect(await shard.drain('b')).toEqual(drained);
    // Of an earlier process under that name.
    expect(await shard.drain('a', 7)).toEqual({ status: 'ABSENT' });
    const left = await shard.leave('b', 1);
    expect(await shard.leave('b', 1)).toEqual(left);
    expect(await shard.drain('b')).toEqual({ status: 'ABSENT' });
  });

  it('assign only at the epoch of the caller, to a live worker with room', async () => {
    const { shard } = await setUp();
    await joinWorker(shard, 'a');
    const epoch = await epochOf(shard);
    expect((await shard.dispatch(request('old', { worker: 'a', epoch: epoch - 1 }))).status).toBe('PENDING');
    expect((await shard.dispatch(request('who', { worker: 'nobody', epoch }))).status).toBe('PENDING');
    expect((await shard.dispatch(request('one', { worker: 'a', epoch, capacity: 1 }))).status).toBe('ASSIGNED');
    expect((await shard.dispatch(request('two', { worker: 'a', epoch, capacity: 1 }))).status).toBe('PENDING');
    expect((await shard.dispatch(request('late', { worker: 'a', epoch, delayMs: 5 }))).status).toBe('PENDING');
  });

  it('mint tokens that only grow, also when the counter was lost', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    const tokens = [await dispatchTo(shard, 'a', 'k1'), await dispatchTo(shard, 'a', 'k2')];
    await link.commands.call('HSET', link.keys.pool(fixture.pool).config, 'token', '0');
    fixture.expectViolations();
    tokens.push(await dispatchTo(shard, 'a', 'k3'));
    expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
    expect(new Set(tokens).size).toBe(3);
  });

  it('number the hints of a worker above all of before, also after its membership ended', async () => {
    const { link, shard } = await setUp();
    const mailOf = async () => {
      const reply = await joinWorker(shard, 'a');
      if (reply.status !== 'REGISTERED') throw new Error(reply.status);
      return reply.mail;
    };
    const first = await mailOf();
    await dispatchTo(shard, 'a', 'k');
    // As after many notifications: no token was minted for them.
    await link.commands.call('HINCRBY', link.keys.pool(fixture.pool).memberInfo, 'mail:a', 1_000_000_000_000);
    await passTime(link, fixture.pool, LONG_LEASE.leaseMs + LONG_LEASE.graceMs);
    expect(await shard.reap(10, 0)).toMatchObject({ status: 'REAPED', worker: 'a', count: 1 });
    const second = await mailOf();
    expect(second).toBeGreaterThanOrEqual(first + 1_000_000_000_001);
    await shard.drain('a');
    await shard.leave('a', 1);
    expect(await mailOf()).toBeGreaterThan(second);
  });

  it('renew a lease that stands, and never one that is over', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    expect((await shard.renew(link.commands, 'a', 1)).status).toBe('RENEWED');
    const health = () => link.commands.call('HGET', link.keys.pool(shard.pool).memberInfo, 'health:a').then(String);
    await shard.renew(link.commands, 'a', 1, 'fine');
    await shard.renew(link.commands, 'a', 1);
    expect(await health()).toBe('fine');
    expect((await shard.renew(link.commands, 'a', 2, 'old')).status).toBe('EXPIRED');
    expect(await health()).toBe('fine');
    await passTime(link, fixture.pool, LONG_LEASE.leaseMs + 1);
    expect((await shard.renew(link.commands, 'a', 1)).status).toBe('EXPIRED');
  });

  it('settle, fail and release only under the present token', async () => {
    const { shard } = await setUp();
    await joinWorker(shard, 'a');
    const token = await dispatchTo(shard, 'a', 'k');
    expect(texts((await shard.settle('a', ['k', token - 1, 'completed', ''])).states)).toEqual(['gone']);
    expect((await shard.fail('a', 'k', token - 1, 'x', 0, false)).status).toBe('GONE');
    expect((await shard.release('a', 'k', token - 1, undefined, 'move')).status).toBe('GONE');
    expect(texts((await shard.started('a', ['k', token - 1, ''])).states)).toEqual(['gone']);
    expect(texts((await shard.started('a', ['k', token, ''])).states)).toEqual([0]);
    expect(texts((await shard.settle('a', ['k', token, 'completed', ''])).states)).toEqual(['ended']);
    expect(texts((await shard.settle('a', ['k', token, 'completed', ''])).states)).toEqual(['gone']);
  });

  it('answer a dispatch sent again the same, before and after the job ended', async () => {
    const { shard } = await setUp();
    await joinWorker(shard, 'a');
    const epoch = await epochOf(shard);
    const first = await shard.dispatch(request('k', { worker: 'a', epoch }));
    expect(await shard.dispatch(request('k', { worker: 'a', epoch }))).toEqual(first);
    expect((await shard.dispatch(request('k', { id: 'another' }))).status).toBe('EXISTS');
    const token = first.status === 'ASSIGNED' ? first.token : 0;
    await shard.settle('a', ['k', token, 'completed', '']);
    expect(await shard.dispatch(request('k', { worker: 'a', epoch }))).toEqual({
      status: 'ENDED',
      epoch,
      outcome: 'completed',
      worker: 'a',
      token,
    });
  });

  it('hand a job to its next owner in one step, with a new token and the same attempt', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    await joinWorker(shard, 'b');
    const token = await dispatchTo(shard, 'a', 'k');
    const target = { worker: 'b', epoch: await epochOf(shard), capacity: 1 };
    const moved = await shard.release('a', 'k', token, target, 'move');
    expect(moved.status === 'ASSIGNED' && moved.token).toBeGreaterThan(token);
    expect((await shard.readJob('k', 'worker', 'attempt', 'state')).map(String)).toEqual(['b', '1', 'assigned']);
    const other = await dispatchTo(shard, 'a', 'k2');
    // No room there: back to the queue.
    expect((await shard.release('a', 'k2', other, target, 'move')).status).toBe('PENDING');
    const { pending } = link.keys.pool(fixture.pool);
    expect(await link.commands.call('ZCARD', pending('default'))).toBe(1);
  });

  it('back off exponentially and bury after the last attempt; the dead set is capped', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    const epoch = await epochOf(shard);
    const worker = { id: 'a', incarnation: 1, group: 'default', capacity: 100 };
    for (const key of ['k1', 'k2', 'k3', 'k4']) {
      let token = await dispatchTo(shard, 'a', key);
      const delays: number[] = [];
      for (;;) {
        const reply = await shard.fail('a', key, token, 'broke', 0, false);
        if (reply.status !== 'RETRY') {
          expect(reply).toEqual({ status: 'DEAD', attempt: 3 });
          break;
        }
        delays.push(reply.delay_ms);
        expect((await shard.assign(worker, epoch, [key])).status === 'ASSIGNED').toBe(true);
        await passTime(link, fixture.pool, reply.delay_ms);
        const again = await shard.assign(worker, epoch, [key]);
        if (again.status !== 'ASSIGNED') throw new Error(again.status);
        const [row] = again.jobs as [[Buffer, Buffer, number, Buffer]];
        token = Number(String(row[1]));
      }
      expect(delays).toEqual([500, 1000]);
    }
    const dead = (await link.commands.call('ZRANGE', link.keys.pool(fixture.pool).dead, 0, -1)) as Buffer[];
    expect(dead.length).toBe(3);
  });

  it('count an attempt that died with its worker, and forget attempts of a service that ran a whole lease', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    const crash = async () => {
      await passTime(link, fixture.pool, LONG_LEASE.leaseMs + LONG_LEASE.graceMs + 1);
      while ((await shard.reap(100, 0)).status === 'REAPED');
      await joinWorker(shard, 'a', 1, 'another process');
      await passTime(link, fixture.pool, 60_000);
    };
    const take = async () => {
      const worker = { id: 'a', incarnation: 1, group: 'default', capacity: 100 };
      const reply = await shard.assign(worker, await epochOf(shard), ['k']);
      if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
      return (reply.jobs as [Buffer, Buffer, number, Buffer][])[0];
    };
    const token = await dispatchTo(shard, 'a', 'k');
    await shard.started('a', ['k', token, LONG_LEASE.leaseMs]);
    await crash();
    const second = await take();
    expect(second?.[2]).toBe(2);
    await shard.started('a', ['k', Number(String(second?.[1])), LONG_LEASE.leaseMs]);
    // It renews for a whole lease: what comes after is a first attempt again.
    for (let i = 0; i < 3; i++) {
      await passTime(link, fixture.pool, LONG_LEASE.leaseMs / 2);
      expect((await shard.renew(link.commands, 'a', 1)).status).toBe('RENEWED');
    }
    await crash();
    expect((await take())?.[2]).toBe(1);
    await crash();
    expect((await take())?.[2]).toBe(2);
    await crash();
    expect((await take())?.[2]).toBe(3);
    await crash();
    expect(await shard.readJob('k', 'state')).toEqual([null]);
    expect(await link.commands.call('ZCARD', link.keys.pool(fixture.pool).dead)).toBe(1);
  });

  it('count no attempt that a lost lease cut short, as long as the process lives', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a', 1, 'one process');
    const token = await dispatchTo(shard, 'a', 'k');
    await shard.started('a', ['k', token, '']);
    for (let incarnation = 2; incarnation < 8; incarnation++) {
      await passTime(link, fixture.pool, LONG_LEASE.leaseMs + 1);
      await joinWorker(shard, 'a', incarnation, 'one process');
      const reply = await shard.claim('a', incarnation, ['k', '']);
      if (reply.status !== 'CLAIMED') throw new Error(reply.status);
      const [row] = reply.jobs as [Buffer, Buffer, Buffer, number][];
      expect(row?.[3]).toBe(1);
      await shard.started('a', ['k', Number(String(row?.[2])), '']);
    }
    await passTime(link, fixture.pool, LONG_LEASE.leaseMs + LONG_LEASE.graceMs + 1);
    await joinWorker(shard, 'a', 1, 'another process');
    const reply = await shard.claim('a', 1, ['k', '']);
    expect(reply.status === 'CLAIMED' && (reply.jobs as unknown[][])[0]?.[3]).toBe(2);
  });

  it('give a new incarnation its jobs under new tokens, and end those that were to stop', async () => {
    const { shard } = await setUp();
    await joinWorker(shard, 'a');
    const kept = await dispatchTo(shard, 'a', 'kept');
    const stopped = await dispatchTo(shard, 'a', 'stopped');
    await shard.started('a', ['kept', kept, '', 'stopped', stopped, '']);
    expect((await shard.stop('s', 'stopped', '')).status).toBe('STOPPING');
    await joinWorker(shard, 'a', 2);
    expect((await shard.claim('a', 1, ['kept', ''])).status).toBe('EXPIRED');
    const reply = await shard.claim('a', 2, ['kept', '', 'stopped', '', 'never', '']);
    if (reply.status !== 'CLAIMED') throw new Error(reply.status);
    const rows = reply.jobs as unknown[][];
    expect(rows.map(([state, key]) => `${state} ${key}`)).toEqual(['claimed kept', 'gone stopped', 'gone never']);
    expect(Number(String(rows[0]?.[2]))).toBeGreaterThan(kept);
    expect(rows[0]?.[3]).toBe(1);
    expect(texts((await shard.settle('a', ['kept', kept, 'completed', ''])).states)).toEqual(['gone']);
  });

  it('reap in bounded batches, only after lease and grace', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    for (let i = 0; i < 25; i++) await dispatchTo(shard, 'a', `k${i}`);
    await passTime(link, fixture.pool, LONG_LEASE.leaseMs + LONG_LEASE.graceMs - 5000);
    expect((await shard.reap(10, 0)).status).toBe('NONE');
    await passTime(link, fixture.pool, 6000);
    const counts: number[] = [];
    for (let more = 1; more === 1; ) {
      const reply = await shard.reap(10, 0);
      if (reply.status !== 'REAPED') throw new Error(reply.status);
      counts.push(reply.count);
      more = reply.more;
    }
    expect(counts).toEqual([10, 10, 5]);
    expect((await shard.due('default', 0, 100)).keys.length).toBe(25);
  });

  it('move the logical clock by no more than the clamp, whatever Redis believes', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    const { config, members } = link.keys.pool(fixture.pool);
    const clock = async () => Number(String(((await link.commands.call('HMGET', config, 'clock')) as Buffer[])[0]));
    const before = await clock();
    // Redis's clock stepped by an hour, as seen from the shard.
    for (const step of [-3_600_000_000, 3_600_000_000]) {
      await link.commands.call('HINCRBY', config, 'last-time', step);
      await epochOf(shard);
    }
    expect((await clock()) - before).toBeLessThanOrEqual(LONG_LEASE.clampMs * 1000 + 1_000_000);
    expect(await link.commands.call('ZCARD', members)).toBe(1);
  });

  it('read the terms of a job although a later version added words to them', async () => {
    const { link, shard } = await setUp();
    await joinWorker(shard, 'a');
    const token = await dispatchTo(shard, 'a', 'k');
    const record = link.keys.pool(fixture.pool).job('k');
    const longer = `${String((await shard.readJob('k', 'terms'))[0])} more and-more`;
    await link.commands.call('HSET', record, 'terms', longer);
    // Terms that cannot be read count as one attempt.
    expect(await shard.fail('a', 'k', token, 'no', 0, false)).toMatchObject({ status: 'RETRY' });
    expect(String((await shard.readJob('k', 'terms'))[0])).toBe(longer);
    const aside = { aside: 'aside', expected: 'hash', kind: 'record' };
    expect(await link.commands.run(setAsideScript, { name: record }, aside)).toEqual({ status: 'FINE' });
  });

  it('say LOST to a generation they do not know, and write nothing', async () => {
    const { link, shard } = await setUp();
    await link.commands.call('DEL', link.keys.pool(fixture.pool).config);
    const other = await openShard(await fixture.connect(), fixture.pool);
    expect(other.generation).not.toBe(shard.generation);
    const lost = shard.events.once('lost');
    await joinWorker(shard, 'a');
    await lost;
    expect(shard.generation).toBe(other.generation);
  });
});

describe('a key of a wrong type', () => {
  const fixture = usePool();

  type Names = Record<string, string | Buffer>;
  type Act = (shard: Shard, tokens: Record<string, number>, link: RedisLink) => Promise<unknown>;
  const worker = { id: 'a', incarnation: 1, group: 'default', capacity: 100 };
  const acts: Record<string, Act> = {
    register: shard => joinWorker(shard, 'c'),
    renew: (shard, _, link) => shard.renew(link.commands, 'a', 1),
    drain: shard => shard.drain('b'),
    leave: shard => shard.leave('b', 1),
    members: shard => shard.members('a', 'default', 0),
    dispatch: async shard => shard.dispatch(request('new', { id: 'r', worker: 'a', epoch: 3 })),
    'dispatch to the queue': shard => shard.dispatch(request('new', { id: 'r' })),
    due: shard => shard.due('default', 0, 10),
    assign: shard => shard.assign(worker, 3, ['waits']),
    claim: shard => shard.claim('a', 1, ['runs', '']),
    started: (shard, { runs }) => shard.started('a', ['runs', runs as number, '']),
    settle: (shard, { runs }) => shard.settle('a', ['runs', runs as number, 'completed', '']),
    fail: (shard, { runs }) => shard.fail('a', 'runs', runs as number, 'x', 0, false),
    'fail for good': (shard, { runs }) => shard.fail('a', 'runs', runs as number, 'x', 0, true),
    release: (shard, { runs }) => shard.release('a', 'runs', runs as number, undefined, 'move'),
    'release to another': (shard, { runs }) =>
      shard.release('a', 'runs', runs as number, { worker: 'b', epoch: 3, capacity: 9 }, 'move'),
    'stop of one that waits': shard => shard.stop('r', 'waits', ''),
    'stop of one that runs': shard => shard.stop('r', 'runs', ''),
    notify: shard => shard.notify('r', 'runs', 'note'),
    takeNotes: (shard, { runs }) => shard.takeNotes('runs', runs as number, '', 0, 0),
    reap: shard => shard.reap(10, 0),
    raiseProtocol: shard => shard.raiseProtocol(2, false),
    regroup: shard => shard.regroup(['runs', 'default', 'waits', 'heavy']),
  };
  /** One bad record must not stop a batch: the others in it go on, and the bad key is left alone. */
  const batches = new Set(['assign', 'claim', 'started', 'settle', 'members', 'due', 'regroup']);

  it.each(Object.keys(acts))('is named by %s, and nothing is half written', async name => {
    fixture.expectViolations();
    const link = await fixture.connect();
    const keys = link.keys.pool(fixture.pool);
    const names: Names = {
      config: keys.config,
      members: keys.members,
      memberInfo: keys.memberInfo,
      groups: keys.groups,
      pending: keys.pending('default'),
      own: keys.owned('a'),
      dead: keys.dead,
      ledger: keys.ledger,
      job: keys.job('runs'),
      newJob: keys.job('new'),
      notes: keys.notes('runs'),
      record: keys.dispatch('r'),
      outcome: keys.dispatch('id-runs'),
    };
    let refusedCount = 0;
    for (const bad of Object.values(names)) {
      await link.commands.call('FLUSHALL');
      const shard = await openShard(link, fixture.pool);
      await joinWorker(shard, 'a');
      await joinWorker(shard, 'b');
      const first = await shard.dispatch(request('runs', { worker: 'a', epoch: 3 }));
      if (first.status !== 'ASSIGNED') throw new Error(first.status);
      await shard.dispatch(request('waits'));
      if (name === 'reap') await passTime(link, fixture.pool, LONG_LEASE.leaseMs + LONG_LEASE.graceMs + 1);
      await link.commands.call('SET', bad, 'not ours');
      const before = await dumpKeys(link, '');
      try {
        await acts[name]?.(shard, { runs: first.token }, link);
      } catch (error) {
        refusedCount++;
        expect(error).toMatchObject({ code: 'WRONG_TYPE', message: expect.stringContaining(String(bad)) });
        expect(await dumpKeys(link, '')).toEqual(before);
      }
      // What stands under the name of a job's notifications goes with the job.
      if (bad === names.notes) continue;
      // Nobody can run a job whose record somebody overwrote: what stands there is set aside as it is.
      const aside = keys.asidePrefix + String(bad).slice(keys.base.length + 1);
      const kept =
        (await link.commands.call('GET', bad)) ?? (bad === names.job && (await link.commands.call('GET', aside)));
      expect(String(kept)).toBe('not ours');
    }
    expect(refusedCount).toBeGreaterThan(batches.has(name) ? 0 : 1);
  });
});
