/** What one event looks like that was looked up. */
import type { Blob, EventSnapshot } from '../../engine/index.ts';
import type { Column, Noun } from '../columns.ts';
import { formatBytes } from '../human.ts';
import { payloadFields } from '../payload.ts';
import { eventTime } from './events.ts';

export const EVENT_COLUMNS: readonly Column<EventSnapshot>[] = [
  { header: 'ID', value: event => event.id },
  { header: 'STREAM', value: event => event.stream },
  { header: 'TIME', value: eventTime },
  { header: 'EVENT', value: event => event.name },
  { header: 'TOPIC', value: event => event.topic },
  {
    header: 'HEADERS',
    value: event => (event.headers.length === 0 ? null : JSON.stringify(Object.fromEntries(event.headers))),
  },
  { header: 'MALFORMED', value: event => event.malformed },
  {
    header: 'SIZE',
    value: event => event.payload?.sizeBytes ?? null,
    text: event => (event.payload ? formatBytes(event.payload.sizeBytes) : '-'),
  },
  {
    header: 'PAYLOAD',
    value: event => event.payload?.data ?? null,
    text: ({ payload }) => (payload ? payloadText(payload) : '-'),
  },
];

export const eventDetailNoun: Noun<EventSnapshot> = {
  kind: 'Event',
  columns: EVENT_COLUMNS,
  item: eventItem,
  raw: eventPayload,
};

/** As `stream tail` has it in JSON, with the size, because a payload in a list may be cut. */
export function eventItem(event: EventSnapshot): object {
  const { stream, id, name, topic, headers, payload, malformed } = event;
  if (!payload) return { stream, id, time: eventTime(event), malformed };
  return {
    stream,
    id,
    time: eventTime(event),
    event: name,
    topic,
    ...(headers.length > 0 ? { headers: Object.fromEntries(headers) } : {}),
    ...payloadFields(Buffer.from(payload.data, payload.encoding)),
    payloadBytes: payload.sizeBytes,
  };
}

/** Byte for byte; nothing of an entry that is no event. */
export function eventPayload({ payload }: EventSnapshot): Buffer {
  return payload ? Buffer.from(payload.data, payload.encoding) : Buffer.alloc(0);
}

function payloadText({ encoding, data }: Blob): string {
  return encoding === 'base64' ? `base64 ${data}` : data || '-';
}
