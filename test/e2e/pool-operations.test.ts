import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';
import { poolCli, SERVICE_HANDLER, TASK_HANDLER } from '../support/pool-cli.ts';
import { until } from '../support/until.ts';

interface Items<T> {
  items: T[];
}
interface Item<T> {
  item: T;
}
interface JobItem {
  key: string;
  state: string;
  worker: string | null;
  group: string;
}

describe('operating a pool', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);
  const jobs = async () => (await json<Items<JobItem>>(['job', 'list'])).items;

  it('applies routes to the jobs that are there, and says before what would move', async () => {
    const handler = file('service.js', SERVICE_HANDLER);
    await worker([handler]);
    const heavy = await worker([handler, '--group', 'heavy']);
    for (const key of ['heavy/1', 'light']) await run(['job', 'dispatch', key, '--wait', 'started']);
    await run(['pool', 'route', 'add', 'heavy/*', 'heavy']);
    const plan = await json<Items<object>>(['pool', 'route', 'apply', '--dry-run']);
    expect(plan.items).toMatchObject([{ key: 'heavy/1', state: 'RUNNING', from: 'default', to: 'heavy' }]);
    const applied = await run(['pool', 'route', 'apply']);
    expect(applied).toMatchObject({ code: 0, stdout: '' });
    expect(applied.stderr).toContain('1 job of pool "default" to another group: 0 waiting, 1 with a worker');
    await heavy.running.says('start heavy/1');
    await until(async () => (await jobs()).every(({ state }) => state === 'RUNNING'), 'both to run');
    expect(await jobs()).toMatchObject([
      { key: 'heavy/1', group: 'heavy', worker: heavy.id },
      { key: 'light', group: 'default' },
    ]);
    const nothing = await run(['pool', 'route', 'apply', '--dry-run']);
    expect(nothing).toMatchObject({ code: 0, stdout: '' });
    expect(nothing.stderr).toContain('Every job of pool "default" is in its group.');
    expect(await run(['pool', 'route', 'apply', '--pool', 'nowhere'])).toMatchObject({ code: 3 });
  });

  it('says what a rebalance would move, for each worker too, and waits until nothing would', async () => {
    await worker([file('service.js', SERVICE_HANDLER)]);
    await run(['job', 'dispatch', 'k', '--wait', 'started']);
    const { item } = await json<Item<{ moves: object[]; workers: object[] }>>(['pool', 'rebalance', '--dry-run']);
    expect(item).toMatchObject({ moves: [], workers: [{ group: 'default', jobCount: 1, leavingCount: 0 }] });
    const done = await run(['pool', 'rebalance', '--timeout', '20s']);
    expect(done).toMatchObject({ code: 0, stdout: '' });
    expect(done.stderr).toContain('pool "default" is balanced');
    expect(await run(['pool', 'rebalance', 'nowhere'])).toMatchObject({ code: 3 });
    expect(await run(['pool', 'rebalance', '--read-only'])).toMatchObject({ code: 8 });
  });

  it('drains the workers of a group, after a confirmation, and waits until they have left', async () => {
    const handler = file('service.js', SERVICE_HANDLER);
    const kept = await worker([handler]);
    const heavy = await worker([handler, '--group', 'heavy']);
    expect(await run(['pool', 'drain', '--group', 'heavy'])).toMatchObject({ code: 8, stdout: '' });
    const planned = await run(['pool', 'drain', '--group', 'heavy', '--dry-run']);
    expect(planned.stdout).toContain(`drain 1 worker of group "heavy" of pool "default": ${heavy.id}`);
    const drained = await run(['pool', 'drain', '--group', 'heavy', '--yes']);
    expect(drained).toMatchObject({ code: 0, stdout: '' });
    expect(await heavy.running.result).toMatchObject({ code: 0 });
    expect((await run(['worker', 'list', '-o', 'name'])).stdout).toBe(`${kept.id}\n`);
    expect(await run(['pool', 'drain', '--group', 'heavy', '--yes'])).toMatchObject({ code: 3 });
  });

  it('ends with 7 while a worker still drains', async () => {
    await worker([file('task.ts', TASK_HANDLER), '--drain-timeout', '10m']);
    await run(['job', 'dispatch', 'k', 'hold', '--wait', 'started']);
    const told = await run(['pool', 'drain', '--no-wait', '--yes']);
    expect(told).toMatchObject({ code: 0, stdout: '' });
    expect(told.stderr).toContain('told 1 worker of pool "default"');
    const late = await run(['pool', 'drain', '--timeout', '100ms', '--yes']);
    expect(late.code).toBe(7);
    expect(late.stderr).toContain('and draining:');
  });
});

describe('dead jobs', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);
  const dead = async () => (await json<Items<JobItem>>(['job', 'list', '--state', 'dead'])).items.map(({ key }) => key);

  async function bury(...keys: string[]): Promise<void> {
    for (const key of keys) await run(['job', 'dispatch', key, 'fail', '--attempts', '1', '--wait', 'completed']);
    expect(await dead()).toEqual(keys);
  }

  it('are purged by key, by age, or all, after a confirmation', async () => {
    await worker([file('task.ts', TASK_HANDLER)]);
    await bury('a', 'b', 'c', 'd');
    expect(await run(['job', 'purge', 'a'])).toMatchObject({ code: 8, stdout: '' });
    expect((await run(['job', 'purge', 'a', '--dry-run'])).stdout).toContain('purge dead job "a"');
    const some = await run(['job', 'purge', 'a', 'absent', '--yes', '--json']);
    expect(some.code).toBe(9);
    expect((JSON.parse(some.stdout) as Items<object>).items).toMatchObject([
      { key: 'a', status: 'purged' },
      { key: 'absent', status: 'failed', error: { code: 'NOT_FOUND' } },
    ]);
    expect(await run(['job', 'purge', 'absent', '--yes'])).toMatchObject({ code: 3 });
    expect((await run(['job', 'purge', '--older-than', '1h', '--dry-run'])).stdout).toContain('purge 0 dead jobs');
    expect((await run(['job', 'purge', '--all', '--group', 'heavy', '--dry-run'])).stdout).toContain('0 dead jobs');
    for (const wrong of [[], ['a', '--all'], ['a', '--group', 'g']]) {
      expect(await run(['job', 'purge', ...wrong, '--yes'])).toMatchObject({ code: 2 });
    }
    const all = await run(['job', 'purge', '--all', '--yes']);
    expect(all).toMatchObject({ code: 0, stdout: '', stderr: 'purged 3 jobs\n' });
    expect(await dead()).toEqual([]);
  });
});
