import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/engine/core/clock.ts';
import { LeaseLine } from '../../../src/engine/pool/lease-line.ts';
import type { Connection } from '../../../src/engine/redis/connection.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';

describe('what leases are renewed over', () => {
  const redis = useRedis();
  const ends: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** The first connection goes one way, those after it another. */
  async function openLine() {
    const ways = await Promise.all([1, 2].map(() => TcpProxy.start(redis.server.port)));
    const [first, second] = ways as [TcpProxy, TcpProxy];
    ends.push(...ways.map(way => () => way.stop()));
    const links = await Promise.all(ways.map(({ url }) => RedisLink.connect({ url })));
    ends.push(...links.map(link => () => link.close()));
    const made: Connection[] = [];
    const line = await LeaseLine.open(systemClock, () => {
      const connection = (links[Math.min(made.length, 1)] as RedisLink).createLease();
      made.push(connection);
      return connection;
    });
    ends.push(() => line.close());
    let readyCount = 0;
    line.events.on('ready', () => readyCount++);
    const ping = () => line.ask(connection => connection.call('PING'));
    await ping();
    const states = () => made.map(({ client }) => client.status);
    return { first, second, line, ping, states, readyCount: () => readyCount };
  }

  it('is another connection when the one there is stays silent', async () => {
    const { first, line, ping, states, readyCount } = await openLine();
    first.mode = 'blackhole';
    const unanswered = ping().catch((error: unknown) => error);
    line.doubt();
    await until(() => states()[1] === 'ready', 'a second connection');
    expect(String(await ping())).toBe('PONG');
    expect(readyCount()).toBe(1);
    await until(() => states()[0] === 'end', 'the first to be dropped');
    expect(await unanswered).toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: true });
    expect(String(await ping())).toBe('PONG');
    expect(states()).toEqual(['end', 'ready']);
  });

  it('is the same one when that was only slow', async () => {
    const { first, second, line, ping, states, readyCount } = await openLine();
    second.mode = 'blackhole';
    first.delayMs = 200;
    const late = ping();
    line.doubt();
    line.doubt();
    expect(String(await late)).toBe('PONG');
    await until(() => states()[1] === 'end', 'the second to be dropped');
    expect(String(await ping())).toBe('PONG');
    expect({ states: states(), readyCount: readyCount() }).toEqual({ states: ['ready', 'end'], readyCount: 0 });
  });
});
