/**
 * One redis-server per test file and a fresh key prefix per test, so that tests share a server and nothing else.
 * Call `useRedis()` at the top of a file or describe block.
 */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { newId } from '../../src/engine/core/ids.ts';
import { RedisLink, type RedisLinkOptions } from '../../src/engine/redis/link.ts';
import { RedisServer, type RedisServerOptions } from './redis.ts';
import { ClusterServers } from './topology/cluster.ts';

interface Servers {
  readonly url: string;
  stop(): unknown;
}

export interface Fixture<S extends Servers> {
  readonly server: S;
  /** Prefix of every key of the present test. */
  readonly prefix: string;
  /** A link under the test's prefix, closed after the test. */
  connect(options?: RedisLinkOptions): Promise<RedisLink>;
  /** Registers something to be ended after the test, last first. */
  defer(end: () => unknown): void;
}

export type RedisFixture = Fixture<RedisServer>;

export function useRedis(options: RedisServerOptions = {}): RedisFixture {
  return use(() => RedisServer.start(options));
}

/** The same with a cluster. */
export function useCluster(options: Parameters<typeof ClusterServers.start>[0] = {}): Fixture<ClusterServers> {
  return use(() => ClusterServers.start(options));
}

function use<S extends Servers>(start: () => Promise<S>): Fixture<S> {
  let server: S | undefined;
  let prefix = '';
  let ends: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await start();
  });
  beforeEach(() => {
    prefix = `t-${newId()}`;
    ends = [];
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
  });
  afterAll(() => server?.stop());
  return {
    get server() {
      if (!server) throw new Error('servers are started in beforeAll');
      return server;
    },
    get prefix() {
      return prefix;
    },
    async connect(linkOptions = {}) {
      const link = await RedisLink.connect({ url: this.server.url, prefix, ...linkOptions });
      ends.push(() => link.close());
      return link;
    },
    defer(end) {
      ends.push(end);
    },
  };
}
