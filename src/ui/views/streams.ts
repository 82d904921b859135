import { cliCommand } from '../cli-command.ts';
import type { FleetSnapshot, Rate, StreamSnapshot } from '../model.ts';
import type { Column } from '../table/table.ts';
import { tableView } from '../table/table.ts';
import { formatCount, formatDuration, formatRate } from '../text/format.ts';
import { sparkLines } from '../text/spark.ts';
import type { Item } from '../view.ts';

export const streamColumns: readonly Column<StreamSnapshot>[] = [
  {
    title: 'STREAM',
    min: 10,
    ideal: 20,
    grow: 1,
    priority: 99,
    cut: 'middle',
    text: stream => stream.name,
    order: stream => stream.name,
  },
  {
    title: 'LENGTH',
    min: 7,
    ideal: 9,
    priority: 80,
    align: 'right',
    text: stream => (stream.broken === null ? formatCount(stream.length) : 'BROKEN'),
    role: stream => (stream.broken === null ? undefined : 'bad'),
    order: stream => stream.length,
  },
  {
    title: 'SINKS',
    min: 5,
    ideal: 5,
    priority: 60,
    align: 'right',
    text: (stream, { glyphs }) => (stream.broken === null ? formatCount(stream.sinkCount) : glyphs.none),
    order: stream => stream.sinkCount,
  },
  {
    title: 'LAG',
    min: 6,
    ideal: 7,
    priority: 95,
    align: 'right',
    text: stream => lagText(stream.maxLag, stream.sinkCount),
    role: stream => ((stream.maxLag.count ?? 0) >= 1000 ? 'warn' : undefined),
    order: stream => stream.maxLag.count ?? -1,
  },
  {
    title: 'OLDEST',
    min: 6,
    ideal: 6,
    priority: 70,
    align: 'right',
    text: (stream, { glyphs }) =>
      stream.oldestPendingMs === null ? glyphs.none : formatDuration(stream.oldestPendingMs),
    role: stream => ((stream.oldestPendingMs ?? 0) >= 60_000 ? 'warn' : undefined),
    order: stream => stream.oldestPendingMs ?? -1,
  },
  {
    title: 'DEAD',
    min: 5,
    ideal: 5,
    priority: 50,
    align: 'right',
    text: (stream, { glyphs }) => (stream.broken === null ? formatCount(stream.deadCount) : glyphs.none),
    role: stream => (stream.deadCount > 0 ? 'bad' : undefined),
    order: stream => stream.deadCount,
  },
  {
    title: 'ADD/S',
    min: 6,
    ideal: 6,
    priority: 90,
    align: 'right',
    text: (stream, { snapshot }) => formatRate(rateOf(stream, snapshot)?.perSecond ?? null),
    order: (stream, { snapshot }) => rateOf(stream, snapshot)?.perSecond ?? -1,
  },
  {
    title: '60S',
    min: 10,
    ideal: 10,
    priority: 40,
    text: (stream, scene) =>
      sparkLines(rateOf(stream, scene.snapshot)?.history ?? [], 10, 1, scene.glyphs.bars)[0] ?? '',
    role: () => 'bar',
  },
];

export const streamsView = tableView<StreamSnapshot>({
  id: 'streams',
  noun: 'stream',
  crumb: () => 'streams',
  rows: snapshot => snapshot.streams,
  identity: stream => stream.name,
  empty: 'no stream; the first event makes one: ponos stream publish STREAM EVENT',
  sort: { column: 'LAG', descending: true },
  columns: [
    ...streamColumns,
    {
      title: 'PENDING',
      min: 7,
      ideal: 8,
      priority: 35,
      align: 'right',
      text: stream => formatCount(stream.maxPendingCount),
      order: stream => stream.maxPendingCount,
    },
    {
      title: 'LAST',
      min: 6,
      ideal: 7,
      priority: 30,
      align: 'right',
      text: (stream, { nowMs, glyphs }) =>
        stream.lastAtMs === null ? glyphs.none : formatDuration(nowMs - stream.lastAtMs),
      order: stream => -(stream.lastAtMs ?? 0),
    },
  ],
  isProblem: stream =>
    stream.broken !== null ||
    stream.deadCount > 0 ||
    (stream.maxLag.count ?? 0) >= 1000 ||
    (stream.oldestPendingMs ?? 0) >= 60_000,
  item: streamItem,
  command: () => cliCommand('stream', 'list'),
  focus: () => ({ view: 'streams' }),
});

export function streamItem(stream: StreamSnapshot): Item {
  return {
    noun: 'stream',
    name: stream.name,
    open: { view: 'sinks', stream: stream.name },
    tail: { view: 'tail', stream: stream.name },
    command: cliCommand('stream', 'show', [stream.name]),
    offers: [],
    ...(stream.broken === null ? {} : { note: stream.broken }),
  };
}

/** `?` when Redis cannot know, `~n` when it is an estimate: never 0 for either. */
export function lagText(lag: { count: number | null; exact: boolean }, sinkCount = 1): string {
  if (sinkCount === 0) return '-';
  if (lag.count === null) return '?';
  return `${lag.exact ? '' : '~'}${formatCount(lag.count)}`;
}

function rateOf(stream: StreamSnapshot, snapshot: FleetSnapshot): Rate | undefined {
  return snapshot.rates.get(`stream:${stream.name}`);
}
