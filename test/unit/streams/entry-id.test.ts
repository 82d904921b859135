import { describe, expect, it } from 'vitest';
import { compareEntryIds, entryTimeMs, parseEntryId, previousEntryId } from '../../../src/engine/streams/entry-id.ts';

describe('an entry id', () => {
  it('compares as two numbers, also beyond what a number holds exactly', () => {
    expect(compareEntryIds('9-0', '10-0')).toBeLessThan(0);
    expect(compareEntryIds('10-9', '10-10')).toBeLessThan(0);
    expect(compareEntryIds('1-18446744073709551614', '1-18446744073709551615')).toBeLessThan(0);
    expect(compareEntryIds('5-5', '5-5')).toBe(0);
  });

  it('has a canonical form', () => {
    expect(parseEntryId('007-01')).toBe('7-1');
    expect(parseEntryId('1763900000000')).toBe('1763900000000-0');
    expect(entryTimeMs('1763900000000-12')).toBe(1763900000000);
  });

  it.each(['', '-', 'x', '1-', '-1', '1-2-3', '$', '18446744073709551616-0', '1-18446744073709551616'])(
    'is not %j',
    text => {
      expect(() => parseEntryId(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    },
  );

  it('has one before it, down to the first', () => {
    expect(previousEntryId('7-3')).toBe('7-2');
    expect(previousEntryId('7-0')).toBe('6-18446744073709551615');
    expect(previousEntryId('0-0')).toBe('0-0');
  });
});
