import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { RedisLink } from '../../src/engine/redis/link.ts';
import { useRedis } from '../support/fixture.ts';
import { TcpProxy } from '../support/proxy.ts';
import { freePort, RedisServer } from '../support/redis.ts';
import { until } from '../support/until.ts';

describe('a link to Redis', () => {
  const redis = useRedis();

  it('says that nothing answers, without a stack of the client', async () => {
    const port = await freePort();
    await expect(
      RedisLink.connect({ url: `redis://:secret@127.0.0.1:${port}`, connectAttempts: 2 }),
    ).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: expect.stringMatching(/\*\*\*@127\.0\.0\.1:\d+ does not answer: connect ECONNREFUSED/),
    });
  });

  it('round-trips any bytes', async () => {
    const link = await redis.connect();
    const bytes = Buffer.from([0, 255, 10, 13, 254, 128]);
    await link.commands.call('SET', `${redis.prefix}:x`, bytes);
    expect(await link.commands.call('GET', `${redis.prefix}:x`)).toEqual(bytes);
  });

  it('names the key that holds another type, wherever it stands in the command', async () => {
    const link = await redis.connect();
    const key = `${redis.prefix}:x`;
    await link.commands.call('SET', key, 'no stream');
    const commands: [string, ...string[]][] = [
      ['XLEN', key],
      ['XINFO', 'STREAM', key],
      ['XINFO', 'CONSUMERS', key, 'g'],
      ['XGROUP', 'CREATE', key, 'g', '$'],
      ['XREAD', 'COUNT', '1', 'STREAMS', key, '0'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', key, '>'],
    ];
    for (const [name, ...args] of commands) {
      await expect(link.commands.call(name, ...args), name).rejects.toMatchObject({
        code: 'WRONG_TYPE',
        message: `key "${key}" holds a value of another type, as ${name} found`,
      });
    }
  });

  it('survives a kill of its connection', async () => {
    const link = await redis.connect();
    const other = await redis.connect();
    const lost = link.commands.events.once('lost');
    const ready = link.commands.events.once('ready');
    await other.commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await lost;
    await ready;
    expect(String(await link.commands.call('PING'))).toBe('PONG');
  });

  it('refuses writes when read-only, before anything is sent', async () => {
    const link = await redis.connect({ access: 'read-only' });
    await expect(link.commands.call('SET', `${redis.prefix}:x`, '1')).rejects.toMatchObject({ code: 'READ_ONLY' });
    expect(await link.commands.call('EXISTS', `${redis.prefix}:x`)).toBe(0);
  });

  it('subscribes again by itself and says so', async () => {
    const link = await redis.connect();
    const received: string[] = [];
    let readyCount = 0;
    await link.subscriptions.subscribe(`${redis.prefix}:channel`, {
      message: payload => received.push(payload.toString()),
      ready: () => readyCount++,
    });
    expect(readyCount).toBe(1);
    await link.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until(() => readyCount === 2, 'the second subscribe reply');
    await link.commands.call('SPUBLISH', `${redis.prefix}:channel`, 'hello');
    await until(() => received.length === 1, 'the message');
    expect(received).toEqual(['hello']);
  });

  it('drops a half-open socket under commands, and works again on a new one', async () => {
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 100 });
    const lost = link.commands.events.once('lost');
    proxy.mode = 'blackhole';
    await expect(link.commands.call('PING')).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: true });
    await lost;
    proxy.mode = 'pass';
    await until(() => link.commands.call('PING').catch(() => false), 'the new connection');
    expect(String(await link.commands.call('PING'))).toBe('PONG');
  });

  it('notices a half-open socket under a blocking read', async () => {
    const link = await redis.connect();
    const key = `${redis.prefix}:s`;
    const blocking = await link.openBlocking(key);
    const read = blocking.call(10, 'XREAD', 'BLOCK', 60_000, 'STREAMS', key, '0');
    await expect(read).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: true });
  });
});

describe('a link that needs a password', () => {
  const secret = 'hunter2-very-secret';
  const redis = useRedis({ args: ['--requirepass', secret], url: port => `redis://:${secret}@127.0.0.1:${port}` });

  it('is denied with a wrong password, at once and for good', async () => {
    const url = `redis://:${secret}-wrong@127.0.0.1:${redis.server.port}`;
    const error = await RedisLink.connect({ url }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'REDIS_DENIED' });
    expect(inspect(error, { depth: 10 })).not.toContain(secret);
  });

  it('never shows its password when inspected', async () => {
    const link = await redis.connect();
    const failure = await link.commands.call('NOSUCHCOMMAND', 'x').catch((thrown: unknown) => thrown);
    expect(inspect([link, failure], { depth: 20, showHidden: true })).not.toContain(secret);
  });
});

describe('the database of an address', () => {
  const noDatabase = { code: 'NO_SUCH_DATABASE', message: expect.stringMatching(/has no database \d+: ERR/) };

  it('that the server does not have is refused, at once', async () => {
    const server = await RedisServer.start({ args: ['--databases', '2'] });
    try {
      await expect(RedisLink.connect({ url: `${server.url}/2` })).rejects.toMatchObject(noDatabase);
      const link = await RedisLink.connect({ url: `${server.url}/1` });
      await link.close();
    } finally {
      await server.stop();
    }
  });

  it('is refused by a node of a cluster, which has one', async () => {
    const server = await RedisServer.start({ args: ['--cluster-enabled', 'yes'] });
    try {
      await expect(RedisLink.connect({ url: `${server.url}/1` })).rejects.toMatchObject(noDatabase);
    } finally {
      await server.stop();
    }
  });

  it('that the server has no more when it comes back is never another one', async () => {
    const args = ['--databases', '4'];
    const server = await RedisServer.start({ args });
    const link = await RedisLink.connect({ url: `${server.url}/3`, commandTimeoutMs: 200 });
    const lease = link.createLease();
    await lease.open();
    const set = async (key: string) => {
      const errors = await Promise.all(
        [link.commands, lease].map(connection =>
          connection.call('SET', key, '1').then(
            () => undefined,
            error => error,
          ),
        ),
      );
      return errors.every(error => error?.code === 'NO_SUCH_DATABASE');
    };
    try {
      await server.down();
      args[1] = '2';
      await server.up();
      await until(() => set('meanwhile'), 'the refusal of each connection');
      const other = await RedisLink.connect({ url: server.url });
      expect(await other.commands.call('DBSIZE')).toBe(0);
      await other.close();
      await server.down();
      args[1] = '4';
      await server.up();
      await until(() => link.commands.call('SET', 'after', '1').catch(() => false), 'the connection');
      const right = await RedisLink.connect({ url: `${server.url}/3` });
      expect(await right.commands.call('DBSIZE')).toBe(1);
      await right.close();
    } finally {
      await link.close();
      await server.stop();
    }
  });
});

describe('addresses', () => {
  it('reaches a Unix socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ponos-socket-'));
    const path = join(folder, 'redis.sock');
    const server = await RedisServer.start({ args: ['--unixsocket', path] });
    try {
      const link = await RedisLink.connect({ url: `unix://${path}` });
      expect(String(await link.commands.call('PING'))).toBe('PONG');
      await link.close();
    } finally {
      await server.stop();
      await rm(folder, { recursive: true });
    }
  });
});
