/** One table for every kind of thing: a resource says what its rows are and how a cell reads; this does the rest. */

import { parseFilter } from '../filter.ts';
import type { FleetFocus, FleetSnapshot } from '../model.ts';
import { blankLine, fitLine, fitLines, type Line, overall, type Span, spread } from '../paint/line.ts';
import type { Role } from '../paint/theme.ts';
import { type Align, type Cut, cellText, fitText } from '../text/cell.ts';
import { formatCount } from '../text/format.ts';
import type { Area, Item, Listing, Location, Place, Scene, Sort, View, ViewId } from '../view.ts';
import { COLUMN_GAP, type ColumnSize, layoutColumns } from './columns.ts';
import { unreadLine } from './unread.ts';

export interface Column<Row> extends ColumnSize {
  /** Upper case; in lower case the name of the column in filters and sorts. */
  title: string;
  align?: Align;
  cut?: Cut;
  /** As it is: made safe by the table. */
  text(row: Row, scene: Scene): string;
  role?(row: Row, scene: Scene): Role | undefined;
  /** What to sort by; without it the column is not sorted by. */
  order?(row: Row, scene: Scene): number | string;
}

export interface Resource<Row> {
  id: ViewId;
  /** One of them. */
  noun: string;
  crumb(at: Location): string;
  /** null while nothing was read yet. */
  rows(snapshot: FleetSnapshot, at: Location): readonly Row[] | null;
  identity(row: Row): string;
  columns: readonly Column<Row>[];
  sort: Sort | null;
  isProblem(row: Row, scene: Scene): boolean;
  item(row: Row, scene: Scene, at: Location): Item;
  command(at: Location): string;
  focus(place: Place, visible: readonly string[]): FleetFocus;
  /** Said when there is none. */
  empty: string;
}

const GUTTER = 2;
/** Title and column heads. */
const HEAD_ROWS = 2;

export function tableView<Row>(resource: Resource<Row>): View {
  const { columns } = resource;
  return {
    id: resource.id,
    crumb: resource.crumb,
    command: resource.command,
    focus: resource.focus,
    sorts: columns.filter(column => column.order).map(column => column.title),
    defaultSort: resource.sort,
    pageRows: area => Math.max(1, area.height - HEAD_ROWS),
    list: (scene, place) => listing(resource, scene, place),
    draw: (scene, place, area) => drawTable(resource, scene, place, area),
  };
}

function listing<Row>(resource: Resource<Row>, scene: Scene, place: Place): Listing {
  const { rows, ids, total } = arrange(resource, scene, place);
  return {
    ids,
    total,
    item: index => {
      const row = rows[index];
      return row === undefined ? undefined : resource.item(row, scene, place.at);
    },
  };
}

interface Arranged<Row> {
  rows: readonly Row[];
  ids: readonly string[] | null;
  total: number;
}

/** Per snapshot: a key press must not sort ten thousand rows again. */
const arranged = new WeakMap<FleetSnapshot, Map<string, Arranged<unknown>>>();

function arrange<Row>(resource: Resource<Row>, scene: Scene, place: Place): Arranged<Row> {
  const known = arranged.get(scene.snapshot) ?? new Map<string, Arranged<unknown>>();
  arranged.set(scene.snapshot, known);
  const memo = JSON.stringify([place.at, place.filter, place.problemsOnly, place.sort]);
  const before = known.get(memo);
  if (before) return before as Arranged<Row>;
  const result = arrangeAnew(resource, scene, place);
  known.set(memo, result);
  return result;
}

function arrangeAnew<Row>(resource: Resource<Row>, scene: Scene, place: Place): Arranged<Row> {
  const all = resource.rows(scene.snapshot, place.at);
  if (all === null) return { rows: [], ids: null, total: 0 };
  const { matches } = parseFilter(place.filter);
  const everything = place.filter.trim() === '' && !place.problemsOnly;
  const kept = everything
    ? [...all]
    : all.filter(row => {
        if (place.problemsOnly && !resource.isProblem(row, scene)) return false;
        const cells = () =>
          new Map(resource.columns.map(column => [column.title.toLowerCase(), column.text(row, scene)]));
        return matches(cells, () => resource.columns.map(column => column.text(row, scene)).join(' '));
      });
  const rows = sortRows(resource, scene, kept, place.sort ?? resource.sort);
  return { rows, ids: rows.map(row => resource.identity(row)), total: all.length };
}

