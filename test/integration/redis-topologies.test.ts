import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MapClient, PoolNode, RedisLink, ReplicatedMap } from '../../src/engine/index.ts';
import { freePort, RedisServer } from '../support/redis.ts';
import { hasTls } from '../support/server-program.ts';
import { until } from '../support/until.ts';

const TLS = join(import.meta.dirname, '..', 'support', 'tls');
const ca = readFileSync(join(TLS, 'ca.crt'), 'utf8');

let ends: (() => unknown)[] = [];
beforeEach(() => {
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
});

async function serve(...options: Parameters<typeof RedisServer.start>): Promise<RedisServer> {
  const server = await RedisServer.start(...options);
  ends.push(() => server.stop());
  return server;
}

async function connect(options: Parameters<typeof RedisLink.connect>[0]): Promise<RedisLink> {
  const link = await RedisLink.connect(options);
  ends.push(() => link.close());
  return link;
}

/** Writes through a client without a copy, and waits for a copy elsewhere to show it: commands and pub/sub both work. */
async function expectMapsToWork(...links: [RedisLink, RedisLink]): Promise<void> {
  const replica = await ReplicatedMap.join(links[0], 'works');
  const client = await MapClient.open(links[1], 'works');
  await client.set('key', 'value');
  await until(() => replica.get('key') === 'value', 'the change to arrive');
  expect(replica.get('key')).toBe('value');
  await replica.close();
}

describe.skipIf(!hasTls())('TLS', () => {
  async function serveTls(): Promise<{ port: number }> {
    const port = await freePort();
    const files = ['--tls-cert-file', join(TLS, 'server.crt'), '--tls-key-file', join(TLS, 'server.key')];
    await serve({
      args: [
        '--tls-port',
        String(port),
        ...files,
        '--tls-ca-cert-file',
        join(TLS, 'ca.crt'),
        '--tls-auth-clients',
        'no',
      ],
    });
    return { port };
  }

  it('carries everything when the certificate is known', async () => {
    const { port } = await serveTls();
    const url = `rediss://localhost:${port}`;
    await expectMapsToWork(await connect({ url, tls: { ca } }), await connect({ url, tls: { ca } }));
  });

  it('is refused by default when the certificate is not known, and taken when told to', async () => {
    const { port } = await serveTls();
    const url = `rediss://localhost:${port}`;
    await expect(RedisLink.connect({ url, connectAttempts: 1 })).rejects.toMatchObject({ code: 'REDIS_DENIED' });
    const link = await connect({ url, tls: { insecure: true } });
    expect(String(await link.commands.call('PING'))).toBe('PONG');
  });
});

describe('an ACL user', () => {
  it('that may use the prefix alone can do the work', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ponos-acl-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const rules = '~ponos:* resetchannels &ponos:* +@all -@admin -@dangerous +info';
    await writeFile(join(folder, 'users.acl'), `user default on nopass ~* &* +@all\nuser worker on >secret ${rules}\n`);
    const server = await serve({ args: ['--aclfile', join(folder, 'users.acl')] });
    const url = `redis://worker:secret@127.0.0.1:${server.port}`;
    const link = await connect({ url });
    await expectMapsToWork(link, await connect({ url }));
    const node = await PoolNode.join(link, 'jobs', { lease: 'fast' });
    await node.addWorker({ handler: { run: job => `did ${job.key}` } });
    const { result } = await node.dispatch('one', '', { wait: 'completed' });
    expect(String(result)).toBe('did one');
    await node.close();
    await expect(link.commands.call('SET', 'elsewhere', '1')).rejects.toMatchObject({ code: 'REDIS_DENIED' });
  });
});

