import { describe, expect, test } from 'vitest';
import { Sink } from '../../src/engine/streams/sink.ts';
import { EventStream } from '../../src/engine/streams/stream.ts';
import { ndjson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { HOSTILE, streamCli } from '../support/stream-cli.ts';

describe('ponos stream replay', () => {
  const redis = useRedis();
  const { cli, payloads } = streamCli(redis);
  const replay = (...args: string[]) => cli(['stream', 'replay', 'orders', ...args]);

  async function filled(count: number): Promise<{ stream: EventStream; ids: string[] }> {
    const stream = await EventStream.open(await redis.connect(), 'orders');
    return {
      stream,
      ids: await stream.publishMany(Array.from({ length: count }, (_, at) => ({ name: 'x', payload: `${at}` }))),
    };
  }

  test('prints a part as tail does, and says that it was all, or where the rest begins', async () => {
    const { ids } = await filled(5);
    const all = await replay('--raw');
    expect([all.stdout, all.stderr, all.code]).toEqual([
      '0\n1\n2\n3\n4\n',
      'complete: 5 events of stream "orders"\n',
      0,
    ]);
    const part = await replay('--from', ids[0] as string, '--to', ids[3] as string, '--count', '2', '-o', 'ndjson');
    expect(ndjson(part.stdout)).toMatchObject([
      { type: 'event', id: ids[1], payload: 1 },
      { type: 'event', id: ids[2] },
      { type: 'incomplete', stream: 'orders', into: null, eventCount: 2, malformedCount: 0, lastId: ids[2] },
    ]);
    expect(part.stderr).toContain(`there are more: --from ${ids[2]}`);
    expect((await replay('--from', ids[2] as string, '--to', ids[3] as string, '--raw')).stdout).toBe('3\n');
    expect((await replay('--to', '1h', '--raw')).stdout).toBe('');
    expect((await replay('--raw', '-q')).stderr).toBe('');
  });

  test('fails when events of the part are gone', async () => {
    const { stream, ids } = await filled(5);
    await stream.trim({ maxLength: 2 });
    const { code, stdout, stderr } = await replay('--from', ids[0] as string, '--raw');
    expect([code, stdout]).toEqual([4, '']);
    expect(stderr).toContain('REPLAY_GAP');
    expect(stderr).toContain(`after ${ids[0]} were removed before they were read`);
    expect((await replay('--raw')).stdout).toBe('3\n4\n');
  });

  test('tells what was lost in the other stream to make room for the copies', async () => {
    await filled(5);
    const link = await redis.connect();
    const copy = await EventStream.open(link, 'copy', { retention: { maxLength: 2, onFull: 'dropOldest' } });
    const sink = await Sink.open(link, 'billing', { streams: ['copy'] }, () => {});
    await sink.close();
    await copy.publish('x', 'before');
    const told = await replay('--into', 'copy');
    expect([told.code, told.stdout]).toEqual([0, '']);
    expect(told.stderr).toBe(
      'complete: 5 events of stream "orders" into stream "copy"\n' +
        'warning: to make room, 4 events went that sink "billing" had not acknowledged\n',
    );
    expect((await replay('--into', 'copy', '--dry-run')).stderr).not.toContain('warning');
  });

  test('is not copied into the stream it is of', async () => {
    await filled(2);
    const { code, stdout, stderr } = await replay('--into', 'orders');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--into names the stream that is replayed');
    expect((await replay('--raw')).stdout).toBe('0\n1\n');
  });

  test('copies a part into another stream, in its order and byte for byte', async () => {
    const { stream } = await filled(0);
    const payload = Buffer.concat([Buffer.from(HOSTILE), Buffer.from([0xff])]);
    const id = await stream.publish(HOSTILE, payload, { topic: 't', headers: { a: 'b' } });
    await stream.publishMany(Array.from({ length: 1200 }, (_, at) => ({ name: 'x', payload: `${at}` })));
    const plan = await replay('--into', 'copy', '--dry-run');
    expect([plan.stdout, plan.stderr]).toEqual([
      '',
      'complete: 1201 events of stream "orders" would go into stream "copy"\n',
    ]);
    expect((await cli(['stream', 'show', 'copy'])).code).toBe(3);
    expect((await replay('--into', 'copy', '--read-only')).code).toBe(8);
    expect((await replay('--into', 'copy')).stderr).toBe(
      'complete: 1201 events of stream "orders" into stream "copy"\n',
    );
    expect((await payloads('copy')).slice(1)).toEqual(Array.from({ length: 1200 }, (_, at) => `${at}`));
    const first = await cli(['stream', 'tail', 'copy', '--no-follow', '--count', '1', '-o', 'ndjson']);
    expect(ndjson(first.stdout)).toMatchObject([
      {
        event: HOSTILE,
        topic: 't',
        headers: { a: 'b', 'ponos-replay-of': id },
        payload: payload.toString('base64'),
        payloadEncoding: 'base64',
      },
    ]);
  });

  test('refuses what is wrong or not there', async () => {
    await filled(1);
    expect((await cli(['stream', 'replay', 'nothing'])).code).toBe(3);
    for (const flags of [['--from', 'x'], ['--to', 'oldest'], ['--count', '0'], ['--dry-run'], ['--into', 'a b']]) {
      const { code, stdout } = await replay(...flags);
      expect([flags, code, stdout]).toEqual([flags, 2, '']);
    }
  });
});
