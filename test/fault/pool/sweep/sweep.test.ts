/** A few points of the crash sweep; all of them are in the long test. */
import { describe, expect, it } from 'vitest';
import { useRedis } from '../../../support/fixture.ts';
import type { Crash } from '../../crash.ts';
import { sweep } from './sweep.ts';

const POINTS: Crash[] = [
  { script: 'pool.dispatch', nth: 2, when: 'after' },
  { script: 'pool.assign', nth: 1, when: 'after' },
  { script: 'pool.claim', nth: 1, when: 'after' },
  { script: 'pool.settle', nth: 1, when: 'before' },
  { script: 'pool.release', nth: 1, when: 'after' },
  { script: 'pool.reap', nth: 1, when: 'after' },
  { script: 'pool.remove', nth: 2, when: 'after' },
  { script: 'pool.remove_rest', nth: 1, when: 'after' },
  { script: 'pool.remove_rest', nth: 2, when: 'before' },
];

describe('a process that ends at a script', () => {
  const redis = useRedis();

  it('loses nothing and leaves nothing in disorder', { timeout: 90_000 }, async () => {
    const verdicts = await sweep(POINTS, redis.server.url, 2);
    expect(verdicts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(verdicts).toHaveLength(POINTS.length);
  });
});
