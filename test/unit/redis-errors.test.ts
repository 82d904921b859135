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