describe('Sentinel', () => {
  const reach = (port: number) =>
    RedisLink.connect({ url: `redis+sentinel://127.0.0.1:${port}/fleet`, connectTimeoutMs: 500 });

  it('is given up the first time when none answers', async () => {
    await expect(reach(await freePort())).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: expect.stringMatching(/no sentinel of .*\/fleet names a master: none answers/),
    });
  });

  it('is given up when what answers is a Redis, and says so', async () => {
    await expect(reach((await serve()).port)).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: expect.stringContaining('unknown command'),
      hint: expect.stringContaining('no sentinel'),
    });
  });

  it('is given up when it knows no master of that name', async () => {
    const sentinel = await serve({ sentinel: 'sentinel monitor other 127.0.0.1 6379 2\n' });
    await expect(reach(sentinel.port)).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: expect.stringContaining('No such master'),
    });
  });

  it('is waited for as long as it takes once the master was found', async () => {
    const master = await serve();
    const sentinel = await serve({ sentinel: `sentinel monitor fleet 127.0.0.1 ${master.port} 1\n` });
    const link = await connect({
      url: `redis+sentinel://127.0.0.1:${sentinel.port}/fleet`,
      connectTimeoutMs: 200,
      connectAttempts: 1,
    });
    const { client } = link.commands;
    let givenUp = 0;
    const rounds = new Promise<void>(resolve => {
      client.on('error', (error: Error) => {
        if (error.message.startsWith('All sentinels') && ++givenUp === 4) resolve();
      });
    });
    await sentinel.down('SIGKILL');
    await master.down('SIGKILL');
    await rounds;
    await master.up();
    await sentinel.up();
    await until(() => link.commands.call('PING').catch(() => false), 'the connection');
    expect(link.commands.session).toBeGreaterThan(1);
  }, 30_000);

  it('leads to the master, and to the new one after a failover', async () => {
    const master = await serve();
    const replica = await serve({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    const ports: number[] = [];
    for (let i = 0; i < 3; i++) {
      const sentinel = [
        `sentinel monitor fleet 127.0.0.1 ${master.port} 2`,
        'sentinel down-after-milliseconds fleet 500',
        'sentinel failover-timeout fleet 3000',
      ];
      ports.push((await serve({ sentinel: `${sentinel.join('\n')}\n` })).port);
    }
    const url = `redis+sentinel://${ports.map(port => `127.0.0.1:${port}`).join(',')}/fleet`;
    const sentinel = await connect({ url: `redis://127.0.0.1:${ports[0]}` });
    await until(
      async () => String(await sentinel.commands.call('SENTINEL', 'MASTER', 'fleet')).includes('num-other-sentinels,2'),
      'the sentinels to meet',
    );
    const observer = await connect({ url: `redis://127.0.0.1:${master.port}` });
    await until(
      async () => String(await observer.commands.call('INFO', 'replication')).includes('state=online'),
      'the replica',
    );
    await until(
      async () => String(await sentinel.commands.call('SENTINEL', 'MASTER', 'fleet')).includes('num-slaves,1'),
      'the sentinels to see the replica',
    );

    const links = [await connect({ url }), await connect({ url })] as const;
    const joined = await ReplicatedMap.join(links[0], 'kept');
    const client = await MapClient.open(links[1], 'kept');
    await client.set('key', 'before');
    await until(() => joined.get('key') === 'before', 'the change to arrive');
    await until(
      async () => String(await observer.commands.call('INFO', 'replication')).match(/lag=[01]\b/),
      'the replica to have it',
    );
    await master.down('SIGKILL');
    await until(async () => (await client.set('key', 'after').catch(() => undefined)) !== undefined, 'the new master', {
      limitMs: 25_000,
    });
    await until(() => joined.get('key') === 'after', 'the copy to follow', { limitMs: 25_000 });
    expect(String(await links[0].commands.call('CONFIG', 'GET', 'port'))).toContain(String(replica.port));
    await joined.close();
  }, 60_000);
});

describe('Redis Cluster', () => {
  it('takes commands and scripts to the slot they belong to', async () => {
    const nodes = await Promise.all(
      [0, 1, 2].map(() => serve({ args: ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'] })),
    );
    const [first, ...others] = await Promise.all(nodes.map(node => connect({ url: node.url })));
    const ranges = [
      [0, 5460],
      [5461, 10922],
      [10923, 16383],
    ] as const;
    for (const [index, link] of [first, ...others].entries()) {
      await link?.commands.call('CLUSTER', 'ADDSLOTSRANGE', ...(ranges[index] as readonly [number, number]));
    }
    for (const node of nodes.slice(1)) await first?.commands.call('CLUSTER', 'MEET', '127.0.0.1', node.port);
    for (const link of [first, ...others]) {
      await until(
        async () => String(await link?.commands.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
        'the cluster to form',
      );
    }
    const cluster = await connect({ url: `redis+cluster://${nodes.map(node => `127.0.0.1:${node.port}`).join(',')}` });
    for (let i = 0; i < 20; i++) {
      const map = await MapClient.open(cluster, `map-${i}`);
      await map.set('key', `value ${i}`);
      expect(await map.getFresh('key')).toBe(`value ${i}`);
    }
    expect(await cluster.registry.list('maps')).toHaveLength(20);
  }, 60_000);
});
