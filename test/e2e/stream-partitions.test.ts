import { describe, expect, test } from 'vitest';
import { PartitionedSink, Sink } from '../../src/engine/index.ts';
import { ndjson, ponosJson, startPonos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { streamCli } from '../support/stream-cli.ts';
import { until } from '../support/until.ts';

describe('a partitioned stream on the command line', () => {
  const redis = useRedis();
  const { cli, env, payloads, publish } = streamCli(redis);
  const KEYS = ['ann', 'bob', 'cy', 'dee', 'eve', 'fay', 'gus', 'hal'];
  const create = (...flags: string[]) => cli(['stream', 'create', 'orders', '--partitions', '4', ...flags]);

  test('is made with limits, which are shown and changed for all partitions', async () => {
    expect((await create('--max-length', '3', '--dry-run')).stdout).toBe(
      'WOULD  make stream "orders" with 4 partitions\n',
    );
    expect((await create('--max-length', '3')).stderr).toBe('made stream "orders" with 4 partitions\n');
    expect((await create('--max-length', '3')).code).toBe(4);
    expect((await cli(['stream', 'create', 'orders'])).code).toBe(4);
    expect((await cli(['stream', 'create', 'many', '--partitions', '257'])).code).toBe(2);
    const endless = await cli(['stream', 'create', 'endless', '--sliding']);
    expect(endless.code).toBe(2);
    expect(endless.stderr).toContain('--sliding says how --ttl counts: give that too');
    expect(await ponosJson(['stream', 'show', 'orders'], { env: env() })).toMatchObject({
      item: { partitions: 4, retention: { maxLength: 3 } },
    });
    for (const n of [1, 2, 3, 4]) await publish('orders', 'placed', String(n), '--key', 'ann');
    const set = ['stream', 'set', 'orders', '--max-length', '1'];
    expect((await cli(set)).code).toBe(8);
    expect(await ponosJson([...set, '--yes'], { env: env() })).toMatchObject({
      item: { stream: 'orders', removedCount: 2, retention: { maxLength: 1 } },
    });
    expect(await ponosJson(['stream', 'show', 'orders.2'], { env: env() })).toMatchObject({
      item: { partitions: null, retention: { maxLength: 1 } },
    });
  });

  test('no partition is removed by itself, and limits that are not the same are shown as mixed', async () => {
    await create('--max-length', '3');
    await publish('orders', 'placed', '1', '--key', 'ann');
    const removed = await cli(['stream', 'remove', 'orders.0', '--dry-run']);
    expect([removed.code, removed.stdout]).toEqual([4, '']);
    expect(removed.stderr).toContain('"ponos stream remove orders" removes it with all its partitions');
    // What only looks like one is an ordinary stream.
    await publish('orders.4', 'x', '1');
    expect((await cli(['stream', 'remove', 'orders.4', '--yes'])).code).toBe(0);
    expect((await cli(['stream', 'show', 'orders'])).stdout).toMatch(/RETENTION +3 events, reject/);
    expect((await cli(['stream', 'set', 'orders.1', '--max-length', '1', '--yes'])).code).toBe(0);
    expect((await cli(['stream', 'show', 'orders'])).stdout).toMatch(/RETENTION +mixed/);
    expect(await ponosJson(['stream', 'show', 'orders'], { env: env() })).toMatchObject({
      item: { retention: null, mixedRetention: true },
    });
  });

  test('a publisher is told what was lost to make room for its events', async () => {
    await create('--max-length', '1', '--on-full', 'drop-oldest');
    const [partition = ''] = (await publish('orders', 'placed', '1', '--key', 'ann')).split(' ');
    await publish('plain', 'x', '1');
    expect((await cli(['stream', 'set', 'plain', '--max-length', '1', '--on-full', 'drop-oldest', '--yes'])).code).toBe(
      0,
    );
    const link = await redis.connect();
    for (const stream of [partition, 'plain']) {
      const sink = await Sink.open(link, 'billing', { streams: [stream], from: 'oldest' }, () => {});
      await until(() => sink.stats.acked === 1, 'the first event to be done');
      await sink.close();
    }
    const lost = 'went that sink "billing" had not acknowledged\n';
    for (const name of [['orders', '--key', 'ann'], ['plain']]) {
      const [stream = '', ...flags] = name;
      const first = await cli(['stream', 'publish', stream, 'x', '2', ...flags]);
      expect([first.code, first.stderr.includes('to make room')]).toEqual([0, false]);
      const one = await cli(['stream', 'publish', stream, 'x', '3', ...flags]);
      expect([one.code, one.stderr.includes(`warning: to make room, 1 event ${lost}`)]).toEqual([0, true]);
      const many = await cli(['stream', 'publish', stream, 'x', '-', '--lines', ...flags], { input: '4\n5\n' });
      expect([many.code, many.stderr.includes(`warning: to make room, 2 events ${lost}`)]).toEqual([0, true]);
    }
  });

  test('takes an event by its key, says where it is, and takes none without', async () => {
    await create();
    const place = await publish('orders', 'placed', '17', '--key', 'ann', '--header', 'a=b');
    expect(place).toMatch(/^orders\.[0-3] \d+-\d+$/);
    expect(await ponosJson(['stream', 'get', ...place.split(' ')], { env: env() })).toMatchObject({
      item: { event: 'placed', headers: { a: 'b', 'partition-key': 'ann' }, payload: 17 },
    });
    const once = ['orders', 'paid', '17', '--key', 'ann', '--once-id', 'pay-1'];
    expect(await publish(...once)).toBe(await publish(...once));
    const json = ['stream', 'publish', 'orders', 'placed', '18', '--key', 'ann'];
    expect(await ponosJson(json, { env: env() })).toMatchObject({ item: { stream: place.split(' ')[0] } });

    const refused = await cli(['stream', 'publish', 'orders', 'placed', '19']);
    expect([refused.code, refused.stdout]).toEqual([4, '']);
    expect(refused.stderr).toMatch(/is partitioned.*--key/s);
    await publish('plain', 'x', 'y');
    const ordinary = await cli(['stream', 'publish', 'plain', 'x', 'y', '--key', 'ann']);
    expect([ordinary.code, ordinary.stdout]).toEqual([4, '']);
    expect(ordinary.stderr).toMatch(/has no partitions.*without a key/s);
    const missing = await cli(['stream', 'publish', 'none', 'x', 'y', '--key', 'ann']);
    expect(missing.code).toBe(3);
    expect(missing.stderr).toContain('ponos stream create NAME --partitions N');
    expect((await cli(['stream', 'list', '-o', 'name'])).stdout).not.toContain('none');
  });

  test('takes many events, with one key or one a line, and what tail wrote', async () => {
    await create();
    const lines = await cli(['stream', 'publish', 'orders', 'log', '-', '--lines', '--key', 'ann'], {
      input: '1\n2\n',
    });
    const partitions = lines.stdout.split('\n').slice(0, -1);
    expect(new Set(partitions.map(line => line.split(' ')[0])).size).toBe(1);
    expect(partitions.length).toBe(2);
    const bulk = ['stream', 'publish', 'orders', 'placed', '-', '--ndjson', '-o', 'ndjson'];
    const input = [1, 2, 3].flatMap(n => KEYS.map(key => JSON.stringify({ key, payload: { key, n } }))).join('\n');
    const published = ndjson((await cli(bulk, { input })).stdout);
    expect(published.length).toBe(24);
    for (const [at] of KEYS.entries()) {
      const of = published.filter((_, position) => position % KEYS.length === at);
      expect(new Set(of.map(({ stream }) => stream)).size).toBe(1);
    }
    const bad = await cli([...bulk, '--continue-on-error'], { input: '{"payload":1}\n{"key":7,"payload":1}\n' });
    expect(bad.code).not.toBe(0);
    expect(bad.stderr).toMatch(/line 1: stream "orders" is partitioned, and the event has no key/);
    expect(bad.stderr).toContain('line 2: "key" is no string');
    expect((await cli([...bulk, '--key', 'zoe'], { input: '{"payload":"with the key of all"}\n' })).code).toBe(0);

    const { stdout } = await cli(['stream', 'tail', 'orders', '--no-follow', '-o', 'ndjson']);
    const events = ndjson(stdout);
    expect(events.length).toBe(27);
    const ids = events.map(({ id }) => String(id).split('-')[0] as string);
    expect(ids).toEqual(ids.toSorted((a, b) => Number(a) - Number(b)));
    for (const key of KEYS) {
      const numbers = events.map(({ payload }) => payload as { key?: string; n?: number }).filter(p => p.key === key);
      expect(numbers.map(({ n }) => n)).toEqual([1, 2, 3]);
    }
    await cli(['stream', 'create', 'copy', '--partitions', '2']);
    expect((await cli(['stream', 'publish', 'copy', 'x', '-', '--ndjson'], { input: stdout })).code).toBe(0);
    expect((await payloads('copy')).toSorted()).toEqual((await payloads('orders')).toSorted());
    const plain = await cli(['stream', 'publish', 'plain', 'x', '-', '--ndjson'], {
      input: '{"key":"a","payload":1}\n',
    });
    expect(plain.code).toBe(2);
    expect(plain.stderr).toContain('its events have no key');
  });

  test('is followed with all its partitions', async () => {
    await create();
    const running = startPonos(['stream', 'tail', 'orders', '-o', 'ndjson', '--count', '8'], { env: env() });
    await running.says('following stream "orders.0", "orders.1"');
    for (const key of KEYS) await publish('orders', 'placed', key, '--key', key);
    const { stdout, code } = await running.result;
    expect(code).toBe(0);
    expect(
      ndjson(stdout)
        .map(({ payload }) => payload)
        .toSorted(),
    ).toEqual(KEYS);
    expect((await cli(['stream', 'tail', 'orders', 'orders.1', '--last', '1', '--no-follow', '--raw'])).code).toBe(0);
  });

  test('is followed by a tail that began before it was made', async () => {
    const args = ['stream', 'tail', 'orders', '--count', '8'];
    const alone = startPonos(args, { env: env() });
    await publish('plain', 'x', '1');
    const beside = startPonos([...args, 'plain', '--last', '1', '-o', 'ndjson'], { env: env() });
    const counting = startPonos(['stream', 'tail', 'orders', '--rate', '-o', 'ndjson'], { env: env() });
    for (const running of [alone, beside, counting]) await running.says('"orders" does not exist yet; waiting for it');
    for (const running of [alone, beside, counting]) await running.says('Ctrl-C ends it');
    await create();
    for (const key of KEYS) await publish('orders', 'placed', key, '--key', key);
    const { stdout, stderr, code } = await alone.result;
    expect([code, stdout.match(/ {2}orders\.[0-3] {2}placed {2}/g)?.length]).toEqual([0, 8]);
    expect(stderr).toContain('stream "orders" is there, with 4 partitions\n');
    const both = ndjson((await beside.result).stdout);
    expect([both.length, both[0]?.stream]).toEqual([8, 'plain']);
    await until(() => counting.stdout.includes('"totalCount":'), 'a line of the meter');
    const total = () => {
      const last = new Map(
        ndjson(counting.stdout.replace(/[^\n]*$/, '')).map(row => [row.stream, Number(row.totalCount)]),
      );
      return [...last.values()].reduce((sum, count) => sum + count, 0);
    };
    await until(() => total() === 8, 'all events to be counted');
    expect(counting.stdout).toContain('"stream":"orders.3"');
    expect((await counting.stop()).code).toBe(130);
  });

  test('takes the pools of its sinks along, and a sink its own', async () => {
    await create();
    const link = await redis.connect();
    for (const name of ['billing', 'audit']) {
      const sink = await PartitionedSink.open(link, name, { stream: 'orders', pool: { lease: 'fast' } }, () => {});
      await until(() => sink.owned.length === 4, 'it to have all partitions');
      if (name === 'billing') {
        const refused = await cli(['sink', 'remove', 'orders', 'billing', '--yes']);
        expect([refused.code, refused.stderr.includes('SINK_IN_USE')]).toEqual([4, true]);
      }
      await sink.close();
    }
    const pools = async () => (await cli(['pool', 'list', '-o', 'name'])).stdout;
    expect(await pools()).toBe('orders..audit\norders..billing\n');
    const what = 'sink "billing" of stream "orders" in 4 partitions with 0 events to come, 0 pending, 0 dead letters';
    const remove = ['sink', 'remove', 'orders', 'billing'];
    expect((await cli([...remove, '--dry-run'])).stdout).toBe(`WOULD  remove ${what}\n`);
    expect((await cli([...remove, '--yes'])).stderr).toBe(`removed ${what}\n`);
    expect(await pools()).toBe('orders..audit\n');
    expect((await cli([...remove, '--yes'])).code).toBe(3);
    expect((await cli(['stream', 'remove', 'orders', '--yes'])).code).toBe(0);
    expect(await pools()).toBe('');
  });

  test('is trimmed partition by partition; what is of one partition is asked of that one', async () => {
    await create();
    for (const n of [1, 2, 3]) await publish('orders', 'placed', String(n), '--key', 'ann');
    await publish('orders', 'placed', '4', '--key', 'bob');
    const [partition = '', id = ''] = (await publish('orders', 'placed', '5', '--key', 'ann')).split(' ');
    const bob = (await publish('orders', 'placed', '6', '--key', 'bob')).split(' ')[0];
    expect(bob).not.toBe(partition);
    const trim = ['stream', 'trim', 'orders', '--max-length', '1'];
    expect((await cli([...trim, '--dry-run'])).stdout).toBe(
      'WOULD  remove the oldest 4 events of stream "orders" with 6 events\n',
    );
    expect((await cli([...trim, '--yes'])).stdout).toBe('4\n');
    expect((await payloads('orders')).toSorted()).toEqual(['5', '6']);

    const link = await redis.connect();
    await link.commands.call('XGROUP', 'CREATE', link.keys.stream(partition).events, 'billing', '0');
    for (const args of [
      ['stream', 'get', 'orders', id],
      ['stream', 'replay', 'orders'],
      ['stream', 'replay', partition, '--into', 'orders'],
      ['sink', 'show', 'orders', 'billing'],
      ['sink', 'pending', 'orders', 'billing'],
      ['sink', 'reset', 'orders', 'billing', '--to', 'oldest', '--yes'],
      ['sink', 'dead', 'list', 'orders', 'billing'],
    ]) {
      const { stdout, stderr, code } = await cli(args);
      expect([args, code, stdout]).toEqual([args, 4, '']);
      expect(stderr).toContain('"orders.0" to "orders.3"');
      if (args[0] === 'sink') expect(stderr).toContain('"ponos sink list orders" shows the sinks of each');
    }
    expect((await cli(['stream', 'replay', partition, '--raw'])).stdout).toBe('5\n');
    expect((await cli(['sink', 'list', 'orders', '-o', 'csv'])).stdout).toContain(partition);
    expect((await cli(['sink', 'pending', partition, 'billing'])).code).toBe(0);
    expect((await cli(['stream', 'remove', 'orders', '--yes'])).code).toBe(0);
    expect((await cli(['stream', 'list', '-o', 'name'])).stdout).toBe('');
  });
});
