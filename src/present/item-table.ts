/** One thing alone: a field per line, long values wrapped to the terminal. */
import CliTable from 'cli-table3';
import { type Column, cellText } from './columns.ts';
import { safeText } from './safe-text.ts';
import type { TableOptions } from './table.ts';

const NO_BORDERS = Object.fromEntries(
  ['top', 'bottom', 'mid', 'left', 'right']
    .flatMap(side => [side, `${side}-left`, `${side}-mid`, `${side}-right`])
    .concat('middle')
    .map(name => [name, '']),
);
const GAP = 2;
const NARROWEST_VALUE = 20;

/** The lines that describe `row`: every column, wide ones too. */
export function itemLines<Row>(columns: readonly Column<Row>[], row: Row, options: TableOptions): string[] {
  const labelWidth = Math.max(...columns.map(column => column.header.length)) + GAP;
  const room = options.maxWidth === undefined ? null : Math.max(NARROWEST_VALUE, options.maxWidth - labelWidth);
  return columns.flatMap(column => {
    const value = safeText(cellText(column, row, options));
    const tone = column.tone?.(row);
    // Painted only when it is laid out: wrapping counts the bytes of a colour as if they were seen.
    return fieldLines(column.header, value, labelWidth, room).map((line, at) => {
      const label = line.slice(0, labelWidth);
      const text = line.slice(labelWidth).trimEnd();
      const head = at === 0 ? options.paint('head', column.header) + label.slice(column.header.length) : label;
      return (head + (tone && text ? options.paint(tone, text) : text)).trimEnd();
    });
  });
}

function fieldLines(header: string, value: string, labelWidth: number, room: number | null): string[] {
  const table = new CliTable({
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colWidths: [labelWidth, room],
    wordWrap: room !== null,
    wrapOnWordBoundary: false,
  });
  table.push([header, value]);
  return table.toString().split('\n');
}
