/**
 * A pool of its own for each test, on the file's redis-server; after the test everything is closed and the invariants of
 * every shard are checked.
 */
import { newId } from '../../src/engine/core/ids.ts';
import { PoolClient } from '../../src/engine/pool/client.ts';
import { PoolNode } from '../../src/engine/pool/node.ts';
import type { LeaseTerms, PoolClientOptions, PoolNodeOptions } from '../../src/engine/pool/options.ts';
import { RedisLink } from '../../src/engine/redis/link.ts';
import { type RedisFixture, useRedis } from './fixture.ts';
import { findViolations } from './pool-invariants.ts';
import { TcpProxy } from './proxy.ts';
import type { RedisServerOptions } from './redis.ts';

/** Short, so that tests of what follows a lost lease are quick; long enough for a busy machine. */
export const TEST_LEASE: LeaseTerms = { leaseMs: 1800, marginMs: 500, graceMs: 300, clampMs: 350, stopBudgetMs: 400 };

export interface PoolFixture extends RedisFixture {
  readonly pool: string;
  /** A node on a link of its own. Looks at Redis often, so that tests are quick. */
  node(options?: PoolNodeOptions): Promise<PoolNode>;
  client(options?: PoolClientOptions): Promise<PoolClient>;
  /** A link to look with; the same for the whole test. */
  look(): Promise<RedisLink>;
  /** Redis answers nobody for so long. */
  pauseRenewals(ms: number): Promise<void>;
  /** Redis hears nothing of a node any more, nor it of Redis, as if its host had lost the network. */
  partition(node: PoolNode | undefined): void;
  /** The network of that node is back. */
  heal(node: PoolNode | undefined): void;
  /** The test makes a state on purpose that breaks the invariants. */
  expectViolations(): void;
}

export function usePool(options: RedisServerOptions = {}): PoolFixture {
  const redis = useRedis(options);
  let pool = '';
  let forPrefix = '';
  let looking: Promise<RedisLink> | undefined;
  let strict = true;
  const proxies = new WeakMap<PoolNode, TcpProxy>();
  const fresh = () => {
    if (forPrefix === redis.prefix) return;
    forPrefix = redis.prefix;
    pool = `p-${newId()}`;
    strict = true;
    looking = undefined;
    // Registered first, so it runs last: nodes and clients are closed by then.
    redis.defer(async () => {
      if (!strict) return;
      const link = await RedisLink.connect({ url: redis.server.url, prefix: redis.prefix });
      const violations = await findViolations(link, pool);
      await link.close();
      if (violations.length > 0) throw new Error(`the pool's invariants are broken:\n${violations.join('\n')}`);
    });
  };
  return {
    get server() {
      return redis.server;
    },
    get prefix() {
      return redis.prefix;
    },
    get pool() {
      fresh();
      return pool;
    },
    connect: linkOptions => {
      fresh();
      return redis.connect(linkOptions);
    },
    defer: end => {
      fresh();
      redis.defer(end);
    },
    async node(nodeOptions = {}) {
      fresh();
      // Through a relay of its own, so that the test can cut it off.
      const proxy = await TcpProxy.start(redis.server.port);
      redis.defer(() => proxy.stop());
      const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 1000 });
      const node = await PoolNode.join(link, pool, {
        reconcileMs: 100,
        settleMs: 50,
        closeTimeoutMs: 1500,
        ...nodeOptions,
      });
      proxies.set(node, proxy);
      redis.defer(() => node.close());
      return node;
    },
    async client(clientOptions = {}) {
      fresh();
      const client = await PoolClient.open(await redis.connect(), pool, { create: true, ...clientOptions });
      redis.defer(() => client.close());
      return client;
    },
    async look() {
      fresh();
      looking ??= redis.connect();
      return looking;
    },
    async pauseRenewals(ms) {
      const link = await this.look();
      await link.commands.call('CLIENT', 'PAUSE', ms, 'ALL');
    },
    partition(node) {
      const proxy = node && proxies.get(node);
      if (proxy) proxy.mode = 'blackhole';
    },
    heal(node) {
      const proxy = node && proxies.get(node);
      if (proxy) proxy.mode = 'pass';
    },
    expectViolations() {
      fresh();
      strict = false;
    },
  };
}
