import { expect, test } from 'vitest';
import { RedisUnavailableError } from '../../src/engine/core/errors.ts';
import { translateError } from '../../src/engine/redis/errors.ts';

test('a command the client gave up is told as a lost connection, not by an option of the client', () => {
  const given = new Error(
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
  );
  const error = translateError(given, { address: 'redis://db:6379', sent: true });
  expect(error).toBeInstanceOf(RedisUnavailableError);
  expect(error.message).toBe('Redis at redis://db:6379 does not answer: the connection was lost');
  expect((error as RedisUnavailableError).uncertain).toBe(true);
  expect(translateError(given, { address: 'redis://db:6379' })).toMatchObject({ uncertain: false });
});

test('a script that lost its keys under way may have been carried out in part', () => {
  for (const message of [
    'ERR Script attempted to access a non local key in a cluster node script: 1f, on @user_script:3.',
    'ERR Script attempted to execute a command while the cluster is down script: 1f, on @user_script:3.',
    'ERR Script attempted to execute a write command while the cluster is down and readonly script: 1f, on @user_script:3.',
  ]) {
    const error = translateError(new Error(message), { address: 'redis://db:6379', sent: true });
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', uncertain: true });
  }
});
