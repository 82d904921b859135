import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { cellText, fitText } from '../../src/ui/text/cell.ts';
import { formatBytes, formatCount, formatDuration, formatLatency, formatRate } from '../../src/ui/text/format.ts';
import { sparkLines } from '../../src/ui/text/spark.ts';
import { takeWidth, takeWidthFromEnd, textWidth } from '../../src/ui/text/width.ts';
import { hostile } from './hostile.ts';

const anyText = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
);

describe('a text from outside in a cell', () => {
  it('holds nothing that a terminal obeys', () => {
    fc.assert(
      fc.property(anyText, text => {
        expect(cellText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 500 },
    );
  });

  it('fills exactly the width it is given, whatever it is', () => {
    fc.assert(
      fc.property(
        anyText,
        fc.integer({ min: 0, max: 60 }),
        fc.constantFrom('…', '~'),
        fc.constantFrom('left' as const, 'right' as const),
        fc.constantFrom('start' as const, 'middle' as const, 'end' as const),
        (text, width, ellipsis, align, cut) => {
          const fitted = fitText(cellText(text), width, ellipsis, align, cut);
          expect(textWidth(fitted)).toBe(width);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is as wide as an independent measure says', () => {
    for (const text of hostile)
      expect(textWidth(cellText(text)), JSON.stringify(text)).toBe(stringWidth(cellText(text)));
  });

  it('keeps both ends of an identifier that is cut in the middle', () => {
    expect(fitText('tenant-7/transcode-0013', 13, '…', 'left', 'middle')).toBe('tenant…e-0013');
    expect(fitText('tenant-7/transcode-0013', 13, '…')).toBe('tenant-7/tra…');
    expect(fitText('1795463591483501', 8, '…', 'right', 'start')).toBe('…1483501');
    expect(fitText('日本語のキー', 6, '…')).toBe('日本… ');
  });

  it('takes whole characters from either end', () => {
    expect(takeWidth('日本語', 3)).toBe('日');
    expect(takeWidthFromEnd('日本語', 3)).toBe('語');
    expect(takeWidthFromEnd('abc', 2)).toBe('bc');
  });
});

describe('a number in a cell', () => {
  it.each([
    [0, '0s'],
    [59_999, '59s'],
    [60_000, '1m00s'],
    [3_725_000, '1h02m'],
    [90_000_000, '1d01h'],
    [-5, '0s'],
  ])('writes %i ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([
    [0, '0'],
    [812, '812'],
    [12_804, '12,804'],
    [999_999, '999,999'],
    [1_200_000, '1.2M'],
  ])('writes the count %i as %s', (n, text) => {
    expect(formatCount(n)).toBe(text);
  });

  it('says that a rate is not known yet instead of zero', () => {
    expect([null, 0, 14.25, 1234].map(formatRate)).toEqual(['-', '0.0', '14.3', '1.2k']);
  });

  it('writes sizes and latencies', () => {
    expect([0, 1023, 1536, 10 * 1024 * 1024].map(formatBytes)).toEqual(['0B', '1023B', '1.5K', '10M']);
    expect([0.42, 12.3, 1234].map(formatLatency)).toEqual(['0.4ms', '12ms', '1.2s']);
  });

  it('never needs more than seven cells', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1e12 }), n => {
        for (const text of [formatDuration(n), formatCount(n), formatBytes(n), formatRate(n)]) {
          expect(text.length).toBeLessThanOrEqual(7);
        }
      }),
    );
  });
});

describe('a sparkline', () => {
  it('is exactly as large as asked, for any history', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { maxLength: 70 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 8 }),
        (values, width, height) => {
          const lines = sparkLines(values, width, height, ' ▁▂▃▄▅▆▇█');
          expect(lines).toHaveLength(height);
          for (const line of lines) expect([...line]).toHaveLength(width);
        },
      ),
    );
  });

  it('shows the newest at the right, the largest full, and something for every value above nothing', () => {
    expect(sparkLines([...Array<number>(59).fill(0.001), 100], 60, 1, ' ▁█')[0]).toBe(`${'▁'.repeat(59)}█`);
    expect(sparkLines([1], 60, 1, ' █')[0]).toBe(`${' '.repeat(59)}█`);
    expect(sparkLines([], 10, 1, ' █')[0]).toBe(' '.repeat(10));
  });
});
