/** What dead letters look like: listed, shown alone, and when they were replayed or purged. */
import type { DeadSnapshot } from '../../engine/index.ts';
import type { Column, Noun } from '../columns.ts';
import { formatAge, formatBytes, formatTime } from '../human.ts';
import { EVENT_COLUMNS, eventItem, eventPayload } from './event-details.ts';

const DEAD_ID: Column<DeadSnapshot> = { header: 'DEAD-ID', value: letter => letter.deadId };
const DELIVERIES: Column<DeadSnapshot> = {
  header: 'DELIVERIES',
  value: letter => letter.deliveryCount,
  align: 'right',
};
const REASON: Column<DeadSnapshot> = { header: 'REASON', value: letter => letter.reason };

function deadItem(letter: DeadSnapshot): object {
  const { deadId, sink, deadAtMs, deliveryCount, reason } = letter;
  return { deadId, sink, ...eventItem(letter), deadAtMs, deliveryCount, reason };
}

export const deadLetterNoun: Noun<DeadSnapshot> = {
  kind: 'DeadLetter',
  columns: [
    DEAD_ID,
    { header: 'EVENT', value: letter => letter.name },
    { header: 'TOPIC', value: letter => letter.topic },
    DELIVERIES,
    {
      header: 'DIED',
      value: letter => letter.deadAtMs,
      text: (letter, { nowMs }) => formatAge(letter.deadAtMs, nowMs),
      align: 'right',
    },
    {
      header: 'SIZE',
      value: letter => letter.payload?.sizeBytes ?? null,
      text: letter => (letter.payload ? formatBytes(letter.payload.sizeBytes) : '-'),
      align: 'right',
      wide: true,
    },
    { header: 'ID', value: letter => letter.id, wide: true },
    REASON,
  ],
  item: deadItem,
};

/** One alone, with its payload. */
export const deadLetterDetailNoun: Noun<DeadSnapshot> = {
  kind: 'DeadLetter',
  columns: [
    DEAD_ID,
    { header: 'SINK', value: letter => letter.sink },
    DELIVERIES,
    { header: 'DIED', value: letter => letter.deadAtMs, text: letter => formatTime(letter.deadAtMs) },
    REASON,
    ...EVENT_COLUMNS,
  ],
  item: deadItem,
  raw: eventPayload,
};

/** What became of a dead letter a command was about. */
export interface DeadLetterResult {
  deadId: string;
  /** `redelivered`, `published`, `purged` or `failed`. */
  status: string;
  /** The new event, when it was published again. */
  id: string | null;
  error: { code: string; message: string } | null;
}

export const deadLetterResultNoun: Noun<DeadLetterResult> = {
  kind: 'DeadLetter',
  columns: [
    { header: 'DEAD-ID', value: row => row.deadId },
    { header: 'STATUS', value: row => row.status },
    { header: 'ID', value: row => row.id },
    { header: 'ERROR', value: row => row.error?.message ?? null },
  ],
  item: ({ deadId, status, id, error }) => ({
    deadId,
    status,
    ...(id === null ? {} : { id }),
    ...(error === null ? {} : { error }),
  }),
};
