import { describe, expect, test } from 'vitest';
import { EventStream } from '../../src/engine/streams/stream.ts';
import { ndjson, startPonos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { canMakeTerminals, onTerminal } from '../support/pty.ts';
import { HOSTILE, streamCli } from '../support/stream-cli.ts';

describe('ponos stream tail', () => {
  const redis = useRedis();
  const { cli, env, payloads, publish } = streamCli(redis);

  test('starts where it is told to', async () => {
    const ids: string[] = [];
    for (const payload of ['1', '2', '3']) ids.push(await publish('orders', 'x', payload));
    expect(await payloads('orders')).toEqual(['1', '2', '3']);
    expect(await payloads('orders', '--from', 'newest')).toEqual([]);
    expect(await payloads('orders', '--from', ids[0] as string)).toEqual(['2', '3']);
    expect(await payloads('orders', '--last', '2')).toEqual(['2', '3']);
    expect(await payloads('orders', '--last', '20')).toEqual(['1', '2', '3']);
    expect(await payloads('orders', '--since', '1h')).toEqual(['1', '2', '3']);
    expect(await payloads('orders', '--since', '2099-01-01')).toEqual([]);
    expect(await payloads('orders', '--count', '1')).toEqual(['1']);
  });

  test('chooses by topic, name and payload', async () => {
    await publish('orders', 'created', 'one', '--topic', 'eu.web');
    await publish('orders', 'paid', 'two', '--topic', 'eu.app');
    await publish('orders', 'created', 'three');
    expect(await payloads('orders', '--topic', 'eu.*')).toEqual(['one', 'two']);
    expect(await payloads('orders', '--event', 'created')).toEqual(['one', 'three']);
    expect(await payloads('orders', '--event', 'pa*', '--event', 'none')).toEqual(['two']);
    expect(await payloads('orders', '--grep', '^t')).toEqual(['two', 'three']);
  });

  test('says which flags and which start are wrong', async () => {
    // As on a terminal, where the parser colours its words.
    const coloured = { env: { FORCE_COLOR: '1' } };
    const both = await cli(['stream', 'tail', 'orders', '--last', '3', '--since', '5m'], coloured);
    expect(both.code).toBe(2);
    expect(both.stderr).toContain('Error:\u001b[0m --last cannot also be provided when using --since\n');
    const none = await cli(['sink', 'reset', 'orders', 'billing'], coloured);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('Error:\u001b[0m missing --to\n');
    const start = await cli(['stream', 'tail', 'orders', '--since', 'yesterday']);
    expect(start.code).toBe(2);
    expect(start.stderr).toContain('"yesterday" is neither an event id, nor a time, nor a duration');
  });

  test('follows several streams, also one that comes later, and says of which an event is', async () => {
    await publish('orders', 'old', 'x');
    const running = startPonos(['stream', 'tail', 'orders', 'later', '--count', '2'], { env: env() });
    await running.says('following stream "orders", "later"');
    expect(running.stderr).toContain('stream "later" does not exist yet; waiting for it');
    await publish('later', 'b', '1', '--topic', 't');
    await running.says('later');
    await publish('orders', 'a', '2');
    const { stdout, code } = await running.result;
    expect(code).toBe(0);
    expect(stdout.split('\n').map(line => line.replace(/^\S+Z {2}/, ''))).toEqual([
      'later  b  t  1',
      'orders  a  -  2',
      '',
    ]);
  });

  test('merges several streams by time, the present ones with those that come', async () => {
    const link = await redis.connect();
    const a = await EventStream.open(link, 'a');
    const b = await EventStream.open(link, 'b');
    const startMs = Date.now() - 10_000;
    const order: string[] = [];
    for (let at = 0; at < 400; at++) {
      const { events } = link.keys.stream(at % 3 === 0 || at > 300 ? 'a' : 'b');
      // Each in a millisecond of its own: within one nobody knows which of two streams was first.
      await link.commands.call('XADD', events, `${startMs + at}-0`, 'n', 'x', 'p', `${at}`);
      order.push(`${at}`);
    }
    expect(await payloads('b', 'a')).toEqual(order);
    expect(await payloads('b', 'a', '--last', '2')).toEqual(['298', '299', '398', '399']);
    const running = startPonos(['stream', 'tail', 'a', 'b', '--since', '1h', '--raw', '--count', '402'], {
      env: env(),
    });
    await running.says('399\n');
    await b.publish('x', '400');
    await running.says('400\n');
    await a.publish('x', '401');
    const { stdout, code } = await running.result;
    expect([stdout.split('\n').slice(0, -1), code]).toEqual([[...order, '400', '401'], 0]);
  });

  test('ends where it is told to', async () => {
    const ids: string[] = [];
    for (const payload of ['1', '2', '3']) ids.push(await publish('orders', 'x', payload));
    expect(await payloads('orders', '--until', ids[1] as string)).toEqual(['1', '2']);
    expect(await payloads('orders', 'orders', '--from', ids[0] as string, '--until', ids[1] as string)).toEqual(['2']);
    expect(await payloads('orders', '--until', '1h')).toEqual([]);
    // Without being told not to follow: what is over ends.
    const { stdout, code } = await cli(['stream', 'tail', 'orders', '--until', ids[1] as string, '--raw']);
    expect([stdout, code]).toEqual(['1\n2\n', 0]);
    const stream = await EventStream.open(await redis.connect(), 'orders');
    const atMs = Date.now() + 5000;
    const until = new Date(atMs).toISOString();
    const running = startPonos(['stream', 'tail', 'orders', '--until', until, '--raw'], { env: env() });
    await running.says('following');
    await stream.publish('x', '4');
    const result = await running.result;
    expect([result.stdout, result.code]).toEqual(['4\n', 0]);
    expect(Date.now()).toBeGreaterThanOrEqual(atMs);
  });

  test('ends when every stream is past the end, not with the first that is', async () => {
    const link = await redis.connect();
    for (const name of ['a', 'b']) await EventStream.open(link, name);
    const inAnHourMs = Date.now() + 3_600_000;
    const add = (name: string, id: string, payload: string) =>
      link.commands.call('XADD', link.keys.stream(name).events, id, 'n', 'x', 'p', payload);
    const running = startPonos(['stream', 'tail', 'a', 'b', '--until', `${inAnHourMs}-5`, '--raw'], { env: env() });
    await running.says('following');
    await add('a', `${inAnHourMs}-6`, 'late of a');
    // What comes next is read in another batch.
    await add('b', `${inAnHourMs}-1`, 'one of b');
    await running.says('one of b');
    await add('b', `${inAnHourMs}-5`, 'last of b');
    await add('b', `${inAnHourMs}-6`, 'late of b');
    const { stdout, code } = await running.result;
    expect([stdout, code]).toEqual(['one of b\nlast of b\n', 0]);
  });

  test('shows how many events come instead of the events', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 'orders');
    await stream.publish('x', 'before');
    const running = startPonos(['stream', 'tail', 'orders', 'quiet', '--rate', '-o', 'ndjson', '--count', '2'], {
      env: env(),
    });
    await running.says('following');
    await stream.publishMany(Array.from({ length: 50 }, () => ({ name: 'x', payload: '1234567890' })));
    const { stdout, code } = await running.result;
    const records = ndjson<{ type: string; stream: string; eventCount: number; totalCount: number }>(stdout);
    expect([records.length, code]).toEqual([4, 0]);
    expect(records[0]).toMatchObject({ type: 'rate', stream: 'orders' });
    const of = (name: string) => records.filter(record => record.stream === name);
    expect(of('orders').reduce((sum, { eventCount }) => sum + eventCount, 0)).toBe(50);
    expect(of('orders').at(-1)).toMatchObject({ totalCount: 50 });
    expect(of('quiet')).toMatchObject([{ totalCount: 0 }, { totalCount: 0 }]);
    const table = await cli(['stream', 'tail', 'orders', '--rate', '--count', '1']);
    expect(table.stdout).toMatch(/^\S+Z {2}orders +0\.0\/s +0 B\/s {2}0 in all\n$/);
  });

  test('ends with 130 on Ctrl-C and 143 on TERM', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const running = startPonos(['stream', 'tail', 'orders'], { env: env() });
      await running.says('following');
      expect((await running.stop(signal)).code).toBe(code);
    }
  });

  test('reports events that were removed before it read them', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 'orders');
    const running = startPonos(['stream', 'tail', 'orders', '-o', 'ndjson'], { env: env() });
    await running.says('following');
    await stream.publish('x', 'seen');
    await running.says('seen');
    running.process.kill('SIGSTOP');
    await stream.publishMany(Array.from({ length: 3000 }, (_, at) => ({ name: 'x', payload: `${at}` })));
    await stream.trim({ maxLength: 1 });
    running.process.kill('SIGCONT');
    await running.says('"gap"');
    await stream.publish('x', 'last');
    await running.says('last');
    const { stdout, stderr } = await running.stop();
    const records = ndjson(stdout);
    const gap = records.find(({ type }) => type === 'gap') as { lostCount: number };
    const seen = records.filter(({ type, payload }) => type === 'event' && payload !== 'seen' && payload !== 'last');
    expect(gap).toMatchObject({ type: 'gap', stream: 'orders', reason: 'trimmed' });
    expect(gap.lostCount + seen.length).toBe(3000);
    expect(stderr).toMatch(new RegExp(`warning: ${gap.lostCount} events of stream "orders" after`));
  });

  test('ends with 3 when its stream is removed, or is not there and not waited for', async () => {
    await publish('orders', 'x', 'y');
    const running = startPonos(['stream', 'tail', 'orders', '-o', 'ndjson'], { env: env() });
    await running.says('following');
    expect((await cli(['stream', 'remove', 'orders', '--yes'])).code).toBe(0);
    const { code, stdout } = await running.result;
    expect(ndjson(stdout)).toEqual([{ type: 'removed', stream: 'orders' }]);
    expect(code).toBe(3);
    const missing = await cli(['stream', 'tail', 'nothing', '--no-follow']);
    expect(missing.code).toBe(3);
    expect(missing.stderr).toContain('ponos stream list');
  });

  test('refuses flags that contradict each other or mean nothing', async () => {
    for (const flags of [
      ['--from', 'oldest', '--last', '3'],
      ['--since', '5m', '--last', '3'],
      ['--from', 'somewhere'],
      ['--since', '1763900000000-0'],
      ['--grep', '('],
      ['--count', '0'],
      ['--until', 'somewhere'],
      ['--until', 'newest'],
      ['--rate', '--no-follow'],
      ['--rate', '--since', '5m'],
      ['--rate', '--raw'],
    ]) {
      const { code, stdout, stderr } = await cli(['stream', 'tail', 'orders', ...flags]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^Error: /);
    }
  });

  test('leaves bytes alone in a pipe, but for line feeds', async () => {
    await publish('orders', 'x', `${HOSTILE.replace('\0', '')}\nsecond`);
    const { stdout } = await cli(['stream', 'tail', 'orders', '--no-follow']);
    expect(stdout).toMatch(/^\S+Z {2}x {2}- {2}\u001b\]0;owned\u0007\u001b\[2J\u202egpj\.exe\\nsecond\n$/);
  });

  test.skipIf(!canMakeTerminals)(
    'harms no terminal, fits into it, and gives bytes as they are only with --raw',
    async () => {
      await publish(
        'orders',
        `na${HOSTILE.replace('\0', '')}me`,
        `${HOSTILE.replace('\0', '')}\nsecond`,
        '--topic',
        '\u001b[31mred',
      );
      await publish('orders', 'long', '\u{1f600}'.repeat(500));
      const shown = await onTerminal(['stream', 'tail', 'orders', '--no-follow', '--color', 'never'], {
        env: env(),
        columns: 100,
      });
      const [first, second, rest] = shown.split('\n') as [string, string, string];
      expect(first).toContain('na\\x1b]0;owned\\x07\\x1b[2J\\u{202e}gpj.exeme  \\x1b[31mred');
      expect(first.length).toBeLessThanOrEqual(100);
      expect(second).toMatch(/long {2}- {2}(\u{1f600})+…$/u);
      expect(rest).toBe('');
      expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      for (const format of ['ndjson', 'csv', 'yaml']) {
        const other = await onTerminal(['stream', 'tail', 'orders', '--no-follow', '-o', format], { env: env() });
        expect(other).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      }
      const raw = await onTerminal(['stream', 'tail', 'orders', '--no-follow', '--raw'], { env: env() });
      expect(raw).toContain('\u001b]0;owned\u0007');
    },
  );
});
