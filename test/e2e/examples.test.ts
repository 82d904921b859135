import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';

/** What an example shows, where it could print as much and not show it. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  'rate-limit.ts': [
    'ann: 5 of 60 requests at once are allowed',
    'bob has a count of his own: 5',
    'ann, when the window is over: 5',
  ],
  'sink-to-pool.ts': ['rendered owls, attempt 2', 'rendered 5 of 5, the sink acknowledged 5'],
  'partitioned-stream.ts': ['ann', 'bob', 'cy', 'dee', 'eve', 'fay'].map(key => `${key}: 30 payments in order: true`),
};
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');

describe('the examples', () => {
  const redis = useRedis();

  it.each(readdirSync(EXAMPLES).filter(name => name.endsWith('.ts')))(
    '%s runs to its end against the built package',
    async name => {
      const { stdout } = await promisify(execFile)(process.execPath, [join(EXAMPLES, name)], {
        env: { ...process.env, PONOS_REDIS_URL: redis.server.url },
        timeout: 25_000,
      });
      expect(stdout.split('\n').length).toBeGreaterThan(3);
      for (const line of SHOWN[name] ?? []) expect(stdout).toContain(line);
    },
  );
});
