/** What jobs look like: listed, shown alone, dispatched, stopped and found. */
import type { JobDetail, JobSnapshot } from '../../engine/index.ts';
import { type Column, type Noun, stateColumn } from '../columns.ts';
import { blobFields } from '../envelope.ts';
import { formatAge, formatBytes, formatDuration, formatTime } from '../human.ts';

const COLUMNS: readonly Column<JobSnapshot>[] = [
  { header: 'KEY', value: job => job.key },
  stateColumn(job => job.state),
  { header: 'WORKER', value: job => job.worker },
  {
    header: 'AGE',
    value: job => job.dispatchedAtMs,
    text: (job, { nowMs }) => formatAge(job.dispatchedAtMs, nowMs),
    align: 'right',
  },
  {
    header: 'SIZE',
    value: job => job.payloadBytes,
    text: job => formatBytes(job.payloadBytes),
    align: 'right',
  },
  { header: 'ATTEMPT', value: job => job.attempt, text: attemptText, align: 'right' },
  { header: 'GROUP', value: job => job.group, wide: true },
  { header: 'TOKEN', value: job => job.token, align: 'right', wide: true },
  {
    header: 'STARTED',
    value: job => job.startedAtMs,
    text: (job, { nowMs }) => (job.startedAtMs === null ? '-' : formatAge(job.startedAtMs, nowMs)),
    align: 'right',
    wide: true,
  },
  {
    header: 'DUE',
    value: job => job.delayLeftMs,
    text: job => (job.delayLeftMs > 0 ? `in ${formatDuration(job.delayLeftMs)}` : '-'),
    align: 'right',
    wide: true,
  },
  { header: 'ERROR', value: job => job.error, wide: true },
];

export const jobNoun: Noun<JobSnapshot> = { kind: 'Job', columns: COLUMNS };

/** One job with its payload; what happened to it is in `history` of JSON, and a table of its own for people. */
export const jobDetailNoun: Noun<JobDetail> = {
  kind: 'Job',
  columns: [
    ...COLUMNS.slice(0, 3),
    { header: 'POOL', value: job => job.pool },
    ...COLUMNS.slice(5, 8),
    { header: 'DISPATCHED', value: job => job.dispatchedAtMs, text: job => formatTime(job.dispatchedAtMs) },
    {
      header: 'STARTED',
      value: job => job.startedAtMs,
      text: job => (job.startedAtMs === null ? '-' : formatTime(job.startedAtMs)),
    },
    ...COLUMNS.slice(9),
    { header: 'SIZE', value: job => job.payloadBytes, text: job => formatBytes(job.payloadBytes) },
    {
      header: 'PAYLOAD',
      value: job => job.payload.data,
      text: job => (job.payload.encoding === 'base64' ? `base64 ${job.payload.data}` : job.payload.data || '-'),
    },
  ],
  item: ({ payload, ...job }) => ({ ...job, ...blobFields('payload', payload) }),
  raw: job => Buffer.from(job.payload.data, job.payload.encoding),
};

function attemptText(job: JobSnapshot): string {
  return job.maxAttempts === 0 ? String(job.attempt) : `${job.attempt}/${job.maxAttempts}`;
}
