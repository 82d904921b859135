import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';

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
    },
  );
});
