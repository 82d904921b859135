import { describe, expect, it } from 'vitest';
import { globMatcher } from '../../src/engine/core/glob.ts';

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
    expect(globMatcher(pattern)(text)).toBe(expected);
  });

  it('takes no longer than its lengths allow', () => {
    // A matcher that tried every split would not end within the life of a machine.
    expect(globMatcher(`${'a*'.repeat(200)}b`)('a'.repeat(1000))).toBe(false);
  });
});