function sortRows<Row>(resource: Resource<Row>, scene: Scene, rows: Row[], sort: Sort | null): Row[] {
  const column = sort && resource.columns.find(({ title }) => title === sort.column);
  if (!column?.order) return rows;
  const { order } = column;
  const sign = sort?.descending ? -1 : 1;
  if (isInOrder(rows, row => order(row, scene), sign)) return rows;
  const keyed = rows.map(row => ({ row, by: order(row, scene), id: resource.identity(row) }));
  keyed.sort((a, b) => (a.by === b.by ? compare(a.id, b.id) : sign * compare(a.by, b.by)));
  return keyed.map(({ row }) => row);
}

/** Strictly: with equal ones the names decide. Spares what is read in order the work of sorting it again and again. */
function isInOrder<Row>(rows: readonly Row[], order: (row: Row) => number | string, sign: number): boolean {
  let before: number | string | undefined;
  for (const row of rows) {
    const by = order(row);
    if (before !== undefined && sign * compare(before, by) >= 0) return false;
    before = by;
  }
  return true;
}

/** By code units: a collator is many times slower, and ids are no language. */
function compare(a: number | string, b: number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function drawTable<Row>(resource: Resource<Row>, scene: Scene, place: Place, area: Area): Line[] {
  const { rows, ids, total } = arrange(resource, scene, place);
  const widths = layoutColumns(resource.columns, area.width - GUTTER);
  const lines: Line[] = [
    titleLine(resource, scene, place, ids === null ? null : { shown: rows.length, total }, area.width),
    headLine(resource, place, widths, scene, area.width),
  ];
  if (ids === null) lines.push(unreadLine(scene, place.at, area.width));
  else if (rows.length === 0) {
    const why = total === 0 ? resource.empty : 'nothing matches; esc clears the filter';
    lines.push(blankLine(area.width), fitLine([[`  ${why}`, 'muted']], area.width, scene.glyphs.ellipsis));
  }
  const { offset, selected } = place.cursor;
  for (const row of rows.slice(offset, offset + Math.max(0, area.height - HEAD_ROWS))) {
    lines.push(rowLine(resource, scene, row, widths, resource.identity(row) === selected, area.width));
  }
  return fitLines(lines, area.width, area.height);
}

function titleLine<Row>(
  resource: Resource<Row>,
  { glyphs }: Scene,
  place: Place,
  counts: { shown: number; total: number } | null,
  width: number,
): Line {
  const sort = place.sort ?? resource.sort;
  const amount =
    counts === null
      ? glyphs.ellipsis
      : counts.shown === counts.total
        ? formatCount(counts.total)
        : `${formatCount(counts.shown)}/${formatCount(counts.total)}`;
  const left: Span[] = [[` ${cellText(resource.crumb(place.at))}`, 'strong'], [` ${amount}`]];
  if (place.filter !== '') left.push(['  /', 'muted'], [cellText(place.filter), 'accent']);
  if (place.problemsOnly) left.push(['  !problems', 'warn']);
  const right: Span[] = sort
    ? [[`sort ${sort.column}${sort.descending ? glyphs.descending : glyphs.ascending} `, 'muted']]
    : [];
  return spread(left, right, width, glyphs.ellipsis);
}

function headLine<Row>(
  resource: Resource<Row>,
  place: Place,
  widths: readonly number[],
  { glyphs }: Scene,
  width: number,
): Line {
  const sort = place.sort ?? resource.sort;
  const spans: Span[] = [[' '.repeat(GUTTER)]];
  resource.columns.forEach((column, index) => {
    const size = widths[index] as number;
    if (size === 0) return;
    const role: Role = column.title === sort?.column ? 'strong' : 'heading';
    spans.push([fitText(column.title, size, glyphs.ellipsis, column.align), role], [' '.repeat(COLUMN_GAP)]);
  });
  return fitLine(spans, width);
}

function rowLine<Row>(
  resource: Resource<Row>,
  scene: Scene,
  row: Row,
  widths: readonly number[],
  isSelected: boolean,
  width: number,
): Line {
  const { glyphs } = scene;
  const spans: Span[] = [[fitText(isSelected ? glyphs.pointer : '', GUTTER, '')]];
  resource.columns.forEach((column, index) => {
    const size = widths[index] as number;
    if (size === 0) return;
    const text = fitText(cellText(column.text(row, scene)), size, glyphs.ellipsis, column.align, column.cut);
    spans.push([text, column.role?.(row, scene)], [' '.repeat(COLUMN_GAP)]);
  });
  const line = fitLine(spans, width);
  return isSelected ? overall(line, 'selected') : line;
}
