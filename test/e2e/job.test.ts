import { describe, expect, it } from 'vitest';
import { PoolClient } from '../../src/engine/index.ts';
import { ndjson, startPonos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { poolCli, SERVICE_HANDLER, TASK_HANDLER } from '../support/pool-cli.ts';
import { until } from '../support/until.ts';

interface JobItem {
  key: string;
  state: string;
  worker: string | null;
  group: string;
}
interface Items<T> {
  items: T[];
}
interface Item<T> {
  item: T;
}

const HOSTILE = '\u001b]0;owned\u0007\u202e';

describe('ponos job', () => {
  const redis = useRedis();
  const { run, json, start, worker, file } = poolCli(redis);
  const create = ['--create'];

  it('dispatches a job that waits for a worker: the id on stdout, a sentence on stderr', async () => {
    const { code, stdout, stderr } = await run(['job', 'dispatch', 'k', 'payload', ...create]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[0-9a-z]{16}\n$/);
    expect(stderr).toMatch(/^job "k" accepted in /);
    const { items } = await json<Items<JobItem>>(['job', 'list']);
    expect(items).toMatchObject([{ key: 'k', state: 'PENDING', worker: null, group: 'default' }]);
  });

  it('tells which pool is not there, and what to do', async () => {
    const { code, stderr } = await run(['job', 'dispatch', 'k', '--pool', 'nowhere']);
    expect(code).toBe(3);
    expect(stderr).toContain('pool "nowhere" does not exist');
    expect(stderr).toContain('--create');
    for (const args of [['list'], ['show', 'k'], ['where', 'k'], ['notify', 'k', 'x'], ['stop', 'k', '--yes']]) {
      expect(await run(['job', ...args, '--pool', 'nowhere'])).toMatchObject({ code: 3, stdout: '' });
    }
  });

  it('names the id of a dispatch that too few replicas have, and takes the same again under it', async () => {
    const flags = ['--durability-replicas', '1', '--durability-timeout', '50ms', ...create];
    const told = await run(['job', 'dispatch', 'k', 'x', ...flags]);
    expect(told).toMatchObject({ code: 5, stdout: '' });
    const id = /--id (\S+) {2}/.exec(told.stderr)?.[1] ?? '';
    expect(told.stderr).toContain(`done under id "${id}", but 0 of 1 replicas`);
    const again = await run(['job', 'dispatch', 'k', 'x', ...flags, '--id', id, '--json']);
    expect(JSON.parse(again.stderr)).toMatchObject({ error: { code: 'NOT_REPLICATED', id, exitCode: 5 } });
    expect(await run(['job', 'dispatch', 'k', 'x', ...flags])).toMatchObject({ code: 4 });
    const bulk = await run(['job', 'dispatch', '-', '--ndjson', ...flags], { input: '{"key":"of-many"}\n' });
    expect([bulk.code, ...ndjson(bulk.stdout)]).toMatchObject([
      5,
      { key: 'of-many', status: 'failed', error: { code: 'NOT_REPLICATED', id: expect.stringMatching(/^\w{16}$/) } },
    ]);
  });

  it('refuses a key that exists with 4, a full pool with 10, an id used otherwise with 4', async () => {
    const link = await redis.connect();
    const client = await PoolClient.open(link, 'default', { create: true, limit: 2 });
    redis.defer(() => client.close());
    expect(await run(['job', 'dispatch', 'a', 'x', '--id', 'once'])).toMatchObject({ code: 0, stdout: 'once\n' });
    const again = await run(['job', 'dispatch', 'a', 'x']);
    expect(again).toMatchObject({ code: 4, stdout: '' });
    expect(again.stderr).toContain('job "a" exists already');
    expect(await run(['job', 'dispatch', 'a', 'x', '--id', 'once'])).toMatchObject({ code: 0, stdout: 'once\n' });
    expect(await run(['job', 'dispatch', 'a', 'y', '--id', 'once'])).toMatchObject({ code: 4 });
    await run(['job', 'dispatch', 'b']);
    const full = await run(['job', 'dispatch', 'c', '--json']);
    expect(full).toMatchObject({ code: 10, stdout: '' });
    expect(JSON.parse(full.stderr)).toMatchObject({ error: { code: 'POOL_FULL', exitCode: 10 } });
  });

  it('waits until a task is completed and gives its result, byte for byte', async () => {
    await worker([file('task.ts', TASK_HANDLER)]);
    const raw = await run(['job', 'dispatch', 'k', '-', '--wait', 'completed', '--raw'], { input: 'ünï\n' });
    expect(raw).toMatchObject({ code: 0, stdout: 'ÜNÏ\n' });
    const { item } = await json<Item<object>>(['job', 'dispatch', 'k', 'x', '--wait', 'completed']);
    expect(item).toMatchObject({ key: 'k', status: 'completed', result: 'X', resultEncoding: 'utf8' });
    const failed = await run(['job', 'dispatch', 'f', 'fail', '--attempts', '1', '--wait', 'completed']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('Error: as asked');
    expect(failed.stderr).not.toMatch(/\n\s+at /);
    const { items } = await json<Items<JobItem>>(['job', 'list', '--state', 'dead']);
    expect(items).toMatchObject([{ key: 'f', state: 'DEAD', error: 'Error: as asked' }]);
  });

  it('stops waiting after --timeout with 7; the job goes on', async () => {
    await run(['job', 'dispatch', 'other', ...create]);
    const { code, stderr } = await run(['job', 'dispatch', 'k', '--wait', 'started', '--timeout', '200ms']);
    expect(code).toBe(7);
    expect(stderr).toContain('200 ms');
    expect((await json<Item<JobItem>>(['job', 'show', 'k'])).item.state).toBe('PENDING');
  });

  it('says when its wait is interrupted that the request stands, and under which id', async () => {
    await run(['job', 'dispatch', 'other', ...create]);
    const waiting = start(['job', 'dispatch', 'k', '--wait', 'completed', '--timeout', '1m']);
    const link = await redis.connect();
    const client = await PoolClient.open(link, 'default');
    await until(async () => (await client.where('k')).recorded, 'the job to be there');
    await client.close();
    const { code, stderr } = await waiting.stop('SIGINT');
    expect(code).toBe(130);
    const id = /the dispatch of job "k" stands, with id (\S+):/.exec(stderr)?.[1] ?? '';
    expect(JSON.parse((await run(['job', 'dispatch', 'k', '--id', id, '--json'])).stdout)).toMatchObject({
      item: { id },
    });
  });

  it('tells of a sole key that is not there once', async () => {
    await run(['job', 'dispatch', 'k', ...create]);
    for (const args of [
      ['job', 'retry', 'none'],
      ['job', 'stop', 'none', '--yes'],
      ['job', 'purge', 'none', '--yes'],
      ['worker', 'drain', 'none', '--yes'],
    ]) {
      const { code, stderr } = await run(args);
      expect([args, code, stderr.match(/"none" does not exist/g)?.length]).toEqual([args, 3, 1]);
    }
  });

  it('shows a job with its payload and its history, harmless on the terminal and exact when raw', async () => {
    const { id } = await worker([file('service.js', SERVICE_HANDLER)]);
    // Longer than what an observer is shown of it.
    const payload = Buffer.from(`${HOSTILE}\0\n${'x'.repeat(10_000)}`);
    await run(['job', 'dispatch', 'k', '-', '--wait', 'started'], { input: payload });
    expect((await run(['job', 'show', 'k', '--raw'])).stdoutBytes).toEqual(payload);
    const { item } = await json<Item<JobItem & { history: { type: string }[]; payload: string }>>(['job', 'show', 'k']);
    expect(item).toMatchObject({ key: 'k', state: 'RUNNING', worker: id, payload: payload.toString() });
    expect(item.history.map(entry => entry.type)).toEqual(['dispatched', 'started']);
    const shown = await run(['job', 'show', 'k']);
    expect(shown.stdout).toMatch(/STATE +● RUNNING/);
    expect(shown.stdout).toContain('\\x1b]0;owned\\x07\\u{202e}');
    expect(shown.stdout).not.toMatch(/[\u001b\u0007\u202e\0]/);
  });

  it('says where a job is, and where one would go', async () => {
    const { id } = await worker([file('service.js', SERVICE_HANDLER)]);
    expect((await json<Item<object>>(['job', 'where', 'k'])).item).toMatchObject({ worker: id, recorded: false });
    await run(['job', 'dispatch', 'k', '--wait', 'started']);
    expect((await json<Item<object>>(['job', 'where', 'k', '--read-only'])).item).toMatchObject({
      key: 'k',
      worker: id,
      group: 'default',
      recorded: true,
    });
    expect((await run(['job', 'where', 'k', '-o', 'name'])).stdout).toBe(`${id}\n`);
  });

  it('notifies the handler in order, and stops jobs, telling each', async () => {
    const { running } = await worker([file('service.js', SERVICE_HANDLER)]);
    await run(['job', 'dispatch', 'k', 'p', '--wait', 'started']);
    await run(['job', 'notify', 'k', 'first']);
    await run(['job', 'notify', 'k', '-'], { input: 'second' });
    await running.says('notify k second');
    const stopped = await run(['job', 'stop', 'k', 'absent', '--yes', '--wait', '--json']);
    expect(stopped.code).toBe(9);
    expect((JSON.parse(stopped.stdout) as Items<object>).items).toMatchObject([
      { key: 'k', status: 'stopped' },
      { key: 'absent', status: 'failed', error: { code: 'NOT_FOUND' } },
    ]);
    expect(running.stdout).toBe('start k p\nnotify k first\nnotify k second\nstop k stop\n');
    expect(await run(['job', 'stop', 'k', '--yes'])).toMatchObject({ code: 3 });
  });

  it('stops nothing without a confirmation, and plans without doing', async () => {
    await run(['job', 'dispatch', 'k', ...create]);
    const refused = await run(['job', 'stop', 'k']);
    expect(refused).toMatchObject({ code: 8, stdout: '' });
    expect(refused.stderr).toContain('--yes');
    const planned = await run(['job', 'stop', 'k', '--dry-run']);
    expect(planned).toMatchObject({ code: 0, stdout: 'WOULD  stop job "k" of pool "default"\n' });
    expect(await run(['job', 'dispatch', 'l', '--dry-run'])).toMatchObject({ code: 0 });
    expect(await run(['job', 'dispatch', 'l', '--read-only'])).toMatchObject({ code: 8 });
    expect((await run(['job', 'list', '-o', 'name'])).stdout).toBe('k\n');
  });

  it('lists by state, worker and group, at most as many as asked for', async () => {
    const { id } = await worker([file('service.js', SERVICE_HANDLER)]);
    await run(['pool', 'route', 'add', 'heavy/*', 'heavy']);
    for (const key of ['a', 'b', 'heavy/1']) await run(['job', 'dispatch', key]);
    const names = async (...args: string[]) => (await run(['job', 'list', '-o', 'name', ...args])).stdout;
    await until(async () => (await names('--state', 'running')) === 'a\nb\n', 'both to run');
    expect(await names()).toBe('a\nb\nheavy/1\n');
    expect(await names('--worker', id)).toBe('a\nb\n');
    expect(await names('--group', 'heavy')).toBe('heavy/1\n');
    expect(await names('--state', 'PENDING')).toBe('heavy/1\n');
    expect(await names('--limit', '1')).toBe('a\n');
    const wrong = await run(['job', 'list', '--state', 'asleep']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('pending, assigned, running, stopping, dead');
  });

  it('keeps keys as they are, whatever they hold', async () => {
    for (const key of ['a=b', '__proto__', '🜂 é', HOSTILE, '{}*', ' ', '--', 'two\nlines']) {
      expect(await run(['job', 'dispatch', ...create, '--', key])).toMatchObject({ code: 0 });
      const { stdout } = await run(['job', 'show', '--json', '--', key]);
      expect((JSON.parse(stdout) as Item<JobItem>).item.key).toBe(key);
    }
    const listed = await run(['job', 'list']);
    expect(listed.stdout).toContain('\\x1b]0;owned\\x07');
  });
});

describe('ponos job dispatch - --ndjson', () => {
  const redis = useRedis();
  const { run, json, options } = poolCli(redis);
  const bulk = (input: string, ...args: string[]) =>
    run(['job', 'dispatch', '-', '--ndjson', '--create', ...args], { input });

  it('dispatches thousands of lines, and answers each in the order of the input', async () => {
    const count = 5000;
    const input = Array.from({ length: count }, (_, at) => JSON.stringify({ key: `k${at}`, payload: { n: at } }));
    const { code, stdout, stderr } = await bulk(`${input.join('\n')}\n`);
    expect(code).toBe(0);
    const records = ndjson<{ type: string; line: number; key: string; status: string }>(stdout);
    expect(records).toHaveLength(count);
    expect(records.every((record, at) => record.line === at + 1 && record.key === `k${at}`)).toBe(true);
    expect(records[0]).toMatchObject({ type: 'dispatch', status: 'accepted' });
    expect(stderr).toContain(`dispatched ${count} jobs, 0 failed`);
    expect((await json<{ item: { jobCount: number } }>(['pool', 'show'])).item.jobCount).toBe(count);
  });

  it('ends with 9 when some failed, telling which, and goes on only when asked to', async () => {
    const input = '{"key":"a"}\nnonsense\n{"key":"a"}\n\n{"key":"b","payload":"/w==","payloadEncoding":"base64"}\n';
    const on = await bulk(input, '--continue-on-error');
    expect(on.code).toBe(9);
    expect(ndjson(on.stdout)).toMatchObject([
      { line: 1, key: 'a', status: 'accepted' },
      { line: 2, key: null, status: 'failed', error: { code: 'USAGE', message: 'line 2: no JSON' } },
      { line: 3, key: 'a', status: 'failed', error: { code: 'EXISTS' } },
      { line: 5, key: 'b', status: 'accepted' },
    ]);
    expect((await run(['job', 'show', 'b', '--raw'])).stdoutBytes).toEqual(Buffer.from([0xff]));
    const short = await bulk('{"key":"c"}\n{"key":"a"}\n');
    expect(short.code).toBe(9);
    const none = await bulk('{"key":"a"}\n', '--continue-on-error');
    expect(none.code).toBe(4);
  });

  it('answers each line as it comes, while the input stays open', async () => {
    const running = startPonos(['job', 'dispatch', '-', '--ndjson', '--create'], options());
    redis.defer(() => running.process.kill('SIGKILL'));
    running.process.stdin?.write('{"key":"first"}\n');
    await running.says('"key":"first"');
    running.process.stdin?.end('{"key":"second"}');
    expect(await running.result).toMatchObject({ code: 0 });
    expect(ndjson(running.stdout)).toMatchObject([{ key: 'first' }, { key: 'second' }]);
  });

  it('counts what it would do, and takes no key beside', async () => {
    const planned = await bulk('{"key":"a"}\nnonsense\n', '--dry-run');
    expect(planned).toMatchObject({ code: 0 });
    expect(planned.stdout).toContain('dispatch 1 job to pool "default"; 1 line is no job');
    expect(await run(['job', 'dispatch', 'k', '--ndjson'])).toMatchObject({ code: 2 });
    expect(await run(['job', 'dispatch', '-', '--rate', '5'])).toMatchObject({ code: 2 });
    expect(await run(['job', 'dispatch', '-'])).toMatchObject({ code: 2 });
  });
});
