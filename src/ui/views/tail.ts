import { cliCommand } from '../cli-command.ts';
import type { Blob, EventSnapshot } from '../model.ts';
import { tableView } from '../table/table.ts';
import { formatBytes, formatTimeOfDay } from '../text/format.ts';

/** The newest events of a stream, newest first, read without joining it. */
export const tailView = tableView<EventSnapshot>({
  id: 'tail',
  noun: 'event',
  crumb: at => `tail(${at.stream})`,
  rows: ({ tail }, at) => (tail?.stream === at.stream ? [...(tail?.rows ?? [])].reverse() : null),
  identity: event => event.id,
  empty: 'no event yet',
  sort: null,
  columns: [
    { title: 'TIME', min: 8, ideal: 8, priority: 99, text: event => formatTimeOfDay(event.atMs) },
    { title: 'ID', min: 15, ideal: 17, priority: 30, text: event => event.id },
    {
      title: 'EVENT',
      min: 8,
      ideal: 14,
      grow: 0.2,
      priority: 95,
      text: event => event.name ?? `malformed: ${event.malformed}`,
      role: event => (event.malformed === null ? undefined : 'bad'),
    },
    { title: 'TOPIC', min: 6, ideal: 12, grow: 0.2, priority: 60, text: event => event.topic ?? '' },
    { title: 'PAYLOAD', min: 12, ideal: 30, grow: 1, priority: 90, text: event => shortPayload(event.payload) },
    {
      title: 'SIZE',
      min: 6,
      ideal: 6,
      priority: 50,
      align: 'right',
      text: event => (event.payload ? formatBytes(event.payload.sizeBytes) : ''),
    },
  ],
  isProblem: event => event.malformed !== null,
  item: (event, _scene, at) => ({
    noun: 'event',
    name: event.id,
    command: cliCommand('stream', 'tail', [at.stream ?? '']),
    offers: [],
  }),
  command: at => cliCommand('stream', 'tail', [at.stream ?? '']),
  focus: ({ at }) => ({ view: 'tail', stream: at.stream ?? '' }),
});

function shortPayload(payload: Blob | null): string {
  if (payload === null) return '';
  return payload.encoding === 'base64' ? `(binary) ${payload.data.slice(0, 200)}` : payload.data.slice(0, 400);
}
