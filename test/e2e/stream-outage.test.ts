import { describe, expect, test } from 'vitest';
import { ndjson, ponos, startPonos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';

describe('streams through an outage of Redis', () => {
  const redis = useRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });

  test('tail goes on after Redis was killed and started again, without loss or repetition, and says so', async () => {
    const env = { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix };
    const publish = (payload: string) => ponos(['stream', 'publish', 'orders', 'x', payload], { env });
    await publish('before');
    const running = startPonos(['stream', 'tail', 'orders', '--from', 'oldest', '-o', 'ndjson'], { env });
    redis.defer(() => running.stop('SIGKILL'));
    await running.says('before');
    await redis.server.down('SIGKILL');
    await running.says('the connection to Redis is lost');
    await redis.server.up();
    await publish('after');
    await running.says('"after"');
    await running.says('"resync"');
    const { code, stdout, stderr } = await running.stop();
    expect(code).toBe(130);
    const records = ndjson(stdout);
    expect(records.filter(({ type }) => type === 'event').map(({ payload }) => payload)).toEqual(['before', 'after']);
    expect(records.filter(({ type }) => type !== 'event')).toEqual([
      { type: 'disconnected', reason: 'REDIS_UNAVAILABLE' },
      { type: 'resync', reason: 'reconnect' },
    ]);
    expect(stderr).toContain('connected again');
  });

  test('publish without a Redis ends with 5 and says what to do', async () => {
    await redis.server.down('SIGKILL');
    redis.defer(() => redis.server.up());
    const { code, stdout, stderr } = await ponos([
      'stream',
      'publish',
      'orders',
      'x',
      'y',
      '--redis',
      redis.server.url,
    ]);
    expect([code, stdout]).toEqual([5, '']);
    expect(stderr).toContain('Try');
  });
});
