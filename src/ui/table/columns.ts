/** How columns share the width of a screen. Pure. */
export interface ColumnSize {
  /** Narrowest width that still says something. */
  min: number;
  /** Width that shows all of an ordinary value. */
  ideal: number;
  /** Share of what is left over; 0 or none: never wider than ideal. */
  grow?: number;
  /** What is dropped first when the screen is narrow: the lowest. The first column is never dropped. */
  priority: number;
}

export const COLUMN_GAP = 2;

/**
 * The width of each column, 0 when it is not shown. Lowest priority is dropped until the narrowest fit; then each gets
 * up to its ideal in order of priority; what is left goes to those that grow. The sum with gaps never exceeds `width`.
 */
export function layoutColumns(columns: readonly ColumnSize[], width: number): number[] {
  const shown = columns.map(() => true);
  const total = () =>
    columns.reduce((sum, column, index) => sum + (shown[index] ? column.min + COLUMN_GAP : 0), -COLUMN_GAP);
  while (total() > width) {
    const victim = lowest(columns, shown);
    if (victim === undefined) return columns.map((_, index) => (index === 0 ? Math.max(1, width) : 0));
    shown[victim] = false;
  }
  const widths = columns.map((column, index) => (shown[index] ? column.min : 0));
  let left = width - total();
  const order = columns.map((_, index) => index).sort((a, b) => rank(columns, b) - rank(columns, a));
  for (const index of order) {
    const column = columns[index] as ColumnSize;
    if (!shown[index]) continue;
    const extra = Math.min(left, Math.max(0, column.ideal - column.min));
    widths[index] = (widths[index] as number) + extra;
    left -= extra;
  }
  growInto(columns, shown, widths, left);
  return widths;
}

function growInto(columns: readonly ColumnSize[], shown: readonly boolean[], widths: number[], left: number): void {
  const growing = columns.flatMap((column, index) =>
    shown[index] && column.grow ? [{ index, share: column.grow }] : [],
  );
  const shares = growing.reduce((sum, { share }) => sum + share, 0);
  let given = 0;
  for (const { index, share } of growing) {
    const extra = Math.floor((left * share) / shares);
    widths[index] = (widths[index] as number) + extra;
    given += extra;
  }
  const [first] = growing;
  if (first) widths[first.index] = (widths[first.index] as number) + left - given;
}

function rank(columns: readonly ColumnSize[], index: number): number {
  return index === 0 ? Number.POSITIVE_INFINITY : (columns[index] as ColumnSize).priority;
}

function lowest(columns: readonly ColumnSize[], shown: readonly boolean[]): number | undefined {
  let victim: number | undefined;
  for (let index = 1; index < columns.length; index++) {
    if (shown[index] && (victim === undefined || rank(columns, index) <= rank(columns, victim))) victim = index;
  }
  return victim;
}
