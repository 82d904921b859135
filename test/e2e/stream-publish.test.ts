import { describe, expect, test } from 'vitest';
import { ndjson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { streamCli } from '../support/stream-cli.ts';

describe('ponos stream publish', () => {
  const redis = useRedis();
  const { cli, payloads } = streamCli(redis);

  test('writes the id to stdout and the sentence to stderr', async () => {
    const { stdout, stderr, code } = await cli(['stream', 'publish', 'orders', 'created', '{"order":17}']);
    expect(stdout).toMatch(/^\d+-\d+\n$/);
    expect(stderr).toBe('published "created" with 12 B to stream "orders"\n');
    expect(code).toBe(0);
    const quiet = await cli(['stream', 'publish', 'orders', 'created', '-q']);
    expect([quiet.stdout, quiet.stderr, quiet.code]).toEqual(['', '', 0]);
  });

  test('says when an event was there already under its id', async () => {
    const publish = (...flags: string[]) =>
      cli(['stream', 'publish', 'orders', 'paid', '17', '--once-id', 'pay-1', ...flags]);
    const first = await publish();
    expect(first.stderr).toMatch(/^published "paid"/);
    const again = await publish();
    expect([again.code, again.stdout]).toEqual([0, first.stdout]);
    expect(again.stderr).toBe('nothing was added: stream "orders" was given this event under this id before\n');
    const id = first.stdout.trim();
    expect(JSON.parse((await publish('--json')).stdout).item).toEqual({
      id,
      stream: 'orders',
      event: 'paid',
      added: false,
    });
    const other = await cli(['stream', 'publish', 'orders', 'paid', '17', '--json']);
    expect(JSON.parse(other.stdout).item).toMatchObject({ added: true });
  });

  test('takes all of stdin as one payload for a lone dash, and never reads it without one', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 10, 0x1b]);
    await cli(['stream', 'publish', 'files', 'up', '-'], { input: bytes });
    await cli(['stream', 'publish', 'files', 'up'], { input: 'not read' });
    const { stdoutBytes } = await cli(['stream', 'tail', 'files', '--no-follow', '--raw']);
    expect(stdoutBytes).toEqual(Buffer.concat([bytes, Buffer.from('\n\n')]));
  });

  test('takes name, topic, headers and payload of each line of JSON, and what tail wrote', async () => {
    const input = [
      '{"payload":"text"}',
      '',
      '{"event":"paid","topic":"eu.web","headers":{"trace":"1","__proto__":"2"},"payload":{"n":12345678901234567890}}',
      '{"payload":"/wA=","payloadEncoding":"base64"}',
    ].join('\n');
    const args = ['stream', 'publish', 'orders', 'created', '-', '--ndjson', '--topic', 'us', '-o', 'ndjson'];
    const published = await cli(args, { input });
    expect(ndjson(published.stdout).map(({ type, line, event }) => [type, line, event])).toEqual([
      ['published', 1, 'created'],
      ['published', 3, 'paid'],
      ['published', 4, 'created'],
    ]);
    const tail = ['stream', 'tail', 'orders', '--no-follow', '-o', 'ndjson'];
    const { stdout } = await cli(tail);
    const first = JSON.parse(stdout.split('\n')[0] as string);
    expect(Object.keys(first)[0]).toBe('type');
    expect(first).toEqual({
      type: 'event',
      stream: 'orders',
      id: first.id,
      time: new Date(Number(first.id.split('-')[0])).toISOString(),
      event: 'created',
      topic: 'us',
      payload: 'text',
      payloadEncoding: 'utf8',
    });
    expect(stdout).toContain('"payload":{"n":12345678901234567890},"payloadEncoding":"json"');
    expect(stdout).toContain('"headers":{"trace":"1","__proto__":"2"}');
    expect(stdout).toContain('"payload":"/wA=","payloadEncoding":"base64"');
    await cli(['stream', 'publish', 'copy', 'x', '-', '--ndjson'], { input: stdout });
    const copy = await cli(['stream', 'tail', 'copy', '--no-follow', '-o', 'ndjson']);
    const contents = (text: string) => text.replaceAll(/"(stream|id|time)":"[^"]*",/g, '');
    expect(contents(copy.stdout)).toBe(contents(stdout));
  });

  test('ends at the first bad line, or goes on and ends with 9', async () => {
    const input = '{"payload":1}\nno json\n{"payload":3}\n{"payload":4,"tpoic":"x"}\n';
    const all = ['stream', 'publish', 'orders', 'x', '-', '--ndjson'];
    const first = await cli(all, { input });
    expect(first.code).toBe(9);
    expect(first.stderr).toContain('warning: line 2: no JSON');
    expect(await payloads('orders')).toEqual(['1']);
    const more = await cli([...all, '--continue-on-error', '-o', 'ndjson'], { input });
    expect(more.code).toBe(9);
    expect(more.stderr).toContain('"code":"PARTLY_FAILED","message":"2 of 4 failed"');
    expect(ndjson(more.stdout)).toMatchObject([
      { type: 'published', line: 1 },
      { type: 'failed', line: 2, error: { code: 'USAGE', message: 'no JSON' } },
      { type: 'published', line: 3 },
      { type: 'failed', line: 4 },
    ]);
    expect(await payloads('orders')).toEqual(['1', '1', '3']);
    const none = await cli(all, { input: 'no json\n' });
    expect(none.code).toBe(2);
  });

  test('keeps to a rate', async () => {
    const startMs = performance.now();
    const { code } = await cli(['stream', 'publish', 'slow', 'x', '-', '--lines', '--rate', '20/s'], {
      input: 'x\n'.repeat(11),
    });
    expect(code).toBe(0);
    expect(performance.now() - startMs).toBeGreaterThan(450);
  });

  test('says what it would do, and does nothing', async () => {
    const { stdout, code } = await cli(['stream', 'publish', 'orders', 'x', '-', '--lines', '--dry-run'], {
      input: 'a\nb',
    });
    expect([stdout, code]).toEqual(['WOULD  publish 2 events to stream "orders"\n', 0]);
    expect((await cli(['stream', 'show', 'orders'])).code).toBe(3);
  });

  test('refuses what it cannot do with a sentence and an exit code', async () => {
    const large = await cli(['stream', 'publish', 'orders', 'x', '-'], { input: Buffer.alloc(2 ** 20 + 1) });
    expect([large.code, large.stdout]).toEqual([2, '']);
    expect(large.stderr).toContain('payload of 1048577 bytes is over the limit of 1048576 bytes');
    const cases: [string[], number, RegExp][] = [
      [['orders', 'x', 'y', '--lines'], 2, /give - as the payload/],
      [['orders', 'x', 'y', '--rate', '5'], 2, /add --lines or --ndjson/],
      [['orders', 'x', 'y', '--header', 'novalue'], 2, /KEY=VALUE/],
      [['or{ders', 'x', 'y'], 2, /or\{ders/],
      [['missing', 'x', 'y', '--if-exists'], 3, /stream "missing" does not exist/],
      [['orders', 'x', 'y', '--read-only'], 8, /read-only/],
    ];
    for (const [args, code, message] of cases) {
      const result = await cli(['stream', 'publish', ...args]);
      expect(result.stderr).toMatch(message);
      expect([result.code, result.stdout]).toEqual([code, '']);
    }
    const link = await redis.connect();
    await link.commands.call('HSET', link.keys.stream('taken').events, 'a', 'b');
    const wrong = await cli(['stream', 'publish', 'taken', 'x', 'y']);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/taken/);
    expect(wrong.stderr).not.toMatch(/ at .*:\d+:\d+/);
  });
});
