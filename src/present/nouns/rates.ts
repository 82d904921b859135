/** How many events came to a stream in a second. */
import type { Noun } from '../columns.ts';
import { formatBytes, formatTime } from '../human.ts';

export interface RateRow {
  stream: string;
  atMs: number;
  /** Since the line before. */
  eventCount: number;
  eventsPerSecond: number;
  bytesPerSecond: number;
  /** Since the beginning. */
  totalCount: number;
}

export const rateNoun: Noun<RateRow> = {
  kind: 'Rate',
  columns: [
    { header: 'STREAM', value: row => row.stream },
    { header: 'TIME', value: row => formatTime(row.atMs) },
    { header: 'EVENTS/S', value: row => row.eventsPerSecond },
    { header: 'BYTES/S', value: row => row.bytesPerSecond },
    { header: 'TOTAL', value: row => row.totalCount },
  ],
  line: ({ stream, atMs, eventsPerSecond, bytesPerSecond, totalCount }) =>
    [
      formatTime(atMs),
      stream,
      `${eventsPerSecond.toFixed(1)}/s`.padStart(12),
      `${formatBytes(bytesPerSecond)}/s`.padStart(14),
      `${totalCount} in all`,
    ].join('  '),
};
