import { describe, expect, it } from 'vitest';
import { ndjson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { isRunning, poolCli, SERVICE_HANDLER, TASK_HANDLER } from '../support/pool-cli.ts';
import { until } from '../support/until.ts';

interface Event {
  type: string;
  key?: string;
  error?: { message: string };
}

describe('ponos worker start', () => {
  const redis = useRedis();
  const { run, json, start, worker, file } = poolCli(redis);
  const names = async (...args: string[]) => (await run(['job', 'list', '-o', 'name', ...args])).stdout.split('\n');
  const jobCount = async (id: string) => (await names('--worker', id)).length - 1;

  it('makes the pool, says when it is ready, runs jobs and tells of each', async () => {
    const { running, id } = await worker([file('task.ts', TASK_HANDLER), '--pool', 'p', '--group', 'g', '-n', '3']);
    expect(running.stderr).toContain(`worker ${id} ready: pool p, group g`);
    await run(['pool', 'route', 'add', '*', 'g', '--pool', 'p']);
    await run(['job', 'dispatch', 'k', 'x', '--pool', 'p', '--wait', 'completed']);
    await running.says(/Z started k\n.*Z completed k\n/);
    expect((await json<{ item: object }>(['worker', 'show', id, '--pool', 'p'])).item).toMatchObject({
      id,
      group: 'g',
      capacity: 3,
      state: 'ALIVE',
      pid: running.process.pid,
    });
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 0, stdout: '' });
  });

  it('drains on the first signal: says what is left, hands every job on, and ends with 0', async () => {
    const handler = file('service.js', SERVICE_HANDLER);
    const [first, second] = [await worker([handler]), await worker([handler])];
    for (let i = 0; i < 8; i++) await run(['job', 'dispatch', `k${i}`, '--wait', 'started']);
    const held = await jobCount(first.id);
    const result = await first.running.stop('SIGINT');
    expect(result.code).toBe(0);
    expect(result.stderr).toContain(`SIGINT: draining, ${held} job`);
    await until(async () => (await names('--state', 'running')).length - 1 === 8, 'all jobs to run');
    expect(await jobCount(second.id)).toBe(8);
    for (const line of result.stdout.split('\n').filter(text => text.startsWith('start'))) {
      expect(result.stdout).toContain(`stop ${line.split(' ')[1]} drain`);
    }
  });

  it('stops and releases at once on the second signal', async () => {
    const { running } = await worker([file('task.ts', TASK_HANDLER)]);
    await run(['job', 'dispatch', 'k', 'hold', '--wait', 'started']);
    running.process.kill('SIGINT');
    await running.says('draining, 1 job left');
    expect(running.process.exitCode).toBe(null);
    const result = await running.stop('SIGINT');
    expect(result.code).toBe(130);
    expect(result.stderr).toContain('stopping 1 job at once');
    const { items } = await json<{ items: object[] }>(['job', 'list']);
    expect(items).toMatchObject([{ key: 'k', state: 'PENDING', attempt: 0 }]);
  });

  it('lets a task end before it leaves', async () => {
    const body = 'export const run = () => new Promise(done => setTimeout(done, 600));';
    const { running } = await worker([file('slow.mjs', body)]);
    await run(['job', 'dispatch', 'k', '--wait', 'started']);
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
    expect(running.stderr).toContain('completed k');
    expect(await names()).toEqual(['']);
  });

  it('writes events as records, and goes on after errors that nobody caught', async () => {
    const { running } = await worker([file('task.ts', TASK_HANDLER), '-o', 'ndjson']);
    await run(['job', 'dispatch', 'k', 'float', '--wait', 'completed']);
    await running.says('thrown in a timer');
    await run(['job', 'dispatch', 'f', 'fail', '--attempts', '1']);
    await running.says('"dead":true');
    expect((await run(['job', 'dispatch', 'l', 'x', '--wait', 'completed', '--raw'])).stdout).toBe('X');
    await running.stop('SIGTERM');
    const events = ndjson<Event>(running.stdout);
    expect(events[0]).toMatchObject({ type: 'ready', pool: 'default', group: 'default' });
    const unhandled = events.filter(event => event.type === 'unhandled').map(event => event.error?.message);
    expect(unhandled.sort()).toEqual(['Error: floating', 'Error: thrown in a timer']);
    expect(events.filter(event => event.key === 'f').map(event => event.type)).toEqual(['started', 'failed']);
    expect(events.at(-1)).toMatchObject({ type: 'left' });
    expect(running.stderr).not.toContain('started');
  });

  it('tells errors that nobody caught to people, too', async () => {
    const { running } = await worker([file('task.ts', TASK_HANDLER)]);
    await run(['job', 'dispatch', 'k', 'float', '--wait', 'completed']);
    await running.says(/error nobody caught, the worker goes on: Error: thrown in a timer at /);
    expect(running.process.exitCode).toBe(null);
  });

  it('says nothing but errors with --quiet', async () => {
    const running = start(['worker', 'start', file('task.ts', TASK_HANDLER), '-q']);
    await until(async () => (await run(['worker', 'list', '-o', 'name'])).stdout !== '', 'the worker');
    await run(['job', 'dispatch', 'k', '--wait', 'completed']);
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('ends by itself with --until-idle when nothing is left', async () => {
    for (const key of ['a', 'b', 'c']) await run(['job', 'dispatch', key, '--create']);
    const running = start(['worker', 'start', file('task.ts', TASK_HANDLER), '--until-idle']);
    expect(await running.result).toMatchObject({ code: 0 });
    expect(await names()).toEqual(['']);
  });

  it('is listed, shown, and drained from elsewhere', async () => {
    const { running, id } = await worker([file('service.js', SERVICE_HANDLER)]);
    expect((await run(['worker', 'list'])).stdout).toMatch(new RegExp(`^WORKER .*\n${id}  ● ALIVE `));
    expect(await run(['worker', 'show', 'nobody'])).toMatchObject({ code: 3, stdout: '' });
    expect(await run(['worker', 'drain', id])).toMatchObject({ code: 8 });
    expect((await run(['worker', 'drain', id, '--dry-run'])).stdout).toContain(`drain worker ${id}`);
    expect(await run(['worker', 'drain', id, 'nobody', '--yes'])).toMatchObject({ code: 9 });
    expect(await running.result).toMatchObject({ code: 0 });
    const gone = await run(['worker', 'list']);
    expect(gone).toMatchObject({ code: 0, stdout: '' });
    expect(gone.stderr).toContain('No workers in pool "default"');
  });

  it.each([
    ['nothing to run', [], 2, 'give a HANDLER module, or a command with --exec'],
    ['two things to run', ['h.js', '--exec', 'true'], 2, 'not both'],
    ['no file', ['./absent.js'], 2, 'there is no handler file ./absent.js'],
    ['a number that is none', ['--exec', 'true', '--concurrency', 'many'], 2, '--concurrency'],
    ['a capacity out of bounds', ['--exec', 'true', '--concurrency', '0'], 2, 'a whole number from 1'],
    ['an unknown lease', ['--exec', 'true', '--lease', 'slow'], 2, '--lease must be one of: default, fast'],
    ['a bad pool name', ['--exec', 'true', '--pool', 'a b'], 2, 'pool name "a b" is not allowed'],
    ['a task without --exec', ['./absent.js', '--task'], 2, '--exec'],
  ])('refuses %s', async (_what, args, code, message) => {
    const result = await run(['worker', 'start', ...args]);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(message);
  });

  it('refuses a handler that is none, and a lease other than that of the live workers', async () => {
    const none = await run(['worker', 'start', file('none.js', 'export const x = 1;')]);
    expect(none).toMatchObject({ code: 2 });
    expect(none.stderr).toContain('exports neither start nor run');
    await worker([file('task.ts', TASK_HANDLER), '--lease', 'fast']);
    const other = await run(['worker', 'start', '--exec', 'true', '--lease', 'default']);
    expect(other).toMatchObject({ code: 4 });
    expect(other.stderr).toContain('LEASE_MISMATCH');
  });
});

describe('ponos worker start --isolate', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);

  it('runs a TypeScript module in a process of its own, tells its uncaught errors, and drains', async () => {
    const { running } = await worker([file('task.ts', TASK_HANDLER), '--isolate']);
    const dispatch = ['job', 'dispatch', 'k', 'float', '--wait', 'completed'];
    expect((await json<{ item: object }>(dispatch)).item).toMatchObject({ status: 'completed', result: 'FLOAT' });
    await running.says(/error nobody caught.*floating/);
    await running.says(/error nobody caught.*thrown in a timer/);
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
  });

  it('shows what services write, and leaves no process behind when it is killed', async () => {
    const handler = `export function start(job) { console.log('in', process.pid, job.key); if (job.key === 'deaf') setTimeout(() => { for (;;); }, 10); }`;
    const { running } = await worker([file('service.js', handler), '--isolate', '--lease', 'fast']);
    await run(['job', 'dispatch', 'deaf', '--wait', 'started']);
    await running.says(/in \d+ deaf/);
    const pid = Number(/in (\d+) deaf/.exec(running.stdout)?.[1]);
    expect(pid).not.toBe(running.process.pid);
    running.process.kill('SIGKILL');
    await until(() => !isRunning(pid), 'the process of the handler to end');
    expect(isRunning(pid)).toBe(false);
  });

  it('says what is wrong with a module, and plans without starting a worker', async () => {
    const none = await run(['worker', 'start', file('none.js', 'export const x = 1;'), '--isolate']);
    expect(none).toMatchObject({ code: 2 });
    expect(none.stderr).toContain('exports neither start nor run');
    expect(await run(['worker', 'start', '--exec', 'true', '--isolate'])).toMatchObject({ code: 2 });
    const planned = await run(['worker', 'start', file('task.ts', TASK_HANDLER), '--isolate', '--dry-run']);
    expect(planned).toMatchObject({ code: 0 });
  });
});

