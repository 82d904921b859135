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

  it('shuts down: refuses jobs, stops those there, and lists what does not stop; open undoes the first', async () => {
    const { running } = await worker([file('task.ts', STUBBORN_HANDLER)]);
    await run(['job', 'dispatch', 'k', '--wait', 'started']);
    expect(await run(['pool', 'shutdown'])).toMatchObject({ code: 8, stdout: '' });
    expect((await run(['pool', 'shutdown', '--dry-run'])).stdout).toContain('close pool "default" and stop its 1 job');
    const late = await run(['pool', 'shutdown', '--yes', '--timeout', '200ms', '-o', 'name']);
    expect(late).toMatchObject({ code: 7, stdout: 'k\n' });
    expect(late.stderr).toContain('1 job of pool "default" had not stopped after 200ms');
    const refused = await run(['job', 'dispatch', 'other']);
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain('ponos pool open default');
    expect((await run(['pool', 'list'])).stdout).toContain('CLOSED');
    running.process.kill('SIGUSR2');
    expect(await run(['pool', 'shutdown', '--yes'])).toMatchObject({ code: 0, stdout: '' });
    expect(await run(['pool', 'open', 'nowhere'])).toMatchObject({ code: 3 });
    expect(await run(['pool', 'open'])).toMatchObject({ code: 0, stderr: 'pool "default" takes jobs\n' });
    expect(await run(['job', 'dispatch', 'other', '--wait', 'started'])).toMatchObject({ code: 0 });
  });

  it('removes a pool that nobody works in, after a confirmation', async () => {
    const { running } = await worker([file('service.js', SERVICE_HANDLER)]);
    await run(['job', 'dispatch', 'k', '--wait', 'started']);
    await run(['schedule', 'add', 'hourly', '--every', '1h', '--key', 'later']);
    await run(['pool', 'route', 'add', 'heavy/*', 'heavy']);
    const used = await run(['pool', 'remove', 'default', '--yes']);
    expect(used).toMatchObject({ code: 4, stdout: '' });
    expect(used.stderr).toContain('pool "default" has 1 live worker and 1 job; nothing was removed');
    expect(used.stderr).toMatch(/"ponos pool shutdown default" .*"ponos pool drain default"/);
    const refused = JSON.parse((await run(['pool', 'remove', 'default', '--dry-run', '--json'])).stderr);
    expect(refused).toMatchObject({ error: { code: 'POOL_IN_USE', exitCode: 4 } });
    expect(await run(['pool', 'shutdown', 'default', '--yes'])).toMatchObject({ code: 0 });
    expect(await run(['pool', 'drain', 'default', '--yes'])).toMatchObject({ code: 0 });
    expect(await running.result).toMatchObject({ code: 0 });
    const what = 'pool "default" with 0 dead jobs, 1 schedule, 1 route';
    expect(await run(['pool', 'remove', 'default'])).toMatchObject({ code: 8, stdout: '' });
    expect(await run(['pool', 'remove', 'default', '--yes', '--read-only'])).toMatchObject({ code: 8, stdout: '' });
    expect((await run(['pool', 'remove', 'default', '--dry-run'])).stdout).toBe(`WOULD  remove ${what}\n`);
    expect((await run(['pool', 'list', '-o', 'name'])).stdout).toBe('default\n');
    expect(await run(['pool', 'remove', 'default', '--yes'])).toEqual(
      expect.objectContaining({ code: 0, stdout: '', stderr: `removed ${what}\n` }),
    );
    expect((await run(['pool', 'list', '-o', 'name'])).stdout).toBe('');
    for (const args of [
      ['remove', 'default', '--yes'],
      ['show', 'default'],
      ['events', 'default'],
      ['route', 'list'],
    ]) {
      expect(await run(['pool', ...args])).toMatchObject({ code: 3, stdout: '' });
    }
    expect(await run(['pool', 'remove'])).toMatchObject({ code: 2 });
    expect(await run(['job', 'dispatch', 'k', '--create'])).toMatchObject({ code: 0 });
    expect(await json(['pool', 'show'])).toMatchObject({ item: { jobCount: 1, dispatchedTotal: 1 } });
  });

  it('says which version of the protocol a pool speaks, and ends with 4 where it is a later one', async () => {
    await worker([file('service.js', SERVICE_HANDLER)]);
    const done = await run(['pool', 'upgrade']);
    expect(done).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(/speaks version \d+ .* already/) });
    const planned = await run(['pool', 'upgrade', '--dry-run']);
    expect(planned).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing: pool "default"') });
    expect(await run(['pool', 'upgrade', 'nowhere'])).toMatchObject({ code: 3 });
    const link = await redis.connect();
    await link.commands.call('HSET', link.keys.pool('later').config, 'generation', 'g', 'shards', 1, 'protocol', 99);
    const refused = await run(['pool', 'upgrade', 'later']);
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('Use a newer release') });
  });
});

