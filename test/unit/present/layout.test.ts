import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import type { Column } from '../../../src/present/columns.ts';
import { itemLines } from '../../../src/present/item-table.ts';
import { noPaint, type TableOptions, tableLines } from '../../../src/present/table.ts';
import { cutText, displayWidth, padText } from '../../../src/present/width.ts';

interface Row {
  key: string;
  value: string | null;
  count: number;
}

const columns: Column<Row>[] = [
  { header: 'KEY', value: row => row.key },
  { header: 'VALUE', value: row => row.value },
  { header: 'COUNT', value: row => row.count, align: 'right' },
  { header: 'MORE', value: () => 'more', wide: true },
];

const options: TableOptions = {
  nowMs: 0,
  ascii: false,
  wide: false,
  headers: true,
  maxWidth: undefined,
  paint: noPaint,
};

const table = (rows: Row[], more: Partial<TableOptions> = {}) => [
  ...tableLines(columns, rows, { ...options, ...more }),
];

describe('the width of a text', () => {
  it.each(['abc', '日本語', '🙂', '❤️', 'e\u0301', '한국어', 'ｆｕｌｌ', 'ﾊﾝｶｸ', 'é', '…', '●', '🇫🇷', '👍🏽'])(
    'of %s is that of a terminal',
    text => {
      expect(displayWidth(text)).toBe(stringWidth(text));
    },
  );

  it('is kept by cutting and padding', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', '日', '🙂', 'é', 'e\u0301')),
        fc.integer({ min: 1, max: 12 }),
        (parts, width) => {
          const text = parts.join('');
          expect(displayWidth(cutText(text, width))).toBeLessThanOrEqual(width);
          expect(displayWidth(padText(cutText(text, width), width))).toBe(width);
        },
      ),
    );
  });

  it('leaves what fits uncut', () => {
    expect(cutText('日本', 4)).toBe('日本');
    expect(cutText('日本語', 5)).toBe('日本…');
    expect(cutText('日本語', 4)).toBe('日…');
  });
});

describe('a table', () => {
  it('aligns its columns without borders, numbers to the right', () => {
    expect(
      table([
        { key: 'a', value: 'x', count: 5 },
        { key: '日本', value: null, count: 1200 },
      ]),
    ).toEqual(['KEY   VALUE  COUNT', 'a     x          5', '日本  -       1200']);
  });

  it('is never cut where there is no terminal', () => {
    const value = 'v'.repeat(500);
    expect(table([{ key: 'k', value, count: 1 }])[1]).toContain(value);
  });

  it('fits a terminal: text gives way, the first column and numbers last', () => {
    const lines = table([{ key: 'tenant-1234', value: 'v'.repeat(500), count: 123456 }], { maxWidth: 40 });
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40);
    expect(lines[1]).toMatch(/^tenant-1234 {2}v+… {2}123456$/);
  });

  it('ends although nothing can give way', () => {
    expect(table([{ key: 'k', value: 'v', count: 1 }], { maxWidth: 5 })).toHaveLength(2);
  });

  it('escapes what cells hold', () => {
    expect(table([{ key: 'k\u001b[2J', value: 'a\nb', count: 1 }]).slice(1)).toEqual(['k\\x1b[2J  a\\nb       1']);
  });

  it('shows more columns when wide, and no heads when told so', () => {
    expect(table([{ key: 'k', value: 'v', count: 1 }], { wide: true })[0]).toBe('KEY  VALUE  COUNT  MORE');
    expect(table([{ key: 'k', value: 'v', count: 1 }], { headers: false })).toEqual(['k  v  1']);
  });

  it('takes time in proportion to its rows', () => {
    const timeOf = (count: number) => {
      const rows = Array.from({ length: count }, (_, at) => ({ key: `tenant-${at}`, value: 'v', count: at }));
      const start = performance.now();
      expect(table(rows)).toHaveLength(count + 1);
      return performance.now() - start;
    };
    timeOf(2000);
    const [few, many] = [Math.min(timeOf(2000), timeOf(2000)), Math.min(timeOf(20_000), timeOf(20_000))];
    // Ten times the rows; a quadratic one would take a hundred times.
    expect(many / few).toBeLessThan(50);
  });
});

describe('one thing alone', () => {
  it('has a field per line, wide ones too', () => {
    expect(itemLines(columns, { key: 'k', value: null, count: 3 }, options)).toEqual([
      'KEY    k',
      'VALUE  -',
      'COUNT  3',
      'MORE   more',
    ]);
  });

  it('wraps long values to the terminal', () => {
    const lines = itemLines(columns, { key: 'k', value: 'v'.repeat(50), count: 3 }, { ...options, maxWidth: 40 });
    expect(lines.join('').replaceAll(/[^v]/g, '')).toHaveLength(50);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40);
  });

  it('is wrapped and painted without one disturbing the other', () => {
    const long: Column<Row>[] = [
      { header: 'A-LONG-LABEL', value: row => row.value, tone: () => 'good' },
      { header: 'LONGER-LABEL-STILL', value: row => row.key },
    ];
    const row = { key: '1795463327436-0', value: 'v'.repeat(30), count: 3 };
    const paint: TableOptions['paint'] = (style, text) => `\u001b[1m<${style}>${text}\u001b[22m`;
    const narrow = { ...options, maxWidth: 40 };
    const painted = itemLines(long, row, { ...narrow, paint });
    expect(painted.map(line => line.replaceAll(/\u001b\[\d+m(<\w+>)?/g, ''))).toEqual(itemLines(long, row, narrow));
    expect(painted[0]).toContain('\u001b[1m<head>A-LONG-LABEL\u001b[22m');
    expect(painted.filter(line => line.includes('<good>'))).toHaveLength(2);
  });
});
