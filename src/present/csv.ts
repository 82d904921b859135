/** CSV as in RFC 4180, with line feeds alone; a cell is quoted when it must be. */
import type { CellValue } from './columns.ts';

export function csvLine(cells: readonly CellValue[]): string {
  return `${cells.map(csvCell).join(',')}\n`;
}

function csvCell(value: CellValue): string {
  if (value === null) return '';
  const text = String(value);
  // A leading or trailing blank is data; some readers strip it unless it is quoted.
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