/** A task that ends when its process gets SIGUSR2, whatever it is told. */
const STUBBORN_HANDLER = `
export function run() {
  return new Promise(resolve => process.once('SIGUSR2', () => resolve(undefined)));
}
`;

describe('a Redis that may evict keys', () => {
  const redis = useRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  const { run, worker, file } = poolCli(redis);
  const ALLOWED = '--allow-unsafe-eviction';

  it('is given no job unless that is allowed, and jobs are stopped there all the same', async () => {
    const handler = file('service.js', SERVICE_HANDLER);
    for (const command of [
      ['job', 'dispatch', 'k', '--create'],
      ['worker', 'start', handler],
    ]) {
      const refused = await run(command);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toContain(`ponos ${command[0]} ${command[1]} ... ${ALLOWED}`);
    }
    await worker([handler, ALLOWED]);
    expect(await run(['job', 'dispatch', 'k', '--wait', 'started', ALLOWED])).toMatchObject({ code: 0 });
    expect(await run(['job', 'notify', 'k', 'text'])).toMatchObject({ code: 1 });
    expect(await run(['job', 'notify', 'k', 'text', ALLOWED])).toMatchObject({ code: 0 });
    expect(await run(['job', 'stop', 'k', '--wait', '--yes'])).toMatchObject({ code: 0 });
  });
});

describe('dead jobs', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);
  const dead = async () => (await json<Items<JobItem>>(['job', 'list', '--state', 'dead'])).items.map(({ key }) => key);

  async function bury(...keys: string[]): Promise<void> {
    const input = keys.map(key => JSON.stringify({ key, payload: 'fail' })).join('\n');
    await run(['job', 'dispatch', '-', '--ndjson', '--attempts', '1', '--create'], { input });
    await worker([file('task.ts', TASK_HANDLER)]);
    await until(async () => (await dead()).length === keys.length, 'all to be dead');
  }

  it('are tried again, each told of', async () => {
    await bury('a', 'b');
    const retried = await run(['job', 'retry', 'b', 'absent', '--json']);
    expect(retried.code).toBe(9);
    expect((JSON.parse(retried.stdout) as Items<object>).items).toMatchObject([
      { key: 'b', status: 'retried' },
      { key: 'absent', status: 'failed', error: { code: 'NOT_FOUND' } },
    ]);
    await until(async () => (await dead()).length === 2, 'the one tried again to fail again');
    expect((await run(['job', 'retry', '--all', '--dry-run'])).stdout).toContain('retry 2 dead jobs of pool');
  });

  it('are purged by key, by age, or all, after a confirmation', async () => {
    await bury('a', 'b');
    expect(await run(['job', 'purge', 'a'])).toMatchObject({ code: 8, stdout: '' });
    expect((await run(['job', 'purge', 'a', '--dry-run'])).stdout).toContain('purge dead job "a"');
    expect(await run(['job', 'purge', 'absent', '--yes'])).toMatchObject({ code: 3 });
    expect((await run(['job', 'purge', '--older-than', '1h', '--dry-run'])).stdout).toContain('purge 0 dead jobs');
    expect((await run(['job', 'purge', '--all', '--group', 'heavy', '--dry-run'])).stdout).toContain('0 dead jobs');
    for (const wrong of [[], ['a', '--all'], ['a', '--group', 'g']]) {
      expect(await run(['job', 'purge', ...wrong, '--yes'])).toMatchObject({ code: 2 });
    }
    const all = await run(['job', 'purge', '--all', '--yes']);
    expect(all).toMatchObject({ code: 0, stdout: '', stderr: 'purged 2 jobs\n' });
    expect(await dead()).toEqual([]);
  });
});

describe('the outcome of a task', () => {
  const redis = useRedis();
  const { run, worker, file } = poolCli(redis);

  it('is kept under the id for as long as was asked, and given again without running again', async () => {
    const { running } = await worker([file('task.ts', TASK_HANDLER), '-o', 'ndjson']);
    const { stdout } = await run(['job', 'dispatch', 'k', 'result', '--keep', '1h', '--delay', '100ms']);
    const id = stdout.trim();
    await running.says('"type":"completed"');
    const again = await run(['job', 'dispatch', 'k', 'result', '--id', id, '--wait', 'completed', '--raw']);
    expect(again).toMatchObject({ code: 0, stdout: 'RESULT' });
    const told = await run(['job', 'dispatch', 'k', 'result', '--id', id, '--wait', 'completed']);
    expect(told).toMatchObject({ stdout: `${id}\n`, stderr: expect.stringContaining('result: RESULT\n') });
    expect(await run(['job', 'dispatch', 'k', 'another', '--id', id])).toMatchObject({ code: 4 });
    expect(running.stdout.match(/"type":"started"/g)?.length).toBe(1);
  });
});
