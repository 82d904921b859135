import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';

describe('the time limit of commands', () => {
  const redis = useRedis();

  it('ends each command that has no reply in time, and none before', async () => {
    const link = await redis.connect({ commandTimeoutMs: 300 });
    const other = await redis.connect();
    await other.commands.call('CLIENT', 'PAUSE', 1000, 'ALL');
    const startMs = performance.now();
    const timed = async (): Promise<[unknown, number]> => {
      const sentMs = performance.now();
      const error = await link.commands.call('PING').catch((thrown: unknown) => thrown);
      return [error, performance.now() - sentMs];
    };
    const first = timed();
    await new Promise(resolve => setTimeout(resolve, 150));
    const second = timed();
    for (const [error, tookMs] of [await first, await second]) {
      expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: true });
      expect(tookMs).toBeGreaterThan(280);
      expect(tookMs).toBeLessThan(700);
    }
    expect(performance.now() - startMs).toBeLessThan(950);
  });

  it('leaves the connection in use: late replies go to nobody', async () => {
    const link = await redis.connect({ commandTimeoutMs: 100 });
    const other = await redis.connect();
    await other.commands.call('CLIENT', 'PAUSE', 300, 'ALL');
    await expect(link.commands.call('ECHO', 'late')).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await other.commands.call('PING');
    expect(String(await link.commands.call('ECHO', 'now'))).toBe('now');
  });

  it('does not hold up commands of many shapes', async () => {
    const link = await redis.connect();
    const key = `${redis.prefix}:x`;
    const parts = ['', 'ü', Buffer.alloc(0), Buffer.from([13, 10, 0]), 'end', Buffer.from('last')];
    await link.commands.call('RPUSH', key, ...parts, 7);
    const stored = (await link.commands.call('LRANGE', key, 0, -1)) as Buffer[];
    expect(stored).toEqual([...parts.map(part => Buffer.from(part)), Buffer.from('7')]);
  });
});
