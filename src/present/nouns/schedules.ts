/** What schedules and tickers look like. */
import type { ScheduleDetail, ScheduleSnapshot } from '../../engine/index.ts';
import { type Column, type Noun, stateColumn } from '../columns.ts';
import { blobFields } from '../envelope.ts';
import { formatAge, formatBytes, formatDuration, formatTime, formatZonedTime } from '../human.ts';

const time = (header: string, value: (row: ScheduleSnapshot) => number | null): Column<ScheduleSnapshot> => ({
  header,
  value,
  text: row => timeText(value(row)),
});

const WHEN: Column<ScheduleSnapshot> = { header: 'WHEN', value: whenText };
const FIRED: Column<ScheduleSnapshot> = { header: 'FIRED', value: row => row.firedCount, align: 'right' };
const MISFIRE: Column<ScheduleSnapshot> = {
  header: 'MISFIRE',
  value: row => row.misfire,
  text: row => (row.misfire === 'all' ? `all, at most ${row.maxMisfires}` : row.misfire),
};
const OCCUPIED: Column<ScheduleSnapshot> = { header: 'OCCUPIED', value: row => row.occupiedCount, align: 'right' };
const MISFIRES: Column<ScheduleSnapshot> = { header: 'MISFIRES', value: row => row.misfireCount, align: 'right' };

export const scheduleNoun: Noun<ScheduleSnapshot> = {
  kind: 'Schedule',
  columns: [
    { header: 'SCHEDULE', value: row => row.name },
    stateColumn(row => row.state),
    WHEN,
    {
      header: 'NEXT',
      value: row => row.nextAtMs,
      text: (row, { nowMs }) => (row.nextAtMs === null ? '-' : untilText(row.nextAtMs, nowMs)),
      align: 'right',
    },
    {
      header: 'LAST',
      value: row => row.lastTickAtMs,
      text: (row, { nowMs }) => (row.lastTickAtMs === null ? '-' : formatAge(row.lastTickAtMs, nowMs)),
      align: 'right',
    },
    { header: 'KEY', value: row => row.key, text: keyText },
    FIRED,
    { ...OCCUPIED, wide: true },
    { ...MISFIRES, wide: true },
    { ...MISFIRE, wide: true },
    { header: 'NEXT-LOCAL', value: localNext, wide: true },
    { header: 'ERROR', value: row => row.error, wide: true },
  ],
};

/** One schedule: its next tick here, where it is at home, and in UTC. */
export const scheduleDetailNoun: Noun<ScheduleDetail> = {
  kind: 'Schedule',
  columns: [
    { header: 'SCHEDULE', value: row => row.name },
    stateColumn(row => row.state),
    { header: 'POOL', value: row => row.pool },
    WHEN,
    {
      header: 'NEXT',
      value: row => row.nextAtMs,
      text: (row, { nowMs }) =>
        row.nextAtMs === null ? '-' : `${timeText(row.nextAtMs)} (${untilText(row.nextAtMs, nowMs)})`,
    },
    { header: 'NEXT-LOCAL', value: localNext },
    time('LAST', row => row.lastTickAtMs),
    FIRED,
    OCCUPIED,
    MISFIRES,
    MISFIRE,
    { header: 'TOLERANCE', value: row => row.toleranceMs, text: row => formatDuration(row.toleranceMs) },
    { header: 'KEY', value: row => row.key, text: keyText },
    { header: 'ATTEMPTS', value: row => row.maxAttempts, text: attemptsText },
    { header: 'SIZE', value: row => row.payloadBytes, text: row => formatBytes(row.payloadBytes) },
    {
      header: 'PAYLOAD',
      value: row => row.payload.data,
      text: row => (row.payload.encoding === 'base64' ? `base64 ${row.payload.data}` : row.payload.data || '-'),
    },
    { header: 'RUNS-ON', value: row => row.holder },
    { header: 'FAILURES', value: row => row.failureCount, align: 'right' },
    { header: 'ERROR', value: row => row.error },
    time('FAILED', row => row.failedAtMs),
    time('CREATED', row => row.createdAtMs),
  ],
  item: ({ payload, ...schedule }) => ({ ...schedule, ...blobFields('payload', payload) }),
  raw: row => Buffer.from(row.payload.data, row.payload.encoding),
};

function whenText({ cron, timeZone, everyMs }: ScheduleSnapshot): string {
  return cron === null ? `every ${formatDuration(everyMs ?? 0)}` : `${cron} ${timeZone}`;
}

function keyText(row: ScheduleSnapshot): string {
  return row.key ?? '(ticker)';
}

function attemptsText(row: ScheduleSnapshot): string {
  if (row.kind === 'ticker') return '-';
  return row.maxAttempts === 0 ? 'unlimited' : String(row.maxAttempts);
}

function timeText(ms: number | null): string {
  return ms === null ? '-' : formatTime(ms);
}

function untilText(atMs: number, nowMs: number): string {
  return atMs <= nowMs ? 'now' : `in ${formatDuration(atMs - nowMs)}`;
}

/** As a clock in the zone of the expression shows it; of an interval, a clock here. */
function localNext({ nextAtMs, timeZone }: ScheduleSnapshot): string | null {
  return nextAtMs === null ? null : formatZonedTime(nextAtMs, timeZone ?? undefined);
}
