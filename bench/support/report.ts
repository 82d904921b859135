/** What a benchmark found: tables for people, the same as JSON for programs. */

export interface Column {
  /** Field of the rows. */
  key: string;
  header: string;
  /** Digits behind the point; default 0. */
  digits?: number;
}

export type Row = Record<string, string | number | null>;

export interface Section {
  name: string;
  title: string;
  columns: Column[];
  rows: Row[];
  notes: string[];
}

export function renderSection({ title, columns, rows, notes }: Section): string {
  const cells = [
    columns.map(column => column.header),
    ...rows.map(row => columns.map(({ key, digits }) => cell(row[key], digits))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map(line => (line[at] as string).length)));
  const lines = cells.map(line =>
    line
      .map((text, at) => (at === 0 ? text.padEnd(widths[at] as number) : text.padStart(widths[at] as number)))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)));
  return [title, '', ...lines, ...notes.map(note => `  ${note}`), ''].join('\n');
}

function cell(value: string | number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'string') return value;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
