import { describe, expect, test } from 'vitest';
import type { SinkSnapshot } from '../../src/engine/inspect/snapshots.ts';
import { Sink } from '../../src/engine/streams/sink.ts';
import { ponos, ponosJson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { until } from '../support/until.ts';

describe('ponos sink', () => {
  const redis = useRedis();

  function env(): Record<string, string> {
    return { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix };
  }

  async function show(stream: string, sink: string): Promise<SinkSnapshot> {
    return (await ponosJson<{ item: SinkSnapshot }>(['sink', 'show', stream, sink], { env: env() })).item;
  }

  async function publish(stream: string, events: { topic?: string; payload: string }[]): Promise<void> {
    const input = events.map(event => JSON.stringify(event)).join('\n');
    const { code, stderr } = await ponos(['stream', 'publish', stream, 'x', '-', '--ndjson', '-q'], {
      env: env(),
      input,
    });
    if (code !== 0) throw new Error(stderr);
  }

  async function openSink(...args: Parameters<typeof Sink.open> extends [unknown, ...infer Rest] ? Rest : never) {
    const sink = await Sink.open(await redis.connect(), ...args);
    redis.defer(() => sink.close());
    return sink;
  }

  test('a filtered sink never accumulates pending entries, and counts what it passed over', async () => {
    const seen: string[] = [];
    await openSink('web', { streams: ['orders'], topic: 'eu.*' }, event => {
      seen.push(String(event.payload));
    });
    await publish(
      'orders',
      Array.from({ length: 300 }, (_, at) => ({ topic: at % 3 === 0 ? 'eu.web' : 'us.web', payload: `${at}` })),
    );
    await until(() => seen.length === 100, 'the events of the topic to be handled');
    const sink = await until(async () => {
      const found = await show('orders', 'web');
      return found.pendingCount === 0 && found.lag.count === 0 && found.filteredTotal === 200 ? found : undefined;
    }, 'nothing to be pending');
    expect(sink).toMatchObject({ name: 'web', stream: 'orders', deadCount: 0, lostTotal: 0, redeliveredTotal: 0 });
    expect(sink.consumers).toMatchObject([{ pendingCount: 0, alive: true }]);
    const pending = await ponos(['sink', 'pending', 'orders', 'web'], { env: env() });
    expect([pending.stdout, pending.code]).toEqual(['', 0]);
    expect(pending.stderr).toContain('Nothing is pending');
  });

  test('events of a handler that always throws end as dead letters, and sink show tells', async () => {
    await openSink('billing', { streams: ['orders'], maxDeliveries: 2, retryBaseMs: 10 }, () => {
      throw new Error('no card');
    });
    await publish('orders', [{ payload: '1' }, { payload: '2' }, { payload: '3' }]);
    const sink = await until(async () => {
      const found = await show('orders', 'billing').catch(() => undefined);
      return found?.deadCount === 3 ? found : undefined;
    }, 'three dead letters');
    expect(sink).toMatchObject({ pendingCount: 0, lag: { count: 0, exact: true }, redeliveredTotal: 3 });
    const { stdout } = await ponos(['sink', 'show', 'orders', 'billing'], { env: env() });
    expect(stdout).toMatch(/^SINK +billing\nSTREAM +orders\n/);
    expect(stdout).toMatch(/^DEAD +3$/m);
    expect(stdout).toMatch(/^CONSUMER +STATE +PENDING +IDLE$/m);
    const stream = await ponosJson<{ item: { deadCount: number; sinks: SinkSnapshot[] } }>(
      ['stream', 'show', 'orders'],
      {
        env: env(),
      },
    );
    expect(stream.item).toMatchObject({ deadCount: 3, sinks: [{ name: 'billing', deadCount: 3 }] });
    const refused = await ponos(['stream', 'remove', 'orders'], { env: env() });
    expect(refused.stderr).toContain('with 3 events, 1 sink, 3 dead letters');
  });

  test('what a handler still works on is pending, what it has not been given is lag', async () => {
    const ends: (() => void)[] = [];
    redis.defer(() => {
      for (const end of ends) end();
    });
    await openSink(
      'slow',
      { streams: ['orders'], maxInFlight: 1, closeTimeoutMs: 500 },
      () => new Promise<void>(resolve => ends.push(resolve)),
    );
    await publish(
      'orders',
      Array.from({ length: 5 }, (_, at) => ({ payload: `${at}` })),
    );
    await until(async () => (await show('orders', 'slow')).pendingCount === 1, 'one event to be pending');
    expect((await show('orders', 'slow')).lag).toEqual({ count: 4, exact: true });
    const pending = await ponosJson<{ items: object[] }>(['sink', 'pending', 'orders', 'slow'], { env: env() });
    expect(pending.items).toMatchObject([{ deliveryCount: 1 }]);
    const list = await ponos(['sink', 'list', '-o', 'csv'], { env: env() });
    expect(list.stdout.split('\n')[1]).toMatch(/^slow,orders,1,4,1,\d+,0,0,0,0,\d+-\d+,\d+$/);
    const trimmed = await ponos(['stream', 'trim', 'orders', '--max-length', '0', '--yes'], { env: env() });
    expect(trimmed.code).toBe(0);
    expect(trimmed.stderr).toMatch(/sink "slow" had not acknowledged [45] events of them: lost to it/);
  });

  test('unknown streams and sinks end with 3 and say where to look', async () => {
    await publish('orders', [{ payload: 'x' }]);
    for (const args of [
      ['list', 'nothing'],
      ['show', 'nothing', 'x'],
      ['show', 'orders', 'nothing'],
      ['pending', 'orders', 'nothing'],
    ]) {
      const { code, stdout, stderr } = await ponos(['sink', ...args], { env: env() });
      expect([code, stdout]).toEqual([3, '']);
      expect(stderr).toMatch(/ponos (sink|stream) list/);
    }
    expect((await ponos(['sink', 'show', 'orders'], { env: env() })).code).toBe(2);
  });
});
