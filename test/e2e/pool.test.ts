import { describe, expect, it } from 'vitest';
import { ndjson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { poolCli, SERVICE_HANDLER } from '../support/pool-cli.ts';

interface Event {
  type: string;
  key: string | null;
}

describe('ponos pool', () => {
  const redis = useRedis();
  const { run, json, start, worker, file } = poolCli(redis);

  it('lists pools with their state, and says how to make one when there is none', async () => {
    const none = await run(['pool', 'list']);
    expect(none).toMatchObject({ code: 0, stdout: '' });
    expect(none.stderr).toContain('ponos worker start');
    await run(['job', 'dispatch', 'k', '--create', '--pool', 'waiting']);
    await worker([file('service.js', SERVICE_HANDLER), '--pool', 'working']);
    const { items } = await json<{ items: object[] }>(['pool', 'list']);
    expect(items).toMatchObject([
      { name: 'waiting', state: 'NO WORKERS', jobCount: 1, queuedCount: 1 },
      { name: 'working', state: 'IDLE', workerCount: 1, nodeCount: 1, jobCount: 0 },
    ]);
    expect((await run(['pool', 'list', '-o', 'name'])).stdout).toBe('waiting\nworking\n');
    expect((await run(['pool', 'list'])).stdout).toContain('waiting  ✖ NO WORKERS');
  });

  it('shows one, by argument, flag or environment; a name that is not there ends with 3', async () => {
    await run(['job', 'dispatch', 'k', '--create', '--pool', 'p']);
    const shown = (await run(['pool', 'show', 'p'])).stdout;
    expect(shown).toMatch(/^POOL +p\n/);
    expect((await run(['pool', 'show', '--pool', 'p'])).stdout).toBe(shown);
    expect((await run(['pool', 'show'], { env: { PONOS_POOL: 'p' } })).stdout).toBe(shown);
    expect(await run(['pool', 'show'])).toMatchObject({ code: 3, stdout: '' });
    expect(await run(['pool', 'events', 'absent'])).toMatchObject({ code: 3, stdout: '' });
    expect(await run(['pool', 'route', 'list', '--pool', 'absent'])).toMatchObject({ code: 3, stdout: '' });
  });

  it('tells what happened, chosen by key, worker and kind', async () => {
    const { id } = await worker([file('service.js', SERVICE_HANDLER)]);
    await run(['job', 'dispatch', 'a', '--wait', 'started']);
    await run(['job', 'dispatch', 'b', '--wait', 'started']);
    const types = async (...args: string[]) =>
      ndjson<Event>((await run(['pool', 'events', '--json', ...args])).stdout).map(event => event.type);
    expect(await types()).toEqual(['joined', 'dispatched', 'started', 'dispatched', 'started']);
    const events = async (...args: string[]) =>
      (await run(['pool', 'events', ...args])).stdout.split('\n').slice(0, -1);
    expect((await events('--key', 'a')).map(line => line.split(/ +/)[1])).toEqual(['dispatched', 'started']);
    expect(await events('--type', 'joined')).toEqual([expect.stringContaining(`joined      on ${id}`)]);
    expect(await events('--last', '1')).toEqual([expect.stringContaining('started     b')]);
    expect(await events('--worker', 'nobody')).toEqual([]);
  });

  it('follows until interrupted', async () => {
    await run(['job', 'dispatch', 'before', '--create']);
    const running = start(['pool', 'events', '-f', '--last', '1', '--every', '50ms', '-o', 'ndjson']);
    await running.says('"key":"before"');
    await run(['job', 'dispatch', 'after']);
    await running.says('"key":"after"');
    expect(await running.stop('SIGINT')).toMatchObject({ code: 130, stderr: '' });
    expect(ndjson<Event>(running.stdout).map(event => event.key)).toEqual(['before', 'after']);
  });

  it('adds routes at the end or at a place, replaces, removes, and routes by them', async () => {
    await run(['job', 'dispatch', 'k', '--create']);
    const routes = async () =>
      (await json<{ items: object[] }>(['pool', 'route', 'list'])).items.map(item => Object.values(item).join(' '));
    await run(['pool', 'route', 'add', 'a*', 'first']);
    await run(['pool', 'route', 'add', 'b*', 'second']);
    await run(['pool', 'route', 'add', 'aa*', 'zeroth', '--at', '0']);
    expect(await routes()).toEqual(['aa* zeroth 0', 'a* first 1', 'b* second 2']);
    await run(['pool', 'route', 'add', 'a*', 'other']);
    expect(await run(['pool', 'route', 'remove', 'b*'])).toMatchObject({ code: 0, stdout: '' });
    expect(await routes()).toEqual(['aa* zeroth 0', 'a* other 1']);
    expect(await run(['pool', 'route', 'remove', 'b*'])).toMatchObject({ code: 3 });
    expect(await run(['pool', 'route', 'add', '*', 'bad name'])).toMatchObject({ code: 2 });
    expect((await run(['pool', 'route', 'add', 'c*', 'g', '--dry-run'])).stdout).toContain('send keys "c*"');
    await run(['job', 'dispatch', 'aaa']);
    expect((await run(['job', 'list', '--group', 'zeroth', '-o', 'name'])).stdout).toBe('aaa\n');
  });
});
