import { beforeEach, describe, expect, test } from 'vitest';
import { Sink } from '../../src/engine/streams/sink.ts';
import { ponosJson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { canMakeTerminals, onTerminal } from '../support/pty.ts';
import { HOSTILE, streamCli } from '../support/stream-cli.ts';
import { until } from '../support/until.ts';

type Item = Record<string, unknown>;

describe('acting on sinks', () => {
  const redis = useRedis();
  const { cli, env, publish } = streamCli(redis);

  /** A sink `billing` of stream `orders` whose only consumer has left. */
  beforeEach(async () => {
    const link = await redis.connect();
    const sink = await Sink.open(link, 'billing', { streams: ['orders'] }, () => {});
    await sink.close();
  });

  async function read(count: number): Promise<void> {
    const link = await redis.connect();
    const { events } = link.keys.stream('orders');
    await link.commands.call('XREADGROUP', 'GROUP', 'billing', 'ghost', 'COUNT', count, 'STREAMS', events, '>');
  }

  async function items(args: string[]): Promise<Item[]> {
    return (await ponosJson<{ items: Item[] }>(args, { env: env() })).items;
  }

  async function show(): Promise<Item> {
    return (await ponosJson<{ item: Item }>(['sink', 'show', 'orders', 'billing'], { env: env() })).item;
  }

  /** Opens the sink until all there is was given up on, for the reason the payload gives. */
  async function kill(count: number): Promise<void> {
    const link = await redis.connect();
    const sink = await Sink.open(link, 'billing', { streams: ['orders'] }, event =>
      event.deadLetter(event.headers.get('why') ?? event.payload.toString()),
    );
    await until(async () => (await show()).deadCount === count, 'all to be dead');
    await sink.close();
  }

  test('claim lists what it took away from dead consumers, and only plans with --dry-run', async () => {
    const id = await publish('orders', 'x', '1');
    await publish('orders', 'x', '2');
    await read(2);
    const claim = ['sink', 'claim', 'orders', 'billing'];
    expect((await items([...claim, '--idle', '1h'])).length).toBe(0);
    const plan = await cli([...claim, '--dry-run', '--count', '1']);
    expect([plan.stdout.split('\n').length, plan.stderr, plan.code]).toEqual([3, 'would make 1 event claimable\n', 0]);
    const before = await items(['sink', 'pending', 'orders', 'billing']);
    expect(before.every(({ idleMs }) => Number(idleMs) < 30_000)).toBe(true);
    expect(await items(claim)).toMatchObject([{ id, consumer: 'ghost', deliveryCount: 1 }, { consumer: 'ghost' }]);
    const after = await items(['sink', 'pending', 'orders', 'billing']);
    expect(after.every(({ idleMs }) => Number(idleMs) >= 30_000)).toBe(true);
    expect(after).toMatchObject([{ id, consumer: 'ghost', deliveryCount: 1 }, {}]);
    expect((await cli([...claim, '--read-only'])).code).toBe(8);
  });

  test('reset says what it delivers again, skips and loses, asks, and writes the new cursor', async () => {
    const ids: string[] = [];
    for (const payload of ['1', '2', '3', '4', '5']) ids.push(await publish('orders', 'x', payload));
    await read(3);
    const reset = ['sink', 'reset', 'orders', 'billing', '--to'];
    const refused = await cli([...reset, ids[1] as string]);
    expect([refused.code, refused.stdout]).toEqual([8, '']);
    expect(refused.stderr).toContain(
      `to behind ${ids[1]}: 1 event will be delivered again, 2 pending events will be lost to it`,
    );
    const plan = await cli([...reset, 'newest', '--dry-run']);
    expect(plan.stdout).toBe(
      `WOULD  reset sink "billing" of stream "orders" to behind ${ids[4]}: 2 events it was never given will be skipped and lost to it, 3 pending events will be lost to it\n`,
    );
    const planned = await ponosJson([...reset, 'newest', '--dry-run', '--keep-pending'], { env: env() });
    expect(planned).toMatchObject({
      kind: 'SinkReset',
      item: { fromId: ids[2], toId: ids[4], againCount: 0, skippedCount: 2, exact: true, pendingKeptCount: 3 },
    });
    expect((await cli([...reset, ids[1] as string, '--yes'])).stdout).toBe(`${ids[1]}\n`);
    expect(await show()).toMatchObject({ pendingCount: 0, lostTotal: 2, lag: { count: 3, exact: true } });
    expect((await cli([...reset, '1h', '--yes'])).code).toBe(0);
    expect(await show()).toMatchObject({ lostTotal: 2, lag: { count: 5 } });
    expect((await cli([...reset, '2099-01-01', '--yes', '-q'])).stdout).toBe(`${ids[4]}\n`);
    expect(await show()).toMatchObject({ lostTotal: 7, lag: { count: 0 } });
    for (const to of ['somewhere', '', '-']) expect((await cli([...reset, to, '--yes'])).code).toBe(2);
    expect((await cli(['sink', 'reset', 'orders', 'billing', '--yes'])).code).toBe(2);
  });

  test('reset and remove are refused while a consumer lives, unless forced', async () => {
    const sink = await Sink.open(await redis.connect(), 'billing', { streams: ['orders'] }, () => {});
    redis.defer(() => sink.close());
    const removed: string[] = [];
    sink.events.on('removed', ({ stream }) => removed.push(stream));
    for (const args of [
      ['reset', 'orders', 'billing', '--to', 'newest'],
      ['remove', 'orders', 'billing'],
    ]) {
      for (const how of ['--yes', '--dry-run']) {
        const { code, stdout, stderr } = await cli(['sink', ...args, how]);
        expect([code, stdout]).toEqual([4, '']);
        expect(stderr).toContain('has a consumer at work; nothing was done');
        expect(stderr).toContain('--force');
      }
    }
    expect((await cli(['sink', 'reset', 'orders', 'billing', '--to', 'newest', '--yes', '--force'])).code).toBe(0);
    expect((await cli(['sink', 'rm', 'orders', 'billing', '--yes', '--force'])).code).toBe(0);
    await until(() => removed.length === 1, 'the consumer to learn of it');
    expect(await items(['sink', 'list', 'orders'])).toEqual([]);
  });

  test('remove asks, and names what goes', async () => {
    await publish('orders', 'x', 'no use');
    await publish('orders', 'x', 'no use');
    await kill(2);
    await publish('orders', 'x', 'y');
    const refused = await cli(['sink', 'remove', 'orders', 'billing']);
    expect(refused.code).toBe(8);
    expect(refused.stderr).toContain(
      'Remove sink "billing" of stream "orders" with 1 events to come, 0 pending, 2 dead letters',
    );
    expect((await cli(['sink', 'remove', 'orders', 'billing', '--yes'])).code).toBe(0);
    const shown = await cli(['sink', 'show', 'orders', 'billing']);
    expect(shown.code).toBe(3);
    expect(shown.stderr).toContain('sink "billing" of stream "orders" does not exist');
    expect((await cli(['sink', 'dead', 'list', 'orders', 'billing'])).code).toBe(3);
  });

  test('dead letters are listed by reason and time, and shown with their bytes', async () => {
    const ids = [
      await publish('orders', 'x', '{"a": 1}', '--topic', 't', '--header', 'why=no card'),
      await publish('orders', 'x', 'b', '--header', 'why=too late'),
    ];
    await kill(2);
    const list = ['sink', 'dead', 'list', 'orders', 'billing'];
    const table = await cli(list);
    expect(table.stdout.split('\n')[0]?.split(/ +/)).toEqual([
      'DEAD-ID',
      'EVENT',
      'TOPIC',
      'DELIVERIES',
      'DIED',
      'REASON',
    ]);
    const [late, card] = (await items(list)) as [Item, Item];
    expect(card).toMatchObject({
      sink: 'billing',
      stream: 'orders',
      id: ids[0],
      event: 'x',
      topic: 't',
      headers: { why: 'no card' },
      payload: { a: 1 },
      payloadEncoding: 'json',
      payloadBytes: 8,
      deliveryCount: 1,
      reason: 'no card',
    });
    expect(await items([...list, '--reason', 'card'])).toEqual([card]);
    expect(await items([...list, '--limit', '1'])).toEqual([late]);
    expect(await items([...list, '--until', '1h'])).toEqual([]);
    expect(await items([...list, '--since', '1h', '--until', '2099-01-01'])).toHaveLength(2);
    expect((await cli([...list, '--since', '1763900000000-0'])).code).toBe(2);
    const shown = await cli(['sink', 'dead', 'show', 'orders', 'billing', String(card.deadId)]);
    expect(shown.stdout).toMatch(/^REASON +no card$/m);
    expect(shown.stdout).toMatch(/^PAYLOAD +\{"a": 1\}$/m);
  });

  test('what is shown of a dead letter harms no terminal, and --raw gives its bytes', async () => {
    const link = await redis.connect();
    const payload = Buffer.concat([Buffer.from(HOSTILE), Buffer.from([0xff, 0x0a])]);
    const { events } = link.keys.stream('orders');
    await link.commands.call('XADD', events, '*', 'n', HOSTILE, 'p', payload, 'h', JSON.stringify([['why', HOSTILE]]));
    await link.commands.call('XADD', events, '*', 'foreign', 'entry');
    await kill(2);
    const letters = await items(['sink', 'dead', 'list', 'orders', 'billing']);
    const malformed = letters.find(found => found.malformed !== undefined) as Item;
    const letter = letters.find(found => found.malformed === undefined) as Item;
    expect(letter.payloadEncoding).toBe('base64');
    const raw = await cli(['sink', 'dead', 'show', 'orders', 'billing', String(letter.deadId), '--raw']);
    expect(raw.stdoutBytes).toEqual(payload);
    const foreign = await cli(['sink', 'dead', 'show', 'orders', 'billing', String(malformed.deadId), '--raw']);
    expect([foreign.stdout, foreign.code]).toEqual(['', 0]);
    expect(foreign.stderr).toContain('entry has no name (field n)');
    if (!canMakeTerminals) return;
    for (const args of [['list'], ['list', '-o', 'wide'], ['show']]) {
      const id = args[0] === 'show' ? [String(letter.deadId)] : [];
      const command = ['sink', 'dead', args[0] as string, 'orders', 'billing', ...id, ...args.slice(1)];
      const seen = await onTerminal([...command, '--color', 'never'], { env: env(), columns: 200 });
      expect(seen).toContain('\\x1b]0;owned');
      expect(seen).not.toMatch(/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u202e]/);
    }
  });

  test('replay delivers to the sink alone, and publishes only what is no longer in the stream, when asked', async () => {
    await publish('orders', 'x', 'one');
    const second = await publish('orders', 'x', 'two');
    await kill(2);
    const [, first] = (await items(['sink', 'dead', 'list', 'orders', 'billing'])) as [Item, Item];
    const replay = ['sink', 'dead', 'replay', 'orders', 'billing'];
    const plan = await cli([...replay, '--reason', 'two', '--dry-run']);
    expect(plan.stdout).toMatch(/^WOULD {2}replay dead letter \d+-\d+ of sink "billing" of stream "orders"\n$/);
    expect((await cli([...replay, '--reason', 'two'])).stderr).toBe('replayed 1 dead letter\n');
    expect(await items(['sink', 'pending', 'orders', 'billing'])).toMatchObject([{ id: second, deliveryCount: 0 }]);
    expect((await cli(['stream', 'trim', 'orders', '--max-length', '1', '--yes'])).code).toBe(0);
    const gone = await cli([...replay, '--all']);
    expect(gone.code).toBe(4);
    expect(gone.stderr).toContain('is no longer in stream "orders"; it stays a dead letter');
    expect(gone.stderr).toContain('--publish');
    const mixed = await cli([...replay, String(first.deadId), '1-1', '--publish', '--json']);
    expect(mixed.code).toBe(9);
    const results = (JSON.parse(mixed.stdout) as { items: Item[] }).items;
    expect(results).toMatchObject([
      { deadId: first.deadId, status: 'published' },
      { deadId: '1-1', status: 'failed', error: { code: 'NOT_FOUND' } },
    ]);
    const event = await ponosJson<{ item: Item }>(['stream', 'get', 'orders', String(results[0]?.id)], { env: env() });
    expect(event.item).toMatchObject({ event: 'x', payload: 'one', headers: { 'ponos-replay-of': first.id } });
    const again = await cli([...replay, String(first.deadId)]);
    expect(again.code).toBe(3);
    expect(again.stderr).toContain(
      `dead letter "${String(first.deadId)}" of sink "billing" of stream "orders" does not exist`,
    );
    expect((await cli([...replay, '--all'])).stderr).toBe('replayed 0 dead letters\n');
  });

  test('purge asks, and removes what is meant', async () => {
    for (const payload of ['one', 'two', 'three']) await publish('orders', 'x', payload);
    await kill(3);
    const purge = ['sink', 'dead', 'purge', 'orders', 'billing'];
    const refused = await cli([...purge, '--all']);
    expect([refused.code, refused.stdout]).toEqual([8, '']);
    expect(refused.stderr).toContain('Purge 3 dead letters of sink "billing" of stream "orders"');
    expect((await cli([...purge, '--reason', 'one', '--yes'])).stderr).toBe('purged 1 dead letter\n');
    expect((await items(['sink', 'dead', 'list', 'orders', 'billing'])).map(({ reason }) => reason)).toEqual([
      'three',
      'two',
    ]);
    expect((await cli([...purge, '--all', '--dry-run'])).code).toBe(0);
    expect((await cli([...purge, '1-1', '--yes'])).code).toBe(3);
    expect((await cli([...purge, '--all', '--yes', '--json'])).stdout).toContain('"status":"purged"');
    expect((await show()).deadCount).toBe(0);
  });

  test('what is wrong or not there is refused, with a word of where to look', async () => {
    for (const args of [
      ['claim'],
      ['reset', '--to', 'oldest', '--yes'],
      ['remove', '--yes'],
      ['dead', 'list'],
      ['dead', 'show', '1-1'],
      ['dead', 'replay', '1-1'],
      ['dead', 'purge', '1-1', '--yes'],
    ]) {
      const verb = args[0] === 'dead' ? args.splice(0, 2) : args.splice(0, 1);
      for (const names of [
        ['nothing', 'billing'],
        ['orders', 'nothing'],
      ]) {
        const { code, stdout, stderr } = await cli(['sink', ...verb, ...names, ...args]);
        expect([verb, names, code, stdout]).toEqual([verb, names, 3, '']);
        expect(stderr).toContain('ponos');
      }
      expect((await cli(['sink', ...verb, 'or\u001bders', 'billing', ...args])).code).toBe(2);
    }
    for (const verb of ['replay', 'purge']) {
      const command = ['sink', 'dead', verb, 'orders', 'billing', '--yes'];
      expect((await cli(command)).code).toBe(2);
      expect((await cli([...command, '--all', '1-1'])).code).toBe(2);
      expect((await cli([...command, 'no-id'])).code).toBe(2);
    }
    expect((await cli(['sink', 'dead', 'show', 'orders', 'billing', 'x'])).code).toBe(2);
  });
});
