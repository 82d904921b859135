import type { Offer } from '../act.ts';
import { cliCommand } from '../cli-command.ts';
import type { Blob, MapEntry, MapSnapshot } from '../model.ts';
import { tableView } from '../table/table.ts';
import { formatBytes, formatCount, formatDuration } from '../text/format.ts';

export const mapsView = tableView<MapSnapshot>({
  id: 'maps',
  noun: 'map',
  crumb: () => 'maps',
  rows: snapshot => snapshot.maps,
  identity: map => map.name,
  empty: 'no map; the first key makes one: ponos map set MAP KEY VALUE',
  sort: { column: 'MAP', descending: false },
  columns: [
    {
      title: 'MAP',
      min: 10,
      ideal: 24,
      grow: 1,
      priority: 99,
      cut: 'middle',
      text: map => map.name,
      order: map => map.name,
    },
    {
      title: 'KEYS',
      min: 7,
      ideal: 9,
      priority: 90,
      align: 'right',
      text: map => (map.broken === null ? formatCount(map.keyCount) : 'BROKEN'),
      role: map => (map.broken === null ? undefined : 'bad'),
      order: map => map.keyCount,
    },
    {
      title: 'SIZE',
      min: 6,
      ideal: 7,
      priority: 60,
      align: 'right',
      text: (map, { glyphs }) => (map.broken === null ? formatBytes(map.sizeBytes) : glyphs.none),
      order: map => map.sizeBytes,
    },
    {
      title: 'REPLICAS',
      min: 8,
      ideal: 8,
      priority: 70,
      align: 'right',
      text: (map, { glyphs }) => (map.broken === null ? formatCount(map.replicaCount) : glyphs.none),
      order: map => map.replicaCount,
    },
    {
      title: 'REVISION',
      min: 16,
      ideal: 17,
      priority: 80,
      align: 'right',
      text: (map, { glyphs }) => (map.broken === null ? String(map.revision) : glyphs.none),
      order: map => map.revision,
    },
    {
      title: 'EXPIRES',
      min: 7,
      ideal: 7,
      priority: 40,
      align: 'right',
      text: (map, { nowMs, glyphs }) =>
        map.expiresAtMs === null ? glyphs.none : formatDuration(map.expiresAtMs - nowMs),
      order: map => map.expiresAtMs ?? Number.MAX_SAFE_INTEGER,
    },
  ],
  isProblem: map => map.broken !== null,
  item: map => ({
    noun: 'map',
    name: map.name,
    open: { view: 'entries', map: map.name },
    command: cliCommand('map', 'show', [map.name]),
    offers: [],
    ...(map.broken === null ? {} : { note: map.broken }),
  }),
  command: () => cliCommand('map', 'list'),
  focus: () => ({ view: 'maps' }),
});

export const entriesView = tableView<MapEntry>({
  id: 'entries',
  noun: 'key',
  crumb: at => `map(${at.map})`,
  rows: (snapshot, at) => (snapshot.entries?.map === at.map ? (snapshot.entries?.rows ?? null) : null),
  identity: entry => entry.key,
  empty: 'the map is empty',
  sort: { column: 'KEY', descending: false },
  columns: [
    {
      title: 'KEY',
      min: 12,
      ideal: 24,
      grow: 0.3,
      priority: 99,
      cut: 'middle',
      text: entry => entry.key,
      order: entry => entry.key,
    },
    { title: 'VALUE', min: 12, ideal: 30, grow: 1, priority: 90, text: entry => shortValue(entry.value) },
    {
      title: 'SIZE',
      min: 6,
      ideal: 6,
      priority: 50,
      align: 'right',
      text: entry => formatBytes(entry.value.sizeBytes),
      order: entry => entry.value.sizeBytes,
    },
  ],
  isProblem: () => false,
  item: (entry, _scene, at) => ({
    noun: 'key',
    name: entry.key,
    open: { view: 'value', map: at.map ?? '', key: entry.key },
    command: cliCommand('map', 'get', [at.map ?? '', entry.key]),
    offers: entryOffers(at.map ?? '', entry),
  }),
  command: at => cliCommand('map', 'get', [at.map ?? '']),
  focus: ({ at }) => ({ view: 'entries', map: at.map ?? '' }),
});

/** Longest value that is edited in one line of the screen. */
const EDITABLE_BYTES = 4096;

export function entryOffers(map: string, entry: MapEntry): Offer[] {
  const { value } = entry;
  const isShort = value.encoding === 'utf8' && value.sizeBytes <= EDITABLE_BYTES;
  const edit: Offer = {
    key: 'E',
    begin: {
      prompt: 'value',
      initial: value.data,
      make: text => ({ kind: 'set-map-value', map, key: entry.key, value: text, expected: value.data }),
    },
  };
  if (!isShort || /\p{Cc}/u.test(value.data)) {
    edit.refused = 'too long or not plain text: set it with ponos map set and --file';
  }
  return [edit, { key: 'D', begin: { act: { kind: 'delete-map-key', map, key: entry.key } } }];
}

function shortValue(value: Blob): string {
  if (value.encoding === 'base64') return `(binary) ${value.data.slice(0, 200)}`;
  return value.data.slice(0, 400);
}
