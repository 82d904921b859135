/** What sinks, their consumers and their pending events look like. */
import type { PendingSnapshot, ResetPlan, SinkSnapshot } from '../../engine/index.ts';
import { type Column, type Noun, stateColumn } from '../columns.ts';
import { formatDuration, formatTime } from '../human.ts';
import { lagText } from '../lag.ts';

const COLUMNS: readonly Column<SinkSnapshot>[] = [
  { header: 'SINK', value: sink => sink.name },
  { header: 'STREAM', value: sink => sink.stream },
  { header: 'CONSUMERS', value: sink => sink.consumerCount, align: 'right' },
  { header: 'LAG', value: sink => sink.lag.count, text: sink => lagText(sink.lag), align: 'right' },
  { header: 'PENDING', value: sink => sink.pendingCount, align: 'right' },
  {
    header: 'OLDEST-PENDING',
    value: sink => sink.oldestPendingMs,
    text: sink => (sink.oldestPendingMs === null ? '-' : formatDuration(sink.oldestPendingMs)),
    align: 'right',
  },
  { header: 'DEAD', value: sink => sink.deadCount, align: 'right' },
  { header: 'LOST', value: sink => sink.lostTotal, align: 'right' },
  { header: 'REDELIVERED', value: sink => sink.redeliveredTotal, align: 'right', wide: true },
  { header: 'FILTERED', value: sink => sink.filteredTotal, align: 'right', wide: true },
  { header: 'LAST-DELIVERED', value: sink => sink.lastDeliveredId, wide: true },
  {
    header: 'ATTENDED',
    value: sink => sink.attendedAtMs,
    text: sink => (sink.attendedAtMs === null ? '-' : formatTime(sink.attendedAtMs)),
    wide: true,
  },
];

export const sinkNoun: Noun<SinkSnapshot> = { kind: 'Sink', columns: COLUMNS };

export const consumerNoun: Noun<SinkSnapshot['consumers'][number]> = {
  kind: 'Consumer',
  columns: [
    { header: 'CONSUMER', value: consumer => consumer.name },
    stateColumn(consumer => (consumer.alive ? 'ALIVE' : 'STALE')),
    { header: 'PENDING', value: consumer => consumer.pendingCount, align: 'right' },
    {
      header: 'IDLE',
      value: consumer => consumer.idleMs,
      text: consumer => formatDuration(consumer.idleMs),
      align: 'right',
    },
  ],
};

export const pendingNoun: Noun<PendingSnapshot> = {
  kind: 'PendingEvent',
  columns: [
    { header: 'ID', value: pending => pending.id },
    { header: 'CONSUMER', value: pending => pending.consumer },
    {
      header: 'IDLE',
      value: pending => pending.idleMs,
      text: pending => formatDuration(pending.idleMs),
      align: 'right',
    },
    { header: 'DELIVERIES', value: pending => pending.deliveryCount, align: 'right' },
  ],
};

/** What a reset does, or did. */
export const resetNoun: Noun<ResetPlan> = {
  kind: 'SinkReset',
  columns: [
    { header: 'TO', value: row => row.toId },
    { header: 'FROM', value: row => row.fromId },
    { header: 'AGAIN', value: row => row.againCount, text: row => estimated(row.againCount, row), align: 'right' },
    {
      header: 'SKIPPED',
      value: row => row.skippedCount,
      text: row => estimated(row.skippedCount, row),
      align: 'right',
    },
    { header: 'PENDING-LOST', value: row => row.pendingDroppedCount, align: 'right' },
    { header: 'PENDING-KEPT', value: row => row.pendingKeptCount, align: 'right' },
  ],
};

function estimated(count: number, { exact }: ResetPlan): string {
  return lagText({ count, exact });
}
