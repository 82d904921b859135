import { describe, expect, it } from 'vitest';
import { applyRoutes } from '../../../src/engine/admin/routes.ts';
import { planRoutes } from '../../../src/engine/inspect/route-plan.ts';
import type { Job } from '../../../src/engine/pool/handler.ts';
import { regroupScript } from '../../../src/engine/pool/scripts.gen.ts';
import { Shard } from '../../../src/engine/pool/shard.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { epochOf, joinWorker, LONG_LEASE, openShard, passTime, request } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

describe('the script that gives jobs to another group', () => {
  const fixture = usePool();

  async function setUp() {
    const link = await fixture.connect();
    const shard = await openShard(link, fixture.pool);
    const states = async (...items: string[]) => (await shard.regroup(items)).states.map(String);
    const group = async (key: string) => String((await shard.readJob(key, 'group'))[0]);
    const waiting = async (name: string) => {
      const { pending } = link.keys.pool(fixture.pool);
      return ((await link.commands.call('ZRANGE', pending(name), 0, -1)) as Buffer[]).map(String);
    };
    const dispatchTo = async (key: string) => {
      const reply = await shard.dispatch(request(key, { worker: 'a', epoch: await epochOf(shard) }));
      if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
      return reply.token;
    };
    return { link, shard, states, group, waiting, dispatchTo };
  }

  it('changes the queue of one that waits, and keeps when it is due', async () => {
    const { link, shard, states, group, waiting } = await setUp();
    await shard.dispatch(request('now'));
    await shard.dispatch(request('later', { delayMs: 60_000 }));
    expect(await states('now', 'heavy', 'later', 'heavy', 'absent', 'heavy')).toEqual(['queued', 'queued', 'gone']);
    expect(await states('now', 'heavy')).toEqual(['same']);
    expect([await group('now'), await waiting('default'), await waiting('heavy')]).toEqual([
      'heavy',
      [],
      ['now', 'later'],
    ]);
    expect((await shard.due('heavy', 0, 10)).keys.map(String)).toEqual(['now']);
    await passTime(link, fixture.pool, 60_000);
    expect((await shard.due('heavy', 0, 10)).keys.map(String)).toEqual(['now', 'later']);
  });

  it('lets an owned one be, and whatever ends the ownership puts it in the new queue', async () => {
    const { link, shard, states, waiting, dispatchTo } = await setUp();
    await joinWorker(shard, 'a');
    const released = await dispatchTo('released');
    const failed = await dispatchTo('failed');
    const reaped = await dispatchTo('reaped');
    expect(await states('released', 'heavy', 'failed', 'heavy', 'reaped', 'heavy')).toEqual(Array(3).fill('asked'));
    expect((await shard.readJob('reaped', 'worker', 'token')).map(String)).toEqual(['a', String(reaped)]);
    expect(await waiting('heavy')).toEqual([]);
    expect((await shard.release('a', 'released', released, undefined, 'move')).status).toBe('PENDING');
    expect((await shard.fail('a', 'failed', failed, 'broke', 0, false)).status).toBe('RETRY');
    await passTime(link, fixture.pool, LONG_LEASE.leaseMs + LONG_LEASE.graceMs + 1);
    expect((await shard.reap(10, 0)).status).toBe('REAPED');
    expect([await waiting('default'), (await waiting('heavy')).toSorted()]).toEqual([
      [],
      ['failed', 'reaped', 'released'],
    ]);
  });

  it('tells a claim which group a job belongs to, and leaves one alone that is to stop', async () => {
    const { shard, states, group, dispatchTo } = await setUp();
    await joinWorker(shard, 'a');
    const runs = await dispatchTo('runs');
    await dispatchTo('lost');
    await dispatchTo('stops');
    await shard.stop('s', 'stops', '');
    expect(await states('runs', 'heavy', 'lost', 'heavy', 'stops', 'heavy')).toEqual(['asked', 'asked', 'gone']);
    expect(await group('stops')).toBe('default');
    const reply = await shard.claim('a', 1, ['runs', String(runs), 'lost', '']);
    if (reply.status !== 'CLAIMED') throw new Error(reply.status);
    expect((reply.jobs as unknown[][]).map(row => [row[0], row[1], row.at(-1)].map(String))).toEqual([
      ['kept', 'runs', 'heavy'],
      ['claimed', 'lost', 'heavy'],
    ]);
  });
});

