import { describe, expect, test } from 'vitest';
import { parseHeaders } from '../../../../src/cli/stream/headers.ts';
import { parseMoment } from '../../../../src/cli/stream/moment.ts';
import { startFrom } from '../../../../src/cli/stream/tail-start.ts';
import { cutFrom } from '../../../../src/cli/stream/trim-limit.ts';

describe('a moment', () => {
  test.each([
    ['1763900000000-0', { id: '1763900000000-0' }],
    ['0-1', { id: '0-1' }],
    ['1763900000000', { id: '1763900000000' }],
    ['2026-11-23', { atMs: Date.UTC(2026, 10, 23) }],
    ['2026-11-23T19:00:00Z', { atMs: Date.UTC(2026, 10, 23, 19) }],
    ['2026-11-23 19:00:00.250+02:00', { atMs: Date.UTC(2026, 10, 23, 17, 0, 0, 250) }],
    ['5m', { agoMs: 300_000 }],
    ['-1h30m', { agoMs: 5_400_000 }],
  ])('%s is understood', (text, moment) => {
    expect(parseMoment(text)).toEqual(moment);
  });

  test.each(['', '5', 'yesterday', '2026-13-01', '1969-01-01', '1-', 'x5m', '17639000000001763900000000'])(
    '"%s" is refused with what would be right',
    text => {
      expect(() => parseMoment(text)).toThrow(expect.objectContaining({ hint: expect.stringContaining('5m') }));
    },
  );
});

test('tail starts at the end when it follows and at the beginning when it does not', () => {
  expect(startFrom({}, true)).toBe('newest');
  expect(startFrom({}, false)).toBe('oldest');
  expect(startFrom({ from: '7-1' }, true)).toEqual({ after: '7-1' });
  expect(startFrom({ since: '5m' }, true)).toEqual({ sinceMs: 300_000 });
  expect(startFrom({ since: '1970-01-02' }, true)).toEqual({ sinceAtMs: 86_400_000 });
  expect(() => startFrom({ since: '7-1' }, true)).toThrow('--since takes a duration or a time');
});

test('trim needs to be told what to remove', () => {
  expect(cutFrom({ maxLength: 0, before: undefined })).toEqual({ maxLength: 0 });
  expect(cutFrom({ maxLength: undefined, before: '1d' })).toEqual({ before: { agoMs: 86_400_000 } });
  expect(() => cutFrom({ maxLength: undefined, before: undefined })).toThrow('nothing says what to remove');
});

test('a header ends its key at the first equals sign', () => {
  expect(parseHeaders(['a=b=c', '__proto__=', 'a=d'])).toEqual(
    new Map([
      ['a', 'd'],
      ['__proto__', ''],
    ]),
  );
  expect(() => parseHeaders(['=x'])).toThrow('KEY=VALUE');
});
