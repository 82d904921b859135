/** The whole fleet on one screen: pools, streams by lag, what is wrong, and how fast it goes. */
import { cliCommand } from '../cli-command.ts';
import { parseFilter } from '../filter.ts';
import type { Finding, FleetSnapshot, PoolSnapshot, StreamSnapshot } from '../model.ts';
import { blankLine, fitLine, fitLines, type Line, overall, type Span, spread } from '../paint/line.ts';
import type { Role } from '../paint/theme.ts';
import { COLUMN_GAP, layoutColumns } from '../table/columns.ts';
import type { Column } from '../table/table.ts';
import { unreadLine } from '../table/unread.ts';
import { cellText, fitText } from '../text/cell.ts';
import { formatBytes, formatCount, formatRate } from '../text/format.ts';
import { sparkLines } from '../text/spark.ts';
import { textWidth } from '../text/width.ts';
import type { Area, Item, Listing, Location, Place, Scene, View } from '../view.ts';
import { showState, stateRole } from './states.ts';
import { streamColumns, streamItem } from './streams.ts';

const poolColumns: readonly Column<PoolSnapshot>[] = [
  { title: 'POOLS', min: 10, ideal: 20, grow: 1, priority: 99, cut: 'middle', text: pool => pool.name },
  count('NODES', 30, pool => pool.nodeCount),
  count('WORKERS', 70, pool => pool.workerCount),
  count('JOBS', 90, pool => pool.jobCount),
  count('QUEUED', 80, pool => pool.queuedCount),
  count('DEAD', 60, pool => pool.deadCount, 'bad'),
  {
    title: 'JOBS/S',
    min: 6,
    ideal: 6,
    priority: 50,
    align: 'right',
    text: (pool, { snapshot }) => formatRate(snapshot.rates.get(`pool:${pool.name}`)?.perSecond ?? null),
  },
  {
    title: 'STATE',
    min: 12,
    ideal: 12,
    priority: 95,
    text: (pool, scene) => showState(pool.state, scene),
    role: pool => stateRole(pool.state),
  },
];

interface Entry {
  id: string;
  section: 'pools' | 'streams' | 'findings';
  item: Item;
  text: string;
  isProblem: boolean;
}

export const overviewView: View = {
  id: 'overview',
  crumb: () => 'overview',
  sorts: [],
  defaultSort: null,
  command: () => cliCommand('pool', 'list'),
  focus: () => ({ view: 'overview' }),
  pageRows: area => Math.max(1, Math.floor(area.height / 3)),
  list: (scene, place): Listing => {
    const { snapshot } = scene;
    const entries = entriesOf(snapshot, place);
    const known = snapshot.pools !== null || snapshot.streams !== null;
    return {
      ids: known ? entries.map(entry => entry.id) : null,
      total: entries.length,
      item: index => entries[index]?.item,
    };
  },
  draw,
};

function entriesOf(snapshot: FleetSnapshot, { filter, problemsOnly }: Place): Entry[] {
  const entries: Entry[] = [
    ...(snapshot.pools ?? []).map(poolEntry),
    ...byLag(snapshot.streams ?? []).map(streamEntry),
    ...snapshot.findings.map(findingEntry),
  ];
  const { matches } = parseFilter(filter);
  return entries.filter(
    entry =>
      (!problemsOnly || entry.isProblem) &&
      matches(
        () => new Map(),
        () => entry.text,
      ),
  );
}

function poolEntry(pool: PoolSnapshot): Entry {
  return {
    id: `pool:${pool.name}`,
    section: 'pools',
    text: `${pool.name} ${pool.state}`,
    isProblem: pool.state !== 'OK' && pool.state !== 'IDLE',
    item: {
      noun: 'pool',
      name: pool.name,
      open: { view: 'workers', pool: pool.name },
      command: cliCommand('pool', 'show', [pool.name]),
      offers: [],
    },
  };
}

function streamEntry(stream: StreamSnapshot): Entry {
  return {
    id: `stream:${stream.name}`,
    section: 'streams',
    text: stream.name,
    isProblem: stream.broken !== null || stream.deadCount > 0 || (stream.maxLag.count ?? 0) >= 1000,
    item: streamItem(stream),
  };
}

