import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../src/ui/filter.ts';
import { COLUMN_GAP, layoutColumns } from '../../src/ui/table/columns.ts';
import { follow, moveBy, moveTo, START } from '../../src/ui/table/selection.ts';
import { views } from '../../src/ui/views/index.ts';
import { share } from '../../src/ui/views/overview.ts';

const column = fc
  .record({
    min: fc.integer({ min: 1, max: 30 }),
    extra: fc.integer({ min: 0, max: 30 }),
    grow: fc.integer({ min: 0, max: 3 }),
    priority: fc.integer({ min: 0, max: 99 }),
  })
  .map(({ min, extra, grow, priority }) => ({ min, ideal: min + extra, grow, priority }));

describe('the columns of a table', () => {
  it('never exceed the width, never shrink below their least, and never lose the first', () => {
    fc.assert(
      fc.property(
        fc.array(column, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 20, max: 400 }),
        (columns, width) => {
          const widths = layoutColumns(columns, width);
          const shown = widths.filter(size => size > 0);
          expect(widths[0]).toBeGreaterThan(0);
          expect(shown.reduce((sum, size) => sum + size, 0) + (shown.length - 1) * COLUMN_GAP).toBeLessThanOrEqual(
            width,
          );
          widths.forEach((size, index) => {
            if (index > 0 && size > 0) expect(size).toBeGreaterThanOrEqual(columns[index]?.min as number);
          });
        },
      ),
    );
  });

  it('fill the width when one of them grows', () => {
    fc.assert(
      fc.property(
        fc.array(column, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 40, max: 400 }),
        (rest, width) => {
          const columns = [{ min: 4, ideal: 10, grow: 1, priority: 99 }, ...rest];
          const widths = layoutColumns(columns, width);
          const shown = widths.filter(size => size > 0);
          expect(shown.reduce((sum, size) => sum + size, 0) + (shown.length - 1) * COLUMN_GAP).toBe(width);
        },
      ),
    );
  });

  it('are dropped by priority', () => {
    const columns = [
      { min: 10, ideal: 10, priority: 99 },
      { min: 10, ideal: 10, priority: 1 },
      { min: 10, ideal: 10, priority: 50 },
    ];
    expect(layoutColumns(columns, 34)).toEqual([10, 10, 10]);
    expect(layoutColumns(columns, 33)).toEqual([10, 0, 10]);
    expect(layoutColumns(columns, 21)).toEqual([10, 0, 0]);
    expect(layoutColumns(columns, 5)).toEqual([5, 0, 0]);
  });
});

const ids = (n: number) => Array.from({ length: n }, (_, at) => `id-${at}`);

describe('the selection', () => {
  it('stays on its row when rows are inserted and removed around it', () => {
    const before = moveTo(START, 50, ids(100), 20);
    const changed = ['new-1', 'new-2', ...ids(100).filter((_, at) => at % 7 !== 2)];
    const { cursor, gone } = follow(before, changed, 20);
    expect([cursor.selected, changed[cursor.index]]).toEqual(['id-50', 'id-50']);
    expect(gone).toBeNull();
  });

  it('stays on the same row of the screen when it can', () => {
    const before = moveTo(START, 50, ids(100), 20);
    const { cursor } = follow(before, ['a', 'b', 'c', ...ids(100)], 20);
    expect(cursor.index - cursor.offset).toBe(before.index - before.offset);
  });

  it('goes to the nearest neighbour when its row is gone, and says so', () => {
    const before = moveTo(START, 5, ids(10), 20);
    const { cursor, gone } = follow(
      before,
      ids(10).filter(id => id !== 'id-5'),
      20,
    );
    expect([cursor.selected, gone]).toEqual(['id-6', 'id-5']);
  });

  it('is always in the list and on the screen, whatever happens', () => {
    const step = fc.oneof(
      fc.integer({ min: -30, max: 30 }).map(by => ({ by })),
      fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 60 }).map(keep => ({ keep })),
      fc.integer({ min: 1, max: 40 }).map(height => ({ height })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        let list = ids(40);
        let height = 10;
        let cursor = follow(START, list, height).cursor;
        for (const one of steps) {
          if ('by' in one) cursor = moveBy(cursor, one.by, list, height);
          else {
            if ('height' in one) height = one.height;
            else list = [...new Set(one.keep)].map(n => `id-${n}`);
            cursor = follow(cursor, list, height).cursor;
          }
          if (list.length === 0) continue;
          expect(list[cursor.index]).toBe(cursor.selected);
          expect(cursor.offset).toBeGreaterThanOrEqual(0);
          expect(cursor.index).toBeGreaterThanOrEqual(cursor.offset);
          expect(cursor.index).toBeLessThan(cursor.offset + height);
        }
      }),
    );
  });
});

describe('the filter', () => {
  const matches = (filter: string, text: string, fields: Record<string, string> = {}) =>
    parseFilter(filter).matches(
      () => new Map(Object.entries(fields)),
      () => text,
    );

  it.each([
    ['', 'anything', true],
    ['tenant-7', 'tenant-7/x RUNNING', true],
    ['TENANT', 'tenant-7/x', false],
    ['tenant', 'TENANT-7', true],
    ['tenant running', 'tenant-7/x running', true],
    ['tenant stopped', 'tenant-7/x running', false],
    ['!running', 'tenant-7/x running', false],
    ['!', 'anything', true],
    ['re:^tenant-\\d/', 'tenant-7/x', true],
    ['!re:^tenant', 'tenant-7/x', false],
    ['a=b', 'key a=b', true],
  ])('%j of %j is %s', (filter, text, expected) => {
    expect(matches(filter, text)).toBe(expected);
  });

  it('looks in one column when told', () => {
    expect(matches('state=orphan', 'x RUNNING orphan', { state: '● RUNNING' })).toBe(false);
    expect(matches('state=orphan', 'x', { state: '✖ ORPHAN' })).toBe(true);
  });

  it('says what is no regular expression, and then hides nothing', () => {
    const filter = parseFilter('re:[');
    expect(filter.error).toMatch(/regular expression/);
    expect(
      filter.matches(
        () => new Map(),
        () => 'x',
      ),
    ).toBe(true);
  });
});

describe('the height of the overview', () => {
  it('is shared: the small parts whole, the big ones equally, never more than there is', () => {
    expect(share([2, 50, 50], 22)).toEqual([2, 10, 10]);
    expect(share([1, 1, 1], 100)).toEqual([1, 1, 1]);
    expect(share([5, 5, 5], -3)).toEqual([0, 0, 0]);
  });
});

describe('every view', () => {
  it('sorts by a column that it has', () => {
    for (const view of Object.values(views)) {
      if (view.defaultSort) expect(view.sorts).toContain(view.defaultSort.column);
    }
    expect.hasAssertions();
  });
});
