import { describe, expect, it } from 'vitest';
import { matchesGlob } from '../../../src/engine/maps/glob.ts';

describe('a glob', () => {
  it.each([
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbd', false],
    ['a?c', 'a😀c', true],
    ['a?c', 'ac', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['[c-a]x', 'bx', true],
    ['[a\\]]x', ']x', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a.b', 'axb', false],
    ['*a*b*', 'xxaxxbxx', true],
    ['', '', true],
    ['', 'a', false],
    ['?', '\uDC80', true],
    ['a\nb', 'a\nb', true],
  ])('%j matches %j: %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  it('takes no longer than its lengths allow', () => {
    const start = performance.now();
    expect(matchesGlob(`${'a*'.repeat(200)}b`, 'a'.repeat(1000))).toBe(false);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