function findingEntry(finding: Finding): Entry {
  const { subject } = finding;
  const open = openOf(subject);
  return {
    id: `finding:${finding.code}:${subject.kind}:${subject.pool ?? ''}:${subject.name}`,
    section: 'findings',
    text: `${finding.code} ${subject.name} ${finding.message}`,
    isProblem: true,
    item: {
      noun: subject.kind,
      name: subject.name,
      ...(open ? { open } : {}),
      command: finding.command ?? '',
      offers: [],
      note: finding.message,
    },
  };
}

function openOf({ kind, name, pool }: Finding['subject']): Location | undefined {
  switch (kind) {
    case 'pool':
      return { view: 'workers', pool: name };
    case 'worker':
      return { view: 'jobs', pool: pool ?? '', worker: name };
    case 'job':
      return { view: 'job', pool: pool ?? '', key: name };
    case 'stream':
    case 'sink':
      return { view: 'sinks', stream: name };
    case 'map':
      return { view: 'entries', map: name };
    case 'server':
      return undefined;
  }
}

function byLag(streams: readonly StreamSnapshot[]): StreamSnapshot[] {
  return [...streams].sort(
    (a, b) =>
      (b.maxLag.count ?? 0) - (a.maxLag.count ?? 0) || b.addedTotal - a.addedTotal || (a.name < b.name ? -1 : 1),
  );
}

function draw(scene: Scene, place: Place, area: Area): Line[] {
  const { snapshot } = scene;
  if (snapshot.pools === null && snapshot.streams === null) {
    return fitLines([unreadLine(scene, place.at, area.width)], area.width, area.height);
  }
  const shown = new Set(entriesOf(snapshot, place).map(entry => entry.id));
  const selected = place.cursor.selected;
  const pools = (snapshot.pools ?? []).filter(pool => shown.has(`pool:${pool.name}`));
  const streams = byLag(snapshot.streams ?? []).filter(stream => shown.has(`stream:${stream.name}`));
  const findings = snapshot.findings
    .map(finding => ({ finding, id: findingEntry(finding).id }))
    .filter(({ id }) => shown.has(id));
  const poolTable = table(scene, poolColumns, pools, pool => `pool:${pool.name}`, selected, area.width);
  const streamTable = table(
    scene,
    streamColumns.map(column => (column.title === 'STREAM' ? { ...column, title: 'STREAMS' } : column)),
    streams,
    stream => `stream:${stream.name}`,
    selected,
    area.width,
  );
  const nameWidth = Math.min(
    Math.max(10, Math.floor(area.width / 4)),
    Math.max(0, ...findings.map(({ finding }) => textWidth(nameOf(finding)))),
  );
  const health: Part = {
    heading: hidden =>
      spread(healthHeading(snapshot, scene, area.width), moreSpans(hidden), area.width, scene.glyphs.ellipsis),
    rows: findings.map(({ finding, id }) => findingLine(finding, id === selected, nameWidth, scene, area.width)),
    selected: findings.findIndex(({ id }) => id === selected),
  };
  const empty: Line = [['  none yet; see it move with: ponos demo', 'muted']];
  if (poolTable.rows.length === 0 && streamTable.rows.length === 0) poolTable.rows = [fitLine(empty, area.width)];
  return compose(scene, [poolTable, streamTable, health], area);
}

interface Part {
  /** Says how many rows there was no room for. */
  heading: (hidden: number) => Line;
  rows: readonly Line[];
  /** Row that has to be seen, or -1. */
  selected: number;
}

const MOST_CHART_ROWS = 14;

