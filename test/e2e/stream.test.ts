import { describe, expect, test } from 'vitest';
import { Sink } from '../../src/engine/index.ts';
import { ponosJson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { streamCli } from '../support/stream-cli.ts';

describe('streams', () => {
  const redis = useRedis();
  const { cli, env, payloads, publish } = streamCli(redis);

  test('are listed, and chosen by being empty or idle', async () => {
    await publish('busy', 'x', 'y');
    await publish('empty', 'x', 'y');
    expect((await cli(['stream', 'trim', 'empty', '--max-length', '0', '--yes'])).stdout).toBe('1\n');
    const names = async (...flags: string[]) => (await cli(['stream', 'list', '-o', 'name', ...flags])).stdout;
    expect(await names()).toBe('busy\nempty\n');
    expect(await names('--empty')).toBe('empty\n');
    expect(await names('--idle', '1h')).toBe('empty\n');
    expect(await ponosJson(['stream', 'list'], { env: env() })).toMatchObject({
      apiVersion: 'ponos/v1',
      kind: 'StreamList',
      items: [
        { name: 'busy', broken: null, length: 1, addedTotal: 1, sinkCount: 0 },
        { name: 'empty', length: 0, addedTotal: 1 },
      ],
    });
    const { stdout } = await cli(['stream', 'list']);
    expect(stdout.split('\n')[0]?.split(/ +/)).toEqual([
      'STREAM',
      'LENGTH',
      'SINKS',
      'MAX-LAG',
      'PENDING',
      'DEAD',
      'LAST',
      'STATE',
    ]);
  });

  test('give one event, whatever bytes it has', async () => {
    const id = await publish('orders', 'created', '{"n": 12345678901234567890}', '--topic', 't', '--header', 'a=b');
    const get = ['stream', 'get', 'orders'];
    const { stdout } = await cli([...get, id, '--json']);
    expect(stdout).toContain('"n":12345678901234567890');
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'Event',
      item: { id, stream: 'orders', event: 'created', topic: 't', headers: { a: 'b' }, payloadEncoding: 'json' },
    });
    expect((await cli([...get, id])).stdout).toMatch(/^HEADERS +\{"a":"b"\}$/m);
    const bytes = Buffer.concat([Buffer.alloc(100_000, 0xff), Buffer.from('\n')]);
    const large = await cli(['stream', 'publish', 'orders', 'x', '-'], { input: bytes });
    expect((await cli([...get, large.stdout.trim(), '--raw'])).stdoutBytes).toEqual(bytes);
    expect((await cli([...get, '1-1'])).code).toBe(3);
    expect((await cli(['stream', 'get', 'nothing', '1-1'])).code).toBe(3);
    for (const wrong of ['x', '1-1-1', '-', '99999999999999999999-0']) {
      expect((await cli([...get, '--', wrong])).code).toBe(2);
    }
  });

  test('are made with limits, which are shown, kept and changed', async () => {
    const made = ['stream', 'create', 'orders', '--max-length', '2', '--max-bytes', '1MiB', '--ttl', '1h', '--sliding'];
    expect((await cli(made)).code).toBe(0);
    expect((await cli(made)).code).toBe(4);
    for (const payload of ['a', 'b', 'c']) await publish('orders', 'x', payload);
    expect(await payloads('orders', '--from', 'oldest')).toEqual(['b', 'c']);
    expect(await ponosJson(['stream', 'show', 'orders'], { env: env() })).toMatchObject({
      item: {
        retention: { maxLength: 2, maxBytes: 1_048_576, ttlMs: 3_600_000, ttlMode: 'sliding', onFull: 'reject' },
      },
    });
    expect((await cli(['stream', 'show', 'orders'])).stdout).toMatch(/2 events, .*, ttl 1h sliding, reject/);
    const set = ['stream', 'set', 'orders'];
    expect((await cli(set)).code).toBe(2);
    expect((await cli([...set, '--max-length', '1'])).code).toBe(8);
    const changed = await ponosJson([...set, '--max-length', '1', '--ttl', '0s', '--yes'], { env: env() });
    expect(changed).toMatchObject({ kind: 'Retention', item: { removedCount: 1, lost: {}, retention: { ttlMs: 0 } } });
    expect(await payloads('orders', '--from', 'oldest')).toEqual(['c']);
    expect((await cli(['stream', 'set', 'none', '--max-length', '1', '--yes'])).code).toBe(3);
  });

  test('a change of the limits says what it would make of them, and which events would go', async () => {
    for (const payload of ['a', 'b', 'c']) await publish('orders', 'x', payload);
    const plan = async (...flags: string[]) => {
      const { stdout, code } = await cli(['stream', 'set', 'orders', ...flags, '--dry-run']);
      return code === 0 ? stdout.trim() : `exit ${code}`;
    };
    const head = 'WOULD  change the limits of stream "orders" with 3 events from no limits';
    expect(await plan('--max-length', '1')).toBe(`${head} to 1 event, reject, which removes the oldest 2 events`);
    expect(await plan('--max-length', '9')).toBe(`${head} to 9 events, reject, which removes no event`);
    const asked = await cli(['stream', 'set', 'orders', '--max-length', '1']);
    expect(asked.code).toBe(8);
    expect(asked.stderr).toContain('from no limits to 1 event, reject, which removes the oldest 2 events');
    const sink = await Sink.open(await redis.connect(), 'billing', { streams: ['orders'], from: 'oldest' }, () => {});
    await sink.close();
    expect(await plan('--max-length', '2', '--max-age', '7d')).toBe(
      `${head} to 2 events, 7d, reject, which removes the oldest 1 event and those older than 7d, as far as every sink has acknowledged them`,
    );
    expect(await plan('--max-length', '1', '--on-full', 'drop-oldest')).toBe(
      `${head} to 1 event, drop-oldest, which removes the oldest 2 events, acknowledged or not`,
    );
    expect(await payloads('orders', '--from', 'oldest')).toEqual(['a', 'b', 'c']);
  });

  test('take an event once under an id', async () => {
    const id = await publish('orders', 'paid', '17', '--once-id', 'a');
    expect(await publish('orders', 'paid', '17', '--once-id', 'a')).toBe(id);
    expect((await cli(['stream', 'publish', 'orders', 'paid', '18', '--once-id', 'a'])).code).toBe(4);
    expect(await payloads('orders', '--from', 'oldest')).toEqual(['17']);
  });

  test('that are none say how to make one', async () => {
    const { stdout, stderr, code } = await cli(['stream', 'list']);
    expect([stdout, code]).toEqual(['', 0]);
    expect(stderr).toContain('ponos stream publish STREAM EVENT');
    expect((await cli(['sink', 'list'])).code).toBe(0);
  });

  test('are trimmed to a length, before an id and before a time, only when confirmed', async () => {
    const ids: string[] = [];
    for (const payload of ['1', '2', '3', '4']) ids.push(await publish('orders', 'x', payload));
    const trim = ['stream', 'trim', 'orders'];
    const refused = await cli([...trim, '--max-length', '1']);
    expect(refused.code).toBe(8);
    expect(refused.stderr).toContain('Remove the oldest 3 events of stream "orders" with 4 events');
    const plan = await cli([...trim, '--before', ids[1] as string, '--dry-run']);
    expect([plan.code, plan.stdout]).toEqual([
      0,
      `WOULD  remove the events before ${ids[1]} of stream "orders" with 4 events\n`,
    ]);
    expect(await payloads('orders')).toEqual(['1', '2', '3', '4']);
    expect((await cli([...trim, '--before', ids[1] as string, '--yes'])).stdout).toBe('1\n');
    expect((await cli([...trim, '--before', '1h', '--yes'])).stdout).toBe('0\n');
    const last = await ponosJson([...trim, '--max-length', '1', '--yes'], { env: env() });
    expect(last).toMatchObject({ kind: 'Trim', item: { stream: 'orders', removedCount: 2, lost: {} } });
    expect(await payloads('orders')).toEqual(['4']);
    expect((await cli(trim)).code).toBe(2);
    expect((await cli(['stream', 'trim', 'nothing', '--max-length', '1', '--yes'])).code).toBe(3);
    expect((await cli([...trim, '--max-length', '0', '--yes', '--read-only'])).code).toBe(8);
  });

  test('are removed only when confirmed, and the question names what goes', async () => {
    await publish('orders', 'x', 'y');
    const refused = await cli(['stream', 'remove', 'orders']);
    expect(refused.code).toBe(8);
    expect(refused.stderr).toContain('Remove stream "orders" with 1 event, 0 sinks, 0 dead letters');
    expect((await cli(['stream', 'rm', 'orders', '--dry-run'])).code).toBe(0);
    expect((await cli(['stream', 'show', 'orders'])).code).toBe(0);
    expect((await cli(['stream', 'rm', 'orders', '--yes'])).code).toBe(0);
    expect((await cli(['stream', 'show', 'orders'])).code).toBe(3);
    expect((await cli(['stream', 'remove', 'orders', '--yes'])).code).toBe(3);
  });
});
