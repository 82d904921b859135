/** A short one; with 100 000 events, and judged by the time it takes, in the long test. */
import { describe, expect, it } from 'vitest';
import { useRedis } from '../../../support/fixture.ts';
import { seeds } from '../../report.ts';
import { deliver } from './delivery.ts';

describe('consumers that are killed one after the other', () => {
  const redis = useRedis();

  it('lose no event, keep the order of each lane, and repeat only what a dead one had', {
    timeout: 90_000,
  }, async () => {
    const options = {
      events: 6000,
      eventsPerSecond: 1200,
      consumers: 3,
      killEveryMs: 500,
      lanes: 20,
      claimIdleMs: 1000,
    };
    const [seed = 1] = seeds(1);
    const found = await deliver(redis, { ...options, seed });
    expect(found).toMatchObject({ lost: [], disorder: [], unexplained: [], miscounted: [] });
    expect(found.kills).toBeGreaterThan(1);
  });
});