/** Shares the height: every part gets some, those with less leave theirs to the others, the rest draws throughput. */
function compose(scene: Scene, parts: readonly Part[], area: Area): Line[] {
  const used = parts.filter(part => part.rows.length > 0 || part === parts[2]);
  const gap = area.height >= 14 ? 1 : 0;
  const chartRoom = area.height >= 16 ? 3 : 0;
  const room = area.height - chartRoom - used.length * (1 + gap);
  const heights = share(
    used.map(part => part.rows.length),
    room,
  );
  const lines: Line[] = [];
  used.forEach((part, index) => {
    const height = heights[index] as number;
    const first = Math.max(0, Math.min(part.selected - height + 1, part.rows.length - height));
    const hidden = part.rows.length - height;
    lines.push(part.heading(hidden));
    lines.push(...part.rows.slice(part.selected < 0 ? 0 : first, (part.selected < 0 ? 0 : first) + height));
    if (gap) lines.push(blankLine(area.width));
  });
  const left = area.height - lines.length;
  if (left >= 2) lines.push(...throughput(scene, { width: area.width, height: Math.min(left, MOST_CHART_ROWS) }));
  return fitLines(lines, area.width, area.height);
}

/** What each asks for, cut so that the sum is at most `room`: the small ones whole, the big ones equally. */
export function share(wanted: readonly number[], room: number): number[] {
  const given = wanted.map(() => 0);
  let left = Math.max(0, room);
  while (left > 0) {
    const open = wanted.flatMap((want, index) => (want > (given[index] as number) ? [index] : []));
    if (open.length === 0) break;
    for (const index of open) {
      if (left === 0) break;
      given[index] = (given[index] as number) + 1;
      left--;
    }
  }
  return given;
}

function table<Row>(
  scene: Scene,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  id: (row: Row) => string,
  selected: string | null,
  width: number,
): Part & { rows: Line[] } {
  const widths = layoutColumns(columns, width - 2);
  const cells = (lead: string, cell: (column: Column<Row>) => Span) => {
    const spans: Span[] = [[fitText(lead, 2, '')]];
    columns.forEach((column, index) => {
      const size = widths[index] as number;
      if (size === 0) return;
      const [text, role] = cell(column);
      spans.push(
        [fitText(text, size, scene.glyphs.ellipsis, column.align, column.cut), role],
        [' '.repeat(COLUMN_GAP)],
      );
    });
    return fitLine(spans, width);
  };
  // In the column of the names, where there is room: at the right it would hide the head of the last column.
  const heading = (hidden: number) =>
    strongFirst(
      cells(' ', column => {
        const isFirst = column === columns[0];
        return [isFirst ? titleWith(hidden, column.title, widths[0] as number) : column.title, 'heading'];
      }),
    );
  return {
    heading,
    rows: rows.map(row => {
      const isSelected = id(row) === selected;
      const line = cells(isSelected ? scene.glyphs.pointer : ' ', column => [
        cellText(column.text(row, scene)),
        column.role?.(row, scene),
      ]);
      return isSelected ? overall(line, 'selected') : line;
    }),
    selected: rows.findIndex(row => id(row) === selected),
  };
}

function titleWith(hidden: number, title: string, width: number): string {
  if (hidden <= 0) return title;
  const whole = `${title}  +${hidden} more`;
  return textWidth(whole) <= width ? whole : `${title} +${hidden}`;
}

function moreSpans(hidden: number): Line {
  return hidden > 0 ? [[`  +${hidden} more `, 'muted']] : [];
}

/** The first head names the part. It begins one cell further left than its column. */
function strongFirst(line: Line): Line {
  return line.map((span, index) => (index === 1 ? [span[0], 'strong'] : span));
}

function healthHeading(snapshot: FleetSnapshot, { glyphs }: Scene, width: number): Line {
  const { server } = snapshot;
  const facts = server
    ? [
        `memory ${formatBytes(server.usedMemoryBytes)}${server.maxMemoryBytes === null ? '' : `/${formatBytes(server.maxMemoryBytes)}`}`,
        `${formatCount(server.clientCount)} clients`,
        server.persistence === 'none' ? 'no persistence' : server.persistence,
        cellText(server.evictionPolicy),
      ].join(` ${glyphs.dot} `)
    : '';
  const count = snapshot.findings.length;
  const state: Span =
    count === 0 ? [`${glyphs.ok} nothing is wrong`, 'ok'] : [`${count} finding${count === 1 ? '' : 's'}`, 'plain'];
  return fitLine([['  '], ['HEALTH  ', 'strong'], state, [`   ${facts}`, 'muted']], width, glyphs.ellipsis);
}

