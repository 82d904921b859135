import { describe, expect, it } from 'vitest';
import { FullError, UnsafeServerError } from '../../../src/engine/core/errors.ts';
import { diagnose } from '../../../src/engine/inspect/diagnosis.ts';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { usePool } from '../../support/pool.ts';
import { until } from '../../support/until.ts';

describe('the limit of a pool', () => {
  const fixture = usePool();

  it('is exact under many dispatchers at once, and each end makes room for one', { timeout: 60_000 }, async () => {
    const [connections, each, limit, ended] = [50, 40, 1000, 10];
    const node = await fixture.node({ limit });
    const finish = new Map<string, () => void>();
    await node.addWorker({
      capacity: 50,
      handler: { run: ({ key }) => new Promise<void>(resolve => finish.set(key, resolve)) },
    });
    const clients = await Promise.all(Array.from({ length: connections }, () => fixture.client()));
    const dispatchAll = async (round: string) => {
      const settled = await Promise.allSettled(
        clients.flatMap((client, at) =>
          Array.from({ length: each }, (_, n) => client.dispatch(`${round}-${at}-${n}`, 'x')),
        ),
      );
      const refused = settled.flatMap(result => (result.status === 'rejected' ? [result.reason] : []));
      for (const error of refused) expect(error).toMatchObject({ code: 'POOL_FULL' });
      expect(refused.every(error => error instanceof FullError)).toBe(true);
      return { accepted: settled.length - refused.length, refused: refused.length };
    };
    expect(await dispatchAll('first')).toEqual({ accepted: limit, refused: connections * each - limit });
    await until(() => finish.size >= ended, 'jobs to run');
    const link = await fixture.look();
    const { config } = link.keys.pool(fixture.pool);
    const count = async () => Number(((await link.commands.call('HMGET', config, 'count')) as [Buffer])[0]);
    for (const end of [...finish.values()].slice(0, ended)) end();
    await until(async () => (await count()) === limit - ended, 'them to have ended');
    expect(await dispatchAll('second')).toEqual({ accepted: ended, refused: connections * each - ended });
    expect(await count()).toBe(limit);
  });
});

describe('a Redis that may evict keys', () => {
  const fixture = usePool({ args: ['--maxmemory-policy', 'allkeys-lru'] });

  it('is refused before anything is written, unless that is allowed', async () => {
    const link = await fixture.connect();
    for (const open of [() => fixture.node(), () => fixture.client()]) {
      const error = await open().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UnsafeServerError);
      expect(error).toMatchObject({ code: 'UNSAFE_EVICTION_POLICY', message: expect.stringContaining('allkeys-lru') });
    }
    const written: Buffer[] = [];
    for await (const names of link.commands.scanKeys(`${fixture.prefix}*`)) written.push(...names);
    expect(written).toEqual([]);
    const client = await fixture.client({ allowUnsafeEviction: true });
    await client.dispatch('k');
    expect(await client.where('k')).toMatchObject({ recorded: true });
  });

  it('is seen without the right to CONFIG', async () => {
    const link = await fixture.connect();
    const [username, password] = ['limited', 'secret'];
    await link.commands.call('ACL', 'SETUSER', username, 'on', `>${password}`, '~*', '&*', '+@all', '-config', '-acl');
    const { url } = fixture.server;
    const limited = await RedisLink.connect({ url, prefix: fixture.prefix, username, password });
    fixture.defer(() => limited.close());
    const refused = await PoolClient.open(limited, fixture.pool, { create: true }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'UNSAFE_EVICTION_POLICY' });
    const client = await PoolClient.open(limited, fixture.pool, { create: true, allowUnsafeEviction: true });
    fixture.defer(() => client.close());
    await client.dispatch('k');
    const { findings, healthy } = await diagnose(limited);
    expect(findings).toContainEqual(expect.objectContaining({ code: 'UNSAFE_EVICTION' }));
    // Without a limit of memory nothing is evicted yet; jobs without a worker are worse.
    expect(healthy).toBe(false);
  });
});
