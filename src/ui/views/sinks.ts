import { cliCommand } from '../cli-command.ts';
import type { PendingSnapshot, SinkSnapshot } from '../model.ts';
import { tableView } from '../table/table.ts';
import { formatCount, formatDuration } from '../text/format.ts';
import { lagText } from './streams.ts';

export const sinksView = tableView<SinkSnapshot>({
  id: 'sinks',
  noun: 'sink',
  crumb: at => `sinks(${at.stream})`,
  rows: (snapshot, at) => snapshot.sinks.get(at.stream ?? '') ?? null,
  identity: sink => sink.name,
  empty: 'no sink reads this stream',
  sort: { column: 'LAG', descending: true },
  columns: [
    {
      title: 'SINK',
      min: 10,
      ideal: 20,
      grow: 1,
      priority: 99,
      cut: 'middle',
      text: sink => sink.name,
      order: sink => sink.name,
    },
    number(
      'CONSUMERS',
      9,
      65,
      sink => sink.consumerCount,
      sink => sink.consumerCount === 0,
    ),
    {
      title: 'LAG',
      min: 7,
      ideal: 8,
      priority: 95,
      align: 'right',
      text: sink => lagText(sink.lag),
      role: sink => ((sink.lag.count ?? 0) >= 1000 ? 'warn' : undefined),
      order: sink => sink.lag.count ?? -1,
    },
    number('PENDING', 7, 90, sink => sink.pendingCount),
    {
      title: 'OLDEST',
      min: 6,
      ideal: 6,
      priority: 85,
      align: 'right',
      text: (sink, { glyphs }) => (sink.oldestPendingMs === null ? glyphs.none : formatDuration(sink.oldestPendingMs)),
      order: sink => sink.oldestPendingMs ?? -1,
    },
    number(
      'DEAD',
      5,
      80,
      sink => sink.deadCount,
      sink => sink.deadCount > 0,
    ),
    number('AGAIN', 6, 50, sink => sink.redeliveredTotal),
    number('FILTERED', 8, 40, sink => sink.filteredTotal),
    number(
      'LOST',
      5,
      60,
      sink => sink.lostTotal,
      sink => sink.lostTotal > 0,
    ),
    { title: 'LAST DELIVERED', min: 16, ideal: 20, priority: 20, text: sink => sink.lastDeliveredId },
  ],
  isProblem: sink =>
    sink.deadCount > 0 || sink.lostTotal > 0 || (sink.lag.count ?? 0) >= 1000 || sink.consumerCount === 0,
  item: sink => ({
    noun: 'sink',
    name: sink.name,
    open: { view: 'pending', stream: sink.stream, sink: sink.name },
    tail: { view: 'tail', stream: sink.stream },
    command: cliCommand('sink', 'show', [sink.stream, sink.name]),
    offers: [],
  }),
  command: at => cliCommand('sink', 'list', at.stream ? [at.stream] : []),
  focus: ({ at }) => ({ view: 'sinks', stream: at.stream ?? '' }),
});

export const pendingView = tableView<PendingSnapshot>({
  id: 'pending',
  noun: 'pending event',
  crumb: at => `pending(${at.sink})`,
  rows: ({ pending }, at) =>
    pending?.stream === at.stream && pending?.sink === at.sink ? (pending?.rows ?? null) : null,
  identity: pending => pending.id,
  empty: 'nothing is pending: every event taken was acknowledged',
  sort: { column: 'IDLE', descending: true },
  columns: [
    {
      title: 'ID',
      min: 16,
      ideal: 22,
      grow: 1,
      priority: 99,
      text: pending => pending.id,
      order: pending => pending.id,
    },
    {
      title: 'CONSUMER',
      min: 12,
      ideal: 24,
      grow: 2,
      priority: 80,
      cut: 'middle',
      text: pending => pending.consumer,
      order: pending => pending.consumer,
    },
    {
      title: 'IDLE',
      min: 6,
      ideal: 7,
      priority: 90,
      align: 'right',
      text: pending => formatDuration(pending.idleMs),
      order: pending => pending.idleMs,
    },
    {
      title: 'DELIVERIES',
      min: 10,
      ideal: 10,
      priority: 70,
      align: 'right',
      text: pending => formatCount(pending.deliveryCount),
      role: pending => (pending.deliveryCount > 1 ? 'warn' : undefined),
      order: pending => pending.deliveryCount,
    },
  ],
  isProblem: pending => pending.deliveryCount > 1,
  item: (pending, _scene, at) => ({
    noun: 'pending event',
    name: pending.id,
    command: cliCommand('sink', 'pending', [at.stream ?? '', at.sink ?? '']),
    offers: [],
  }),
  command: at => cliCommand('sink', 'pending', [at.stream ?? '', at.sink ?? '']),
  focus: ({ at }) => ({ view: 'pending', stream: at.stream ?? '', sink: at.sink ?? '' }),
});

function number(
  title: string,
  width: number,
  priority: number,
  value: (sink: SinkSnapshot) => number,
  isBad?: (sink: SinkSnapshot) => boolean,
) {
  return {
    title,
    min: width,
    ideal: width + 1,
    priority,
    align: 'right' as const,
    text: (sink: SinkSnapshot) => formatCount(value(sink)),
    role: (sink: SinkSnapshot) => (isBad?.(sink) ? ('bad' as const) : undefined),
    order: value,
  };
}
