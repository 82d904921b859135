import { describe, expect, it } from 'vitest';
import { RedisLink } from '../../src/engine/redis/link.ts';
import { TcpProxy } from '../support/proxy.ts';
import { RedisServer } from '../support/redis.ts';
import { tell } from '../support/topology/commands.ts';
import { until } from '../support/until.ts';

describe('a server that became a replica', () => {
  it('is left as soon as it refuses a write, for wherever the address leads by then', async () => {
    const [before, after] = await Promise.all([RedisServer.start(), RedisServer.start()]);
    const address = await TcpProxy.start(before.port);
    const link = await RedisLink.connect({ url: address.url });
    try {
      await link.commands.call('SET', 'ponos:key', '1');
      await tell(before, 'REPLICAOF', '127.0.0.1', after.port);
      // New connections lead to the new master; those that are open stay where they are.
      address.leadTo(after.port);
      const refused = await link.commands.call('SET', 'ponos:key', '2').catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: false });
      await until(() => link.commands.call('SET', 'ponos:key', '3').catch(() => undefined), 'a write to be taken');
      expect(String(await tell(after, 'GET', 'ponos:key'))).toBe('3');
    } finally {
      await link.close();
      await address.stop();
      await Promise.all([before.stop(), after.stop()]);
    }
  });
});
