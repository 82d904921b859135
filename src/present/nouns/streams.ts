/** What streams look like. */
import type { Retention, SinkSnapshot, StreamSnapshot } from '../../engine/index.ts';
import { type Column, ifSound, type Noun, soundness, stateColumn } from '../columns.ts';
import { formatAge, formatBytes, formatCount, formatDuration, formatTime } from '../human.ts';
import { lagText } from '../lag.ts';

const COLUMNS: readonly Column<StreamSnapshot>[] = [
  { header: 'STREAM', value: stream => stream.name },
  { header: 'LENGTH', value: stream => stream.length, text: ifSound(stream => String(stream.length)), align: 'right' },
  {
    header: 'SINKS',
    value: stream => stream.sinkCount,
    text: ifSound(stream => String(stream.sinkCount)),
    align: 'right',
  },
  {
    header: 'MAX-LAG',
    value: stream => stream.maxLag.count,
    text: stream => (stream.sinkCount === 0 ? '-' : lagText(stream.maxLag)),
    align: 'right',
  },
  {
    header: 'PENDING',
    value: stream => stream.maxPendingCount,
    text: ifSound(stream => String(stream.maxPendingCount)),
    align: 'right',
  },
  {
    header: 'DEAD',
    value: stream => stream.deadCount,
    text: ifSound(stream => String(stream.deadCount)),
    align: 'right',
  },
  {
    header: 'LAST',
    value: stream => stream.lastAtMs,
    text: (stream, { nowMs }) => (stream.lastAtMs === null ? '-' : formatAge(stream.lastAtMs, nowMs)),
    align: 'right',
  },
  {
    header: 'OLDEST-PENDING',
    value: stream => stream.oldestPendingMs,
    text: stream => (stream.oldestPendingMs === null ? '-' : formatDuration(stream.oldestPendingMs)),
    align: 'right',
    wide: true,
  },
  {
    header: 'PARTITIONS',
    value: stream => stream.partitions,
    text: stream => String(stream.partitions ?? '-'),
    align: 'right',
    wide: true,
  },
  { header: 'ADDED', value: stream => stream.addedTotal, align: 'right', wide: true },
  { header: 'FIRST-ID', value: stream => stream.firstId, wide: true },
  { header: 'LAST-ID', value: stream => stream.lastId, wide: true },
  {
    header: 'RETENTION',
    value: stream => (stream.mixedRetention ? 'mixed' : retentionText(stream.retention)),
    wide: true,
  },
  {
    header: 'EXPIRES',
    value: stream => stream.expiresAtMs,
    text: stream => (stream.expiresAtMs === null ? '-' : formatTime(stream.expiresAtMs)),
    wide: true,
  },
  // Behind the others: who reads CSV by position goes on.
  stateColumn(soundness),
  { header: 'BROKEN', value: stream => stream.broken, wide: true },
];

/** `1000 events, 64.0 KiB, 7d, reject`; null without limits. */
export function retentionText(retention: Retention | null | undefined): string | null {
  if (!retention) return null;
  const { maxLength, maxBytes, maxAgeMs, ttlMs, ttlMode, onFull } = retention;
  const parts = [
    maxLength > 0 ? formatCount(maxLength, 'event') : '',
    maxBytes > 0 ? formatBytes(maxBytes) : '',
    maxAgeMs > 0 ? formatDuration(maxAgeMs) : '',
    ttlMs > 0 ? `ttl ${formatDuration(ttlMs)}${ttlMode === 'sliding' ? ' sliding' : ''}` : '',
    onFull === 'reject' ? 'reject' : 'drop-oldest',
  ];
  return parts.filter(part => part !== '').join(', ');
}

export const streamNoun: Noun<StreamSnapshot> = { kind: 'Stream', columns: COLUMNS };

/** One stream with its sinks: in `sinks` of JSON, and a table of their own for people. */
export const streamDetailNoun: Noun<StreamSnapshot & { sinks: SinkSnapshot[] }> = { kind: 'Stream', columns: COLUMNS };

export interface RetentionRow {
  stream: string;
  retention: Retention | null;
  /** What was over the limits. */
  removedCount: number;
  lost: Record<string, number>;
}

export const retentionNoun: Noun<RetentionRow> = {
  kind: 'Retention',
  columns: [
    { header: 'STREAM', value: row => row.stream },
    { header: 'RETENTION', value: row => retentionText(row.retention) },
    { header: 'REMOVED', value: row => row.removedCount, align: 'right' },
    { header: 'LOST', value: row => Object.values(row.lost).reduce((sum, count) => sum + count, 0), align: 'right' },
  ],
};

export interface TrimRow {
  stream: string;
  removedCount: number;
  /** Events that a sink had not acknowledged, by sink. */
  lost: Record<string, number>;
}

export const trimNoun: Noun<TrimRow> = {
  kind: 'Trim',
  columns: [
    { header: 'STREAM', value: row => row.stream },
    { header: 'REMOVED', value: row => row.removedCount, align: 'right' },
    { header: 'LOST', value: row => Object.values(row.lost).reduce((sum, count) => sum + count, 0), align: 'right' },
  ],
};