describe('applying routes', () => {
  const fixture = usePool();
  const KEYS = Array.from({ length: 30 }, (_, at) => `heavy/${at}`);

  async function worker(recorder: Recorder, name: string, group: string, options = {}) {
    const node = await fixture.node({ lease: TEST_LEASE, ...options });
    return { node, worker: await node.addWorker({ handler: recorder.service(name), group }) };
  }

  it('moves services to the workers of their group, each stopped before it starts, and nothing else', async () => {
    const recorder = new Recorder();
    const { node } = await worker(recorder, 'a', 'default');
    await worker(recorder, 'b', 'heavy');
    await worker(recorder, 'c', 'heavy');
    await Promise.all([...KEYS, 'light'].map(key => node.dispatch(key, 'p', { wait: 'started' })));
    await node.routes.add({ glob: 'heavy/*', group: 'heavy' });
    const link = await fixture.look();
    expect(recorder.runningOn('a').length).toBe(KEYS.length + 1);
    const plan = await planRoutes(link, fixture.pool);
    expect(plan.map(({ key, from, to }) => [key, from, to])).toEqual(
      KEYS.toSorted().map(key => [key, 'default', 'heavy']),
    );
    const reports: number[] = [];
    const done = await applyRoutes(link, fixture.pool, { onProgress: ({ askedCount }) => reports.push(askedCount) });
    expect(done).toEqual({ totalCount: 30, queuedCount: 0, askedCount: 30, skippedCount: 0 });
    expect(reports.at(-1)).toBe(30);
    await until(
      () => recorder.runningCount === 31 && KEYS.every(key => recorder.owner(key) !== 'a'),
      'all to run in their group',
    );
    for (const key of KEYS) {
      const owner = recorder.owner(key);
      expect(recorder.of(key)).toEqual(['start a 1', 'stop a move', `start ${owner} 1`]);
    }
    expect(new Set(KEYS.map(key => recorder.owner(key)))).toEqual(new Set(['b', 'c']));
    expect(recorder.of('light')).toEqual(['start a 1']);
    expect(recorder.overlaps).toEqual([]);
    expect((await applyRoutes(link, fixture.pool)).totalCount).toBe(0);
  });

  it('queues what has no worker in its group, for the one that comes', async () => {
    const recorder = new Recorder();
    const { node } = await worker(recorder, 'a', 'default');
    await Promise.all(KEYS.map(key => node.dispatch(key, 'p', { wait: 'started' })));
    await node.routes.add({ glob: 'heavy/*', group: 'heavy' });
    await applyRoutes(await fixture.look(), fixture.pool);
    await until(() => recorder.runningCount === 0, 'all to stop');
    await worker(recorder, 'b', 'heavy');
    await until(() => recorder.runningOn('b').length === KEYS.length, 'all to run again');
    expect(recorder.overlaps).toEqual([]);
  });

  it('reaches a worker that never got the hint', async () => {
    const recorder = new Recorder();
    const { node } = await worker(recorder, 'a', 'default');
    await worker(recorder, 'b', 'heavy');
    await node.dispatch('k', '', { wait: 'started' });
    const link = await fixture.look();
    const { generation } = await Shard.find(link, fixture.pool);
    const keys = link.keys.pool(fixture.pool);
    await link.commands.run(
      regroupScript,
      {
        config: keys.config,
        member_info: keys.memberInfo,
        groups: keys.groups,
        ledger: keys.ledger,
        job_prefix: keys.jobPrefix,
        pending_prefix: keys.pendingPrefix,
      },
      { generation, mailbox_prefix: `${keys.base}:nobody-listens:`, events: keys.events, items: ['k', 'heavy'] },
    );
    await until(() => recorder.owner('k') === 'b', 'the job to move');
    expect(recorder.of('k')).toEqual(['start a 1', 'stop a move', 'start b 1']);
  });

  it('survives the death of the owner, and a fence: the job is not begun again where it does not belong', async () => {
    const recorder = new Recorder();
    // Neither moves anything by itself for as long as the test runs.
    const { node } = await worker(recorder, 'dies', 'dying', { settleMs: 600_000 });
    const { node: other } = await worker(recorder, 'fenced', 'fenced', { settleMs: 600_000 });
    await worker(recorder, 'b', 'heavy');
    const link = await fixture.look();
    await node.routes.add({ glob: '1', group: 'dying' });
    await node.routes.add({ glob: '2', group: 'fenced' });
    await node.dispatch('1', '', { wait: 'started' });
    await node.dispatch('2', '', { wait: 'started' });
    for (const glob of ['1', '2']) await other.routes.add({ glob, group: 'heavy' });
    expect((await applyRoutes(link, fixture.pool)).askedCount).toBe(2);
    fixture.partition(node);
    await fixture.pauseRenewals(TEST_LEASE.leaseMs + TEST_LEASE.graceMs);
    await until(() => ['1', '2'].every(key => recorder.owner(key) === 'b'), 'both to be taken over');
    expect(recorder.of('1').slice(0, 2)).toEqual(['start dies 1', 'stop dies fenced']);
    expect(recorder.of('2').slice(0, 2)).toEqual(['start fenced 1', 'stop fenced fenced']);
    expect(recorder.happenings.filter(({ what, worker: at }) => what === 'start' && at !== 'b').length).toBe(2);
    expect(recorder.overlaps).toEqual([]);
  });

  it('interrupts no task: the next attempt is made in the new group', async () => {
    const runs: string[] = [];
    const attempts = new Map<string, () => void>();
    const handler = (name: string) => ({
      async run(job: Job) {
        runs.push(`${name} ${job.attempt}`);
        if (name === 'b') return;
        await new Promise<void>(resolve => attempts.set(job.key, resolve));
        throw new Error('next time');
      },
    });
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({ handler: handler('a') });
    await node.addWorker({ handler: handler('b'), group: 'heavy' });
    const done = node.dispatch('task', '', { wait: 'completed', backoffMs: 1 });
    await until(() => attempts.get('task'), 'the task to run');
    await node.routes.add({ glob: 'task', group: 'heavy' });
    const link = await fixture.look();
    expect((await applyRoutes(link, fixture.pool)).askedCount).toBe(1);
    attempts.get('task')?.();
    await done;
    expect(runs).toEqual(['a 1', 'b 2']);
  });
});
