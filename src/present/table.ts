/**
 * Tables without borders. Widths are those of the widest cell; on a terminal the widest text columns give way until a row
 * fits, the first column last, because it is what the next command needs. Rows are drawn one by one: a table library
 * was measured at seconds for 10 000 rows.
 */
import { type Column, cellText, type TextContext } from './columns.ts';
import { safeText } from './safe-text.ts';
import type { Tone } from './state.ts';
import { cutText, displayWidth, padText } from './width.ts';

export type Paint = (style: Tone | 'head', text: string) => string;
export const noPaint: Paint = (_style, text) => text;

export interface TableOptions extends TextContext {
  wide: boolean;
  headers: boolean;
  /** Columns of the terminal; undefined when there is none: nothing is cut. */
  maxWidth: number | undefined;
  paint: Paint;
}

const GAP = '  ';
const NARROWEST = 6;

/** The lines of a table, each without its line feed. */
export function* tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions,
): Generator<string> {
  const shown = columns.filter(column => options.wide || !column.wide);
  const cells = rows.map(row => shown.map(column => safeText(cellText(column, row, options))));
  const widths = shown.map((column, at) =>
    cells.reduce(
      (width, row) => Math.max(width, displayWidth(row[at] as string)),
      options.headers ? column.header.length : 0,
    ),
  );
  if (options.maxWidth !== undefined) narrow(widths, shown, options.maxWidth);
  const ellipsis = options.ascii ? '~' : '…';
  const draw = (texts: string[], style: (at: number) => Tone | 'head' | undefined) =>
    texts
      .map((text, at) => {
        const width = widths[at] as number;
        const align = shown[at]?.align ?? 'left';
        const last = at === texts.length - 1 && align === 'left';
        const cut = options.maxWidth === undefined ? text : cutText(text, width, ellipsis);
        const tone = style(at);
        const padded = last ? cut : padText(cut, width, align);
        return tone ? options.paint(tone, padded) : padded;
      })
      .join(GAP);
  if (options.headers) {
    yield draw(
      shown.map(column => column.header),
      () => 'head',
    );
  }
  for (const [index, texts] of cells.entries()) yield draw(texts, at => shown[at]?.tone?.(rows[index] as Row));
}

/** Narrows the widest text column step by step; numbers keep their width. */
function narrow(widths: number[], columns: readonly { align?: 'right' }[], maxWidth: number): void {
  const sum = () => widths.reduce((total, width) => total + width, GAP.length * (widths.length - 1));
  for (let excess = sum() - maxWidth; excess > 0; excess = sum() - maxWidth) {
    const candidates = widths
      .map((width, at) => ({ width, at }))
      .filter(({ width, at }) => columns[at]?.align !== 'right' && width > NARROWEST)
      .sort((a, b) => b.width - a.width);
    const widest = candidates.find(({ at }) => at > 0) ?? candidates[0];
    if (!widest) return;
    const next = candidates.find(({ at }) => at > 0 && at !== widest.at)?.width ?? NARROWEST;
    const target = Math.max(NARROWEST, Math.min(next, widest.width - 1), widest.width - excess);
    widths[widest.at] = target;
  }
}
