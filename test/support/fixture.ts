/**
 * One redis-server per test file and a fresh key prefix per test, so that tests share a server and nothing else.
 * Call `useRedis()` at the top of a file or describe block.
 */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { newId } from '../../src/engine/core/ids.ts';
import { RedisLink, type RedisLinkOptions } from '../../src/engine/redis/link.ts';
import { RedisServer, type RedisServerOptions } from './redis.ts';

export interface RedisFixture {
  readonly server: RedisServer;
  /** Prefix of every key of the present test. */
  readonly prefix: string;
  /** A link under the test's prefix, closed after the test. */
  connect(options?: RedisLinkOptions): Promise<RedisLink>;
  /** Registers something to be ended after the test, last first. */
  defer(end: () => unknown): void;
}

export function useRedis(options: RedisServerOptions = {}): RedisFixture {
  let server: RedisServer | undefined;
  let prefix = '';
  let ends: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await RedisServer.start(options);
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
      if (!server) throw new Error('redis-server is started in beforeAll');
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
