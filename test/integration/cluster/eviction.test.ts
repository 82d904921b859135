import { afterAll, beforeAll, expect, it } from 'vitest';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { ClusterServers } from '../../support/topology/cluster.ts';

let cluster: ClusterServers;
let link: RedisLink;
beforeAll(async () => {
  cluster = await ClusterServers.start({ replicas: false });
  link = await RedisLink.connect({ url: cluster.url });
});
afterAll(async () => {
  await link.close();
  await cluster.stop();
});

it('a pool is refused whichever master of a cluster may evict keys, each time it is opened', async () => {
  const masters = link.commands.masters();
  expect(masters).toHaveLength(3);
  for (const master of masters) {
    await link.commands.callAt(master, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    for (let time = 0; time < 5; time++) {
      await expect(PoolClient.open(link, 'jobs', { create: true })).rejects.toMatchObject({
        code: 'UNSAFE_EVICTION_POLICY',
        message: expect.stringContaining(`${master?.port}`),
      });
    }
    await link.commands.callAt(master, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  }
  const client = await PoolClient.open(link, 'jobs', { create: true });
  await client.close();
});
