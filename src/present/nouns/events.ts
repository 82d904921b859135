/** What events look like when they are tailed, and when they were published. */
import { isUtf8 } from 'node:buffer';
import type { StreamEvent } from '../../engine/index.ts';
import type { Noun } from '../columns.ts';
import { formatTime } from '../human.ts';
import { payloadFields } from '../payload.ts';

const LINE_FEED = Buffer.from('\n');
/** Ids may hold any number of milliseconds, the calendar of JavaScript may not. */
const LAST_DATE_MS = 8.64e15;

export const eventNoun: Noun<StreamEvent> = {
  kind: 'Event',
  columns: [
    { header: 'ID', value: event => event.id },
    { header: 'TIME', value: eventTime },
    { header: 'STREAM', value: event => event.stream },
    { header: 'EVENT', value: event => event.name },
    { header: 'TOPIC', value: event => event.topic ?? null },
    {
      header: 'PAYLOAD',
      value: ({ payload }) => payload.toString(isUtf8(payload) ? 'utf8' : 'base64'),
    },
    { header: 'ENCODING', value: ({ payload }) => (isUtf8(payload) ? 'utf8' : 'base64') },
  ],
  item: event => ({
    stream: event.stream,
    id: event.id,
    time: eventTime(event),
    event: event.name,
    topic: event.topic ?? null,
    ...(event.headers.size > 0 ? { headers: Object.fromEntries(event.headers) } : {}),
    ...payloadFields(event.payload),
  }),
  raw: event => Buffer.concat([event.payload, LINE_FEED]),
};

export function eventTime({ atMs }: { atMs: number }): string | null {
  return atMs <= LAST_DATE_MS ? formatTime(atMs) : null;
}

export interface PublishedEvent {
  id: string;
  stream: string;
  event: string;
  /** False when it was published before, under the same id of its publisher. */
  added: boolean;
}

export const publishedNoun: Noun<PublishedEvent> = {
  kind: 'PublishedEvent',
  columns: [
    { header: 'ID', value: row => row.id },
    { header: 'STREAM', value: row => row.stream },
    { header: 'EVENT', value: row => row.event },
    { header: 'ADDED', value: row => row.added, wide: true },
  ],
};

/** One input of many: what became of it. */
export interface PublishOutcome {
  /** Line of the input, counted from 1. */
  line: number;
  stream: string;
  event: string;
  /** null when it failed. */
  id: string | null;
  error: { code: string; message: string } | null;
}

export const publishOutcomeNoun: Noun<PublishOutcome> = {
  kind: 'PublishedEvent',
  columns: [
    { header: 'ID', value: row => row.id },
    { header: 'STREAM', value: row => row.stream },
    { header: 'EVENT', value: row => row.event },
    { header: 'LINE', value: row => row.line, align: 'right' },
    { header: 'ERROR', value: row => row.error?.message ?? null },
  ],
  item: ({ line, id, stream, event, error }) => (error ? { line, stream, event, error } : { line, id, stream, event }),
};
