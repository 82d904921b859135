import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';
import { poolCli } from '../support/pool-cli.ts';

const PROCESS_COUNT = 50;
/** Node processes that start at once on a small machine; the dispatches of one wave race each other. */
const WAVE = 10;

describe('ponos job dispatch', () => {
  const redis = useRedis();
  const { run } = poolCli(redis);

  it('accepts one of 50 processes that dispatch the same key, and tells the others that it exists', async () => {
    const results = [];
    for (let at = 0; at < PROCESS_COUNT; at += WAVE) {
      const wave = Array.from({ length: WAVE }, () => run(['job', 'dispatch', 'one', '--create']));
      results.push(...(await Promise.all(wave)));
    }
    const accepted = results.filter(result => result.code === 0);
    const refused = results.filter(result => result.code === 4);
    expect([accepted.length, refused.length]).toEqual([1, PROCESS_COUNT - 1]);
    expect(accepted[0]?.stdout).toMatch(/^[0-9a-z]{16}\n$/);
    for (const { stdout, stderr } of refused) {
      expect(stdout).toBe('');
      expect(stderr).toContain('job "one" exists already');
    }
  }, 60_000);
});
