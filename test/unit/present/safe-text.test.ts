import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnsafe, safeJson, safeText } from '../../../src/present/safe-text.ts';

/** What can move a cursor, change a mode, reverse a line, or hide. */
const DANGEROUS = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]/;

describe('text made safe for a terminal', () => {
  it.each([
    ['\u001b]0;owned\u0007', '\\x1b]0;owned\\x07'],
    ['\u009b31m', '\\x9b31m'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['user\u202egnp.exe', 'user\\u{202e}gnp.exe'],
    ['ad\u200bmin', 'ad\\u{200b}min'],
    ['\ufefftext', '\\u{feff}text'],
    ['\u{e0041}', '\\u{e0041}'],
    ['\udcff\udc80', '\\xff\\x80'],
    ['\ud800', '\\u{d800}'],
    ['\u007f', '\\x7f'],
  ])('shows %j as %s', (given, shown) => {
    expect(safeText(given)).toBe(shown);
    expect(isUnsafe(given)).toBe(true);
  });

  it.each(['', 'a=b', '__proto__', 'naïve', '日本語', '🙂 ❤️', 'e\u0301', '\\x1b'])('leaves %j as it is', text => {
    expect(safeText(text)).toBe(text);
    expect(isUnsafe(text)).toBe(false);
  });

  it('lets nothing dangerous through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), text => {
        expect(safeText(text)).not.toMatch(DANGEROUS);
        expect(safeJson({ [text]: text })).not.toMatch(DANGEROUS);
      }),
    );
  });

  it('keeps the lines of a block when asked', () => {
    expect(safeText('a\n\tb\u001b', { keepLines: true })).toBe('a\n\tb\\x1b');
  });
});

describe('JSON made safe for a terminal', () => {
  it('means the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: 'binary' }), (value, text) => {
        const given: unknown = JSON.parse(JSON.stringify({ value, text }));
        expect(JSON.parse(safeJson(given))).toEqual(given);
        expect(JSON.parse(safeJson(given, 2))).toEqual(given);
      }),
    );
  });

  it('writes whole numbers exactly', () => {
    expect(safeJson({ a: 5n, b: 9007199254740993n })).toBe('{"a":5,"b":"9007199254740993"}');
  });
});
