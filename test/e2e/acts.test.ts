/** Whatever a command does, `--json` gives something to read. */
import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';
import { poolCli, SERVICE_HANDLER } from '../support/pool-cli.ts';

describe('what was done is told to programs:', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);

  const tells = async (args: string[], item: object) => {
    const told = await json<{ kind: string; item: object }>(args);
    expect(told).toMatchObject({ apiVersion: 'ponos/v1', kind: 'Act', item });
  };

  it('maps', async () => {
    const input = '{"a":"1","b":"2"}';
    const imported = await run(['map', 'import', 'm', '-', '--json'], { input });
    expect(JSON.parse(imported.stdout)).toMatchObject({ item: { act: 'map import', name: 'm', addedCount: 2 } });
    await tells(['map', 'clear', 'm', '--yes'], { act: 'map clear', name: 'm', entryCount: 2 });
    await tells(['map', 'destroy', 'm', '--yes'], { act: 'map destroy', name: 'm', entryCount: 0, replicaCount: 0 });
  });

  it('streams and sinks', async () => {
    await tells(['stream', 'create', 's'], { act: 'stream create', name: 's', partitions: null });
    const link = await redis.connect();
    await link.commands.call('XGROUP', 'CREATE', link.keys.stream('s').events, 'billing', '0');
    await tells(['sink', 'remove', 's', 'billing', '--yes'], { act: 'sink remove', stream: 's', name: 'billing' });
    // The short name is the same act.
    await tells(['stream', 'rm', 's', '--yes'], { act: 'stream remove', name: 's', length: 0, sinkCount: 0 });
  });

  it('pools, jobs and schedules', async () => {
    expect((await run(['job', 'dispatch', 'k', '--create'])).code).toBe(0);
    await tells(['job', 'notify', 'k', 'x'], { act: 'job notify', name: 'k', pool: 'default' });
    expect((await run(['schedule', 'add', 's', '--every', '1h'])).code).toBe(0);
    await tells(['schedule', 'pause', 's'], { act: 'schedule pause', name: 's', pool: 'default' });
    await tells(['schedule', 'resume', 's'], { act: 'schedule resume', name: 's', nextAtMs: expect.any(Number) });
    await tells(['schedule', 'remove', 's', '--yes'], { act: 'schedule remove', name: 's' });
    await tells(['pool', 'route', 'add', 'a*', 'g'], { act: 'pool route add', name: 'a*', group: 'g' });
    await tells(['pool', 'route', 'apply'], { act: 'pool route apply', name: 'default', totalCount: 0 });
    await tells(['pool', 'route', 'remove', 'a*'], { act: 'pool route remove', name: 'a*' });
    await tells(['pool', 'rebalance'], { act: 'pool rebalance', name: 'default' });
    await tells(['pool', 'upgrade'], { act: 'pool upgrade', name: 'default', to: expect.any(Number) });
  });

  it('the end of a pool', async () => {
    const { id } = await worker([file('service.js', SERVICE_HANDLER)]);
    await worker([file('service.js', SERVICE_HANDLER)]);
    expect(await json(['worker', 'drain', id, '--yes'])).toMatchObject({
      kind: 'DrainList',
      items: [{ worker: id, status: 'draining' }],
    });
    await tells(['pool', 'drain', '--yes'], { act: 'pool drain', name: 'default', workerCount: expect.any(Number) });
    expect((await run(['job', 'dispatch', 'k'])).code).toBe(0);
    await tells(['pool', 'shutdown', '--yes'], { act: 'pool shutdown', name: 'default', jobCount: 1 });
    await tells(['pool', 'open'], { act: 'pool open', name: 'default' });
    await tells(['pool', 'remove', 'default', '--yes'], { act: 'pool remove', name: 'default', deadCount: 0 });
  });
});