describe('ponos worker start --exec', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);

  it('gives a child the payload and its place, and the user the environment the user had', async () => {
    const script = 'cat; env | grep -E "^(PONOS_JOB|PONOS_POOL|NODE_ENV|DEBUG)" | sort';
    const { running } = await worker(['--exec', script, '--pool', 'p'], { env: { DEBUG: 'mine' } });
    await run(['job', 'dispatch', 'the key', 'payload\n', '--pool', 'p', '--wait', 'completed']);
    expect(running.stdout).toMatch(
      /^payload\nDEBUG=mine\nPONOS_JOB_ATTEMPT=1\nPONOS_JOB_GROUP=default\nPONOS_JOB_KEY=the key\nPONOS_JOB_TOKEN=\d+\nPONOS_POOL=p\n$/,
    );
  });

  it('keeps the output of children apart from records', async () => {
    const { running } = await worker(['--exec', 'echo from the child', '--task', '--json']);
    await run(['job', 'dispatch', 'k', '--wait', 'completed']);
    await running.stop('SIGTERM');
    expect(ndjson<Event>(running.stdout).map(event => event.type)).toContain('completed');
    expect(running.stderr).toContain('from the child\n');
  });

  it('fails an attempt by the exit code of the child', async () => {
    await worker(['--exec', 'exit 7']);
    const failed = await run(['job', 'dispatch', 'k', '--attempts', '2', '--backoff', '10ms', '--wait', 'completed']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('the command exited with code 7');
    expect((await json<{ item: object }>(['job', 'show', 'k'])).item).toMatchObject({ state: 'DEAD', attempt: 2 });
  });

  it('kills a child that ignores SIGTERM after the stop budget', async () => {
    const script = file('deaf.sh', '#!/bin/sh\ntrap "" TERM\necho ready $$\nwhile :; do sleep 0.1; done\n');
    const { running } = await worker(['--exec', script, '--stop-budget', '300ms']);
    await run(['job', 'dispatch', 'k', '--wait', 'started']);
    await running.says(/ready \d+/);
    const pid = Number(/ready (\d+)/.exec(running.stdout)?.[1]);
    const startMs = performance.now();
    expect(await run(['job', 'stop', 'k', '--yes', '--wait'])).toMatchObject({ code: 0 });
    expect(performance.now() - startMs).toBeGreaterThan(300);
    expect(isRunning(pid)).toBe(false);
  });
});
