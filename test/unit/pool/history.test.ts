import { describe, expect, it } from 'vitest';
import { overlapsOf } from '../../fault/pool/history.ts';

const sign = (atMs: number, token: number, worker = `w${token}`) => ({ key: 'k', atMs, token, worker });

describe('the checker of fault histories', () => {
  it('accepts owners one after the other', () => {
    expect(overlapsOf([sign(1, 10), sign(2, 10), sign(3, 11), sign(4, 12), sign(5, 12)])).toEqual([]);
  });

  it('finds an old owner alive after a new one', () => {
    const found = overlapsOf([sign(1, 10), sign(2, 11), sign(3, 10), sign(4, 11)]);
    expect(found).toEqual(['k: w10 alive with token 10 1.0 ms after w11 with 11']);
  });

  it('finds a token that goes back', () => {
    expect(overlapsOf([sign(1, 12), sign(2, 11)]).length).toBe(1);
  });
});
