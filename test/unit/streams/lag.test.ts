import { describe, expect, it } from 'vitest';
import { lagOf, maxLag } from '../../../src/engine/inspect/lag.ts';

const facts = {
  length: 100,
  firstId: '1000-0',
  lastId: '2000-0',
  lastGeneratedId: '2000-0',
  lastDeliveredId: '1500-0',
  reported: 40,
};

describe('the lag of a sink', () => {
  it('is what Redis says where that can be right', () => {
    expect(lagOf(facts)).toEqual({ count: 40, exact: true });
  });

  it('is an estimate, never 0, where Redis does not know', () => {
    expect(lagOf({ ...facts, reported: null })).toEqual({ count: 50, exact: false });
    expect(lagOf({ ...facts, reported: null, lastDeliveredId: '1999-0' }).count).toBeGreaterThan(0);
    expect(lagOf({ ...facts, reported: 0 })).toEqual({ count: 50, exact: false });
    expect(lagOf({ ...facts, reported: 5000 })).toEqual({ count: 50, exact: false });
  });

  it('is the length when nothing that is left was read', () => {
    expect(lagOf({ ...facts, lastDeliveredId: '10-0', reported: 900 })).toEqual({ count: 100, exact: true });
  });

  it('is 0 at the end and for an empty stream', () => {
    expect(lagOf({ ...facts, lastDeliveredId: '2000-0', reported: null })).toEqual({ count: 0, exact: true });
    expect(lagOf({ ...facts, length: 0, firstId: null, lastId: null })).toEqual({ count: 0, exact: true });
  });

  it('of several sinks is the worst', () => {
    expect(maxLag([])).toEqual({ count: 0, exact: true });
    expect(
      maxLag([
        { count: 3, exact: true },
        { count: 9, exact: false },
      ]),
    ).toEqual({ count: 9, exact: false });
    expect(
      maxLag([
        { count: 3, exact: true },
        { count: null, exact: false },
      ]),
    ).toEqual({ count: null, exact: false });
  });
});
