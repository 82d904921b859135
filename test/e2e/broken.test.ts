/** A key of another type under one map, stream or pool: the others are shown as ever, it is named, and can be removed. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { RedisLink } from '../../src/engine/redis/link.ts';
import { type CliResult, ponos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';

describe('what is broken', () => {
  const redis = useRedis();
  let link: RedisLink;
  const run = (...args: string[]): Promise<CliResult> =>
    ponos(args, { env: { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix } });
  const ok = async (...args: string[]): Promise<string> => {
    const result = await run(...args);
    expect(result, args.join(' ')).toMatchObject({ code: 0 });
    return result.stdout;
  };
  const items = (result: CliResult) => (JSON.parse(result.stdout) as { items: Record<string, unknown>[] }).items;
  const replace = async (key: string) => {
    await link.commands.call('UNLINK', key);
    await link.commands.call('SET', key, 'of another program');
  };

  beforeEach(async () => {
    link = await redis.connect();
  });

  describe('a map', () => {
    it.each(['data', 'meta'] as const)(
      'of which %s is a string is listed as broken, beside the others',
      async which => {
        await ok('map', 'set', 'good', 'k', 'v');
        await ok('map', 'set', 'bad', 'k', 'v');
        const key = link.keys.map('bad')[which];
        await replace(key);

        const list = await run('map', 'list');
        expect(list.code).toBe(9);
        expect(list.stdout).toMatch(/^bad( +-)+ +✖ BROKEN/m);
        expect(list.stdout).toMatch(/^good +1 .*● OK/m);
        expect(list.stderr).toContain(`key "${key}" is a string, expected a hash`);
        expect(list.stderr).toContain('ponos map destroy bad');
        const json = await run('map', 'list', '--json');
        expect(json.code).toBe(9);
        expect(items(json)).toMatchObject([
          { name: 'bad', broken: expect.stringContaining(key) },
          { name: 'good', broken: null, keyCount: 1 },
        ]);

        const doctor = await run('doctor', '--json');
        const { findings } = (JSON.parse(doctor.stdout) as { item: { findings: object[] } }).item;
        expect(
          findings.filter(finding => 'subject' in finding && JSON.stringify(finding.subject).includes('"bad"')),
        ).toEqual([
          expect.objectContaining({
            code: 'WRONG_TYPE',
            message: expect.stringContaining(key),
            command: 'ponos map destroy bad',
          }),
        ]);

        const frame = await run('dashboard', '--once', '--view', 'maps');
        expect(frame).toMatchObject({ code: 0 });
        expect(frame.stdout).toMatch(/bad +BROKEN/);
        expect(frame.stdout).toMatch(/good +1 /);

        const metrics = await ok('metrics');
        expect(metrics).toContain('ponos_up{part="maps"} 1');
        expect(metrics).toContain('ponos_broken{kind="map",name="bad"} 1');
        expect(metrics).toContain('ponos_map_entries{map="good"} 1');

        expect((await run('map', 'destroy', 'bad')).code, 'asks first').toBe(8);
        await ok('map', 'destroy', 'bad', '--yes');
        expect(items(await run('map', 'list', '--json'))).toMatchObject([{ name: 'good' }]);
        expect(await link.commands.call('TYPE', key)).not.toBe('string');
        await ok('map', 'set', 'bad', 'k', 'new');
        await ok('map', 'list');
      },
    );

    it('of which the record holds a count that is none is listed as broken, beside the others', async () => {
      await ok('map', 'set', 'good', 'k', 'v');
      await ok('map', 'set', 'bad', 'k', 'v');
      await link.commands.call('HSET', link.keys.map('bad').meta, 'revision', 'x');
      const said = 'the record of a map holds "x" as its revision';

      const list = await run('map', 'list', '--json');
      expect(list.code).toBe(9);
      expect(items(list)).toMatchObject([
        { name: 'bad', broken: said },
        { name: 'good', broken: null, keyCount: 1 },
      ]);
      const doctor = await run('doctor', '--json');
      expect((JSON.parse(doctor.stdout) as { item: { findings: object[] } }).item.findings).toContainEqual(
        expect.objectContaining({
          code: 'BROKEN',
          message: expect.stringContaining(said),
          command: 'ponos map destroy bad',
        }),
      );
      expect(await ok('metrics')).toContain('ponos_broken{kind="map",name="bad"} 1');

      await ok('map', 'destroy', 'bad', '--yes');
      expect(items(await run('map', 'list', '--json'))).toMatchObject([{ name: 'good' }]);
      await ok('map', 'set', 'bad', 'k', 'new');
      expect(await ok('map', 'get', 'bad', 'k')).toBe('new\n');
    });
  });

  describe('a stream', () => {
    it.each(['events', 'meta', 'sinks'] as const)(
      'of which %s is a string is listed as broken, beside the others',
      async which => {
        await ok('stream', 'publish', 'good', 'E', '1');
        await ok('stream', 'publish', 'bad', 'E', '1');
        const key = link.keys.stream('bad')[which];
        await link.commands.call('XGROUP', 'CREATE', link.keys.stream('good').events, 'billing', '0');
        await replace(key);

        const list = await run('stream', 'list');
        expect(list.code).toBe(9);
        expect(list.stdout).toMatch(/^bad( +-)+ +✖ BROKEN/m);
        expect(list.stdout).toMatch(/^good +1 .*● OK/m);
        expect(list.stderr).toContain(`key "${key}"`);
        expect(list.stderr).toContain('ponos stream remove bad');

        const sinks = await run('sink', 'list');
        expect(sinks.code).toBe(9);
        expect(sinks.stdout).toMatch(/^billing +good/m);
        expect(sinks.stderr).toContain(`key "${key}"`);
        expect((await run('sink', 'list', 'bad')).code).toBe(1);

        const frame = await run('dashboard', '--once', '--view', 'streams');
        expect(frame.stdout).toMatch(/bad +BROKEN/);
        const metrics = await ok('metrics');
        expect(metrics).toContain('ponos_broken{kind="stream",name="bad"} 1');
        expect(metrics).toContain('ponos_stream_events{stream="good"} 1');
        expect(metrics).toContain('ponos_sink_pending_events{stream="good",sink="billing"} 0');

        expect((await run('stream', 'remove', 'bad')).code, 'asks first').toBe(8);
        await ok('stream', 'remove', 'bad', '--yes');
        expect(items(await run('stream', 'list', '--json'))).toMatchObject([{ name: 'good' }]);
        await ok('stream', 'publish', 'bad', 'E', '2');
        await ok('stream', 'list');
      },
    );

    it('with partitions of which one is broken can be removed as a whole', async () => {
      await ok('stream', 'create', 'orders', '--partitions', '3');
      await ok('stream', 'publish', 'good', 'E', '1');
      await replace(link.keys.stream('orders.1').events);
      const list = await run('stream', 'list');
      expect(list.code).toBe(9);
      expect(list.stdout).toMatch(/^orders( +-)+ +✖ BROKEN/m);
      expect(list.stdout).toMatch(/^orders\.1( +-)+ +✖ BROKEN/m);
      expect(list.stdout).toMatch(/^good .*● OK/m);
      // One key, told once, with what may be removed.
      expect(list.stderr.match(/What to type: .*/g)).toEqual(['What to type: ponos stream remove orders']);
      expect((await run('stream', 'remove', 'orders.1', '--yes')).stderr).toContain('is a partition of "orders"');
      expect((await run('metrics')).stderr).toMatch(/stream "orders\.1" is broken: .* What to type: ponos doctor\n/);
      const doctor = await run('doctor', '--json');
      const { findings } = (JSON.parse(doctor.stdout) as { item: { findings: object[] } }).item;
      expect(findings).toContainEqual(
        expect.objectContaining({
          code: 'WRONG_TYPE',
          subject: { kind: 'stream', name: 'orders.1' },
          command: 'ponos stream remove orders',
        }),
      );
      await ok('stream', 'remove', 'orders', '--yes');
      expect(items(await run('stream', 'list', '--json'))).toMatchObject([{ name: 'good' }]);
    });
  });

  describe('a pool', () => {
    it('of which the configuration is a string is listed as broken, beside the others', async () => {
      for (const pool of ['good', 'bad']) await ok('job', 'dispatch', 'k', '-p', pool, '--create');
      const key = link.keys.pool('bad').config;
      await replace(key);
      const list = await run('pool', 'list');
      expect(list.code).toBe(9);
      expect(list.stdout).toMatch(/^bad +✖ BROKEN +- +- +-/m);
      expect(list.stdout).toMatch(/^good +✖ NO WORKERS/m);
      expect(list.stderr).toContain(`key "${key}"`);
      expect(list.stderr).toContain('ponos doctor bad');
      const frame = await run('dashboard', '--once');
      expect(frame.stdout).toMatch(/bad .*BROKEN/);
      const metrics = await ok('metrics');
      expect(metrics).toContain('ponos_broken{kind="pool",name="bad"} 1');
      expect(metrics).toContain('ponos_pool_jobs{pool="good",state="pending"} 1');
      const doctor = await run('doctor', 'bad', '--json');
      expect(doctor.stdout).toContain('ponos doctor bad --repair --broken set-aside');
      await run('doctor', 'bad', '--repair', '--broken', 'set-aside', '--yes');
      expect(items(await run('pool', 'list', '--json'))).toMatchObject([{ name: 'good' }]);
    });
  });

  it('is suggested to be removed where it was looked for', async () => {
    await ok('map', 'set', 'bad', 'k', 'v');
    await replace(link.keys.map('bad').data);
    const place = ['--redis', redis.server.url, '--prefix', redis.prefix];
    const next = `ponos map destroy ${place.join(' ')} bad`;
    const list = await ponos(['map', 'list', ...place]);
    expect(list.stderr).toContain(`What to type: ${next}`);
    const doctor = await ponos(['doctor', ...place, '--json']);
    const { findings } = (JSON.parse(doctor.stdout) as { item: { findings: object[] } }).item;
    expect(findings).toContainEqual(expect.objectContaining({ code: 'WRONG_TYPE', command: next }));
    expect(await ponos([...next.split(' ').slice(1), '--yes'])).toMatchObject({ code: 0 });
  });

  it('names that cannot be are not what hides the rest', async () => {
    await ok('map', 'set', 'good', 'k', 'v');
    await ok('stream', 'publish', 'good', 'E', '1');
    for (const kind of ['maps', 'streams', 'pools'] as const) {
      await link.commands.call('SADD', link.keys.registry(kind), 'not a name');
    }
    expect(await ok('map', 'list', '-o', 'name')).toBe('good\n');
    expect(await ok('stream', 'list', '-o', 'name')).toBe('good\n');
    await ok('pool', 'list');
  });

  it('a part that Redis refuses is what the dashboard says, at once', async () => {
    await link.commands.call('ACL', 'SETUSER', 'narrow', 'on', '>pw', 'allkeys', 'allchannels', '+@all', '-pubsub');
    await ok('map', 'set', 'good', 'k', 'v');
    const url = redis.server.url.replace('redis://', 'redis://narrow:pw@');
    const result = await ponos(['dashboard', '--once', '--view', 'maps', '--redis', url, '--prefix', redis.prefix], {
      limitMs: 8000,
    });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/cannot read maps: .*NOPERM/);
  });
});
