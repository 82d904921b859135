/** A few points of the crash sweep; all of them are in the long test. */
import { describe, expect, it } from 'vitest';
import { useRedis } from '../../../support/fixture.ts';
import type { Crash } from '../../crash.ts';
import { sweep } from './sweep.ts';

const POINTS: Crash[] = [
  { script: 'streams.claim', nth: 1, when: 'after' },
  { script: 'streams.ack', nth: 2, when: 'before' },
  { script: 'streams.dead_letter', nth: 1, when: 'after' },
  { script: 'streams.leave_sink', nth: 1, when: 'after' },
];

describe('a consumer that ends at a script', () => {
  const redis = useRedis();

  it('loses nothing and leaves nothing in disorder', { timeout: 90_000 }, async () => {
    const verdicts = await sweep(POINTS, redis.server.url, 2);
    expect(verdicts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(verdicts).toHaveLength(POINTS.length);
  });
});
