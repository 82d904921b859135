/**
 * A noun says once what its things look like; tables, CSV, JSON, names and raw bytes are derived from it.
 * Cells are given as they are: whoever draws them for a terminal makes them safe first.
 */
import { encodeText } from '../engine/index.ts';
import { stateText, type Tone, toneOf } from './state.ts';

export type CellValue = string | number | bigint | boolean | null;

export interface TextContext {
  nowMs: number;
  /** Plain ASCII instead of glyphs. */
  ascii: boolean;
}

export interface Column<Row> {
  /** Upper case, as in the table's head. */
  header: string;
  /** For machines: CSV, `-o name`. Units as in the name of the field: ms, bytes. */
  value: (row: Row) => CellValue;
  /** For people; default the value, null as `-`. */
  text?: (row: Row, context: TextContext) => string;
  tone?: (row: Row) => Tone | undefined;
  align?: 'right';
  /** Shown by `-o wide` only (and by CSV, and when one thing is shown alone). */
  wide?: boolean;
}

export interface Noun<Row> {
  /** As in the envelope: `Map` gives kind `Map` for one and `MapList` for many. */
  kind: string;
  /** The first is what the next command takes as its argument. */
  columns: readonly Column<Row>[];
  /** What JSON and YAML say of a row; default the row itself. */
  item?: (row: Row) => object;
  /** The bytes `-o raw` writes; default the first column and a line feed. */
  raw?: (row: Row) => Uint8Array;
  /** One line for people, in a stream; default the cells side by side. */
  line?: (row: Row, context: TextContext) => string;
}

/** A column that shows a state as a word with a glyph. */
export function stateColumn<Row>(state: (row: Row) => string, header = 'STATE'): Column<Row> {
  return {
    header,
    value: state,
    text: (row, context) => stateText(state(row), context.ascii),
    tone: row => toneOf(state(row)),
  };
}

/** Of what may be there and not be readable. */
export function soundness({ broken }: { broken: string | null }): string {
  return broken === null ? 'OK' : 'BROKEN';
}

/** A figure, but for what is broken: of that none is known. */
export function ifSound<Row extends { broken: string | null }>(
  text: (row: Row, context: TextContext) => string,
): (row: Row, context: TextContext) => string {
  return (row, context) => (row.broken === null ? text(row, context) : '-');
}

export function cellText<Row>(column: Column<Row>, row: Row, context: TextContext): string {
  if (column.text) return column.text(row, context);
  const value = column.value(row);
  return value === null ? '-' : String(value);
}

export function itemOf<Row>(noun: Noun<Row>, row: Row): object {
  return noun.item ? noun.item(row) : (row as object);
}

/** The first column, byte for byte. */
export function nameOf<Row>(noun: Noun<Row>, row: Row): Buffer {
  const value = noun.columns[0]?.value(row) ?? '';
  return typeof value === 'string' ? encodeText(value) : Buffer.from(String(value));
}
