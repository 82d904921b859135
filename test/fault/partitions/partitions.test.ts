import { describe, expect, it } from 'vitest';
import { useRedis } from '../../support/fixture.ts';
import { forget, storm } from './storm.ts';

describe('the processes of a partitioned sink', () => {
  const redis = useRedis();

  it('handle every event, those of a key in order and by one at a time, while some die, stop, leave and come', {
    timeout: 90_000,
  }, async () => {
    const result = await storm(redis, ['kill', 'stop', 'leave'], 7);
    const { overlaps, disorders, missing, errors, deadCount, lostTotal, repeated, published } = result;
    const found = { overlaps, disorders, missing, errors, deadCount, lostTotal };
    expect(found, result.folder).toEqual({
      overlaps: [],
      disorders: [],
      missing: [],
      errors: [],
      deadCount: 0,
      lostTotal: 0,
    });
    // What was at work when its process was killed, and what was done and not acknowledged yet.
    expect(repeated).toBeLessThan(published / 10);
    forget(result);
  });
});