/** Of a server the scheme says nothing. */
function nameOf({ subject }: Finding): string {
  return cellText(subject.kind === 'server' ? subject.name.replace(/^\w+:\/\//, '') : subject.name);
}

const MESSAGE_BESIDE_COMMAND = 110;

function findingLine(finding: Finding, isSelected: boolean, nameWidth: number, scene: Scene, width: number): Line {
  const { glyphs } = scene;
  const role: Role = finding.severity === 'critical' ? 'bad' : 'warn';
  const { subject } = finding;
  const name = fitText(nameOf(finding), nameWidth, glyphs.ellipsis, 'left', 'middle');
  const left: Span[] = [
    [fitText(isSelected ? glyphs.pointer : ' ', 2, '')],
    [finding.severity === 'critical' ? glyphs.bad : glyphs.warn, role],
    [` ${fitText(subject.kind, 6, '')} `, 'muted'],
    [name, 'strong'],
    [`  ${cellText(finding.message)}`],
  ];
  const command = finding.command === null || width < MESSAGE_BESIDE_COMMAND ? '' : `  ${cellText(finding.command)} `;
  const line = spread(left, [[command, 'muted']], width, glyphs.ellipsis);
  return isSelected ? overall(line, 'selected') : line;
}

function throughput({ snapshot, glyphs }: Scene, area: Area): Line[] {
  const jobs = total(snapshot, 'pool:');
  const events = total(snapshot, 'stream:');
  const both = area.height >= 4;
  // A chart of nothing needs no height.
  const upper = peak(jobs) === 0 ? 2 : peak(events) === 0 ? area.height - 2 : Math.floor(area.height / 2);
  const parts = both
    ? [chart('jobs started/s', jobs, upper), chart('events added/s', events, area.height - upper)]
    : [chart(peak(jobs) > 0 ? 'jobs started/s' : 'events added/s', peak(jobs) > 0 ? jobs : events, area.height)];
  return parts.flat();

  function chart(name: string, rate: { history: number[]; perSecond: number | null }, height: number): Line[] {
    const heading: Line = fitLine(
      [
        ['  '],
        [`THROUGHPUT  `, 'strong'],
        [`${name}, last 60s`, 'muted'],
        [`   now ${formatRate(rate.perSecond)}  max ${formatRate(peak(rate))}`],
      ],
      area.width,
    );
    const rows = sparkLines(rate.history, Math.max(10, area.width - 4), Math.max(1, height - 1), glyphs.bars);
    return [heading, ...rows.map((row): Line => [['  '], [row, 'bar'], ['  ']])];
  }
}

function peak(rate: { history: readonly number[] }): number {
  return Math.max(0, ...rate.history);
}

/** The sum of all rates of a kind, aligned at their newest second. */
function total(snapshot: FleetSnapshot, kind: string): { history: number[]; perSecond: number | null } {
  const rates = [...snapshot.rates].filter(([name]) => name.startsWith(kind)).map(([, rate]) => rate);
  const length = Math.max(0, ...rates.map(rate => rate.history.length));
  const history = Array.from({ length }, (_, index) =>
    rates.reduce((sum, rate) => sum + (rate.history[rate.history.length - length + index] ?? 0), 0),
  );
  const known = rates.filter(rate => rate.perSecond !== null);
  return {
    history,
    perSecond: known.length === 0 ? null : known.reduce((sum, rate) => sum + (rate.perSecond ?? 0), 0),
  };
}

function count(
  title: string,
  priority: number,
  value: (pool: PoolSnapshot) => number,
  roleWhenAny?: Role,
): Column<PoolSnapshot> {
  return {
    title,
    min: Math.max(5, title.length),
    ideal: Math.max(7, title.length),
    priority,
    align: 'right',
    text: pool => formatCount(value(pool)),
    role: pool => (roleWhenAny && value(pool) > 0 ? roleWhenAny : undefined),
  };
}
