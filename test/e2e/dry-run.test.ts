/** A plan is of something that can be done: a dry run ends as doing it would. */
import { describe, expect, it } from 'vitest';
import { MapClient, Sink } from '../../src/engine/index.ts';
import { useRedis } from '../support/fixture.ts';
import { poolCli } from '../support/pool-cli.ts';
import { until } from '../support/until.ts';

describe('a dry run', () => {
  const redis = useRedis();
  const { run } = poolCli(redis);

  /** Both ways: the plan, which changes nothing, and then the act. */
  const bothEnd = async (args: string[], code: number) => {
    const planned = await run([...args, '--dry-run']);
    expect([args, planned.code, planned.stdout]).toEqual([args, code, '']);
    const [noun, verb] = args;
    const asks = /drain|stop|purge|delete/.test(`${verb}`) || /purge/.test(`${args[2]}`);
    const done = await run(asks ? [...args, '--yes'] : args);
    expect([args, done.code], noun).toEqual([args, code]);
  };

  it('of a pool that is not there is refused', async () => {
    for (const args of [
      ['job', 'dispatch', 'k'],
      ['job', 'retry', 'k'],
      ['pool', 'open'],
      ['pool', 'route', 'add', 'a*', 'g'],
      ['schedule', 'add', 's', '--every', '1m'],
      ['worker', 'drain', 'w'],
    ]) {
      await bothEnd(args, 3);
    }
    expect(await run(['job', 'dispatch', 'k', '--create', '--dry-run'])).toMatchObject({ code: 0 });
  });

  it('of jobs and schedules is refused when they are not there, or are there already', async () => {
    expect((await run(['job', 'dispatch', 'k', '--create'])).code).toBe(0);
    expect((await run(['schedule', 'add', 's', '--every', '1m'])).code).toBe(0);
    for (const args of [
      ['job', 'retry', 'none'],
      ['job', 'purge', 'none'],
      ['job', 'stop', 'none'],
      ['job', 'notify', 'none', 'x'],
      ['worker', 'drain', 'none'],
      ['schedule', 'pause', 'none'],
      ['schedule', 'resume', 'none'],
      ['pool', 'route', 'remove', 'none'],
    ]) {
      await bothEnd(args, 3);
    }
    await bothEnd(['job', 'dispatch', 'k'], 4);
    await bothEnd(['schedule', 'add', 's', '--every', '2m'], 4);
    const same = await run(['schedule', 'add', 's', '--every', '1m', '--dry-run']);
    expect([same.code, same.stdout]).toEqual([0, 'WOULD  nothing: schedule "s" is there, and the same\n']);
    const other = await run(['schedule', 'add', 's', '--every', '2m', '--replace', '--dry-run']);
    expect([other.code, other.stdout]).toEqual([0, expect.stringContaining('in place of another one')]);
    const some = await run(['job', 'stop', 'k', 'none', '--dry-run']);
    expect([some.code, some.stdout]).toEqual([9, 'WOULD  stop job "k" of pool "default"\n']);
    expect((await run(['job', 'list', '-o', 'name'])).stdout).toBe('k\n');
  });

  it('of maps is refused when the entry is not as it must be', async () => {
    const client = await MapClient.open(await redis.connect(), 'm');
    await client.setMany([
      ['text', 'x'],
      ['list', '["a","b"]'],
    ]);
    for (const [args, code] of [
      [['map', 'delete', 'none', 'k'], 3],
      [['map', 'delete', 'm', 'none'], 3],
      [['map', 'append', 'm', 'text', 'a'], 4],
      [['map', 'remove', 'm', 'text', 'a'], 4],
      [['map', 'set', 'm', 'text', 'z', '--if-value', 'y'], 4],
      [['map', 'set', 'm', 'text', 'z', '--if-absent'], 4],
      [['map', 'increment', 'm', 'text'], 4],
    ] as const) {
      await bothEnd([...args], code);
    }
    const plan = async (...args: string[]) => (await run(['map', ...args, '--dry-run'])).stdout;
    expect(await plan('append', 'm', 'list', 'c')).toBe('WOULD  append 1 item to "list" in map "m"\n');
    expect(await plan('append', 'm', 'list', 'a', '--unique')).toBe('WOULD  nothing: each is in the list already\n');
    expect(await plan('remove', 'm', 'list', 'a', 'z')).toBe('WOULD  remove 1 item from "list" in map "m"\n');
    expect(await plan('remove', 'none', 'list', 'a')).toBe('WOULD  nothing: no such item\n');
    expect(await plan('set', 'm', 'text', 'z', '--if-value', 'x')).toBe('WOULD  set "text" in map "m"\n');
    expect(Object.fromEntries((await client.readAll()).entries)).toEqual({ text: 'x', list: '["a","b"]' });
  });

  it('of streams is refused when they are not there, or are there already', async () => {
    await bothEnd(['stream', 'publish', 'none', 'x', '--if-exists'], 3);
    await bothEnd(['stream', 'publish', 'none', 'x', '--key', 'k'], 3);
    expect((await run(['stream', 'create', 'orders'])).code).toBe(0);
    await bothEnd(['stream', 'create', 'orders'], 4);
    await bothEnd(['stream', 'publish', 'orders', 'x', '--key', 'k'], 4);
    const options = { streams: ['orders'], from: 'oldest', maxDeliveries: 1 } as const;
    const sink = await Sink.open(await redis.connect(), 'billing', options, () => {
      throw new Error('as asked');
    });
    await run(['stream', 'publish', 'orders', 'x']);
    await until(() => sink.stats.deadLettered === 1, 'a dead letter');
    await sink.close();
    await bothEnd(['sink', 'dead', 'replay', 'orders', 'billing', '1-1'], 3);
    await bothEnd(['sink', 'dead', 'purge', 'orders', 'billing', '1-1'], 3);
  });
});
