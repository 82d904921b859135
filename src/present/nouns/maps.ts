import type { MapDifference, MapSnapshot, ResetCause } from '../../engine/index.ts';
import { encodeText } from '../../engine/index.ts';
import { ifSound, type Noun, soundness, stateColumn } from '../columns.ts';
import { textFields } from '../envelope.ts';
import { formatBytes, formatDuration, formatTime } from '../human.ts';
import { safeText } from '../safe-text.ts';

export const mapNoun: Noun<MapSnapshot> = {
  kind: 'Map',
  columns: [
    { header: 'MAP', value: map => map.name },
    { header: 'KEYS', value: map => map.keyCount, text: ifSound(map => String(map.keyCount)), align: 'right' },
    { header: 'SIZE', value: map => map.sizeBytes, text: ifSound(map => formatBytes(map.sizeBytes)), align: 'right' },
    {
      header: 'REPLICAS',
      value: map => map.replicaCount,
      text: ifSound(map => String(map.replicaCount)),
      align: 'right',
    },
    {
      header: 'EXPIRES',
      value: map => map.expiresAtMs,
      text: (map, { nowMs }) => (map.expiresAtMs === null ? '-' : `in ${formatDuration(map.expiresAtMs - nowMs)}`),
    },
    { header: 'REVISION', value: map => map.revision, align: 'right', wide: true },
    { header: 'GENERATION', value: map => map.generation, wide: true },
    // Behind the others: who reads CSV by position goes on.
    stateColumn(soundness),
    { header: 'BROKEN', value: map => map.broken, wide: true },
  ],
};

export interface EntryRow {
  map: string;
  key: string;
  value: string;
}

export const entryNoun: Noun<EntryRow> = {
  kind: 'MapEntry',
  columns: [
    { header: 'KEY', value: entry => entry.key },
    { header: 'VALUE', value: entry => entry.value },
    {
      header: 'SIZE',
      value: entry => encodeText(entry.value).length,
      text: entry => formatBytes(encodeText(entry.value).length),
      align: 'right',
      wide: true,
    },
  ],
  item: entry => ({ map: entry.map, key: entry.key, ...textFields('value', entry.value) }),
  raw: entry => encodeText(entry.value),
};

/** The same for a file that gives the bytes of every key back, too. */
export const exportedEntryNoun: Noun<EntryRow> = {
  ...entryNoun,
  item: entry => ({ map: entry.map, ...textFields('key', entry.key), ...textFields('value', entry.value) }),
};

/** What makes one map another. */
export const differenceNoun: Noun<MapDifference> = {
  kind: 'MapDifference',
  columns: [
    { header: 'KEY', value: difference => difference.key },
    { header: 'CHANGE', value: difference => difference.kind },
    { header: 'BEFORE', value: difference => difference.before ?? null },
    { header: 'AFTER', value: difference => difference.after ?? null },
  ],
  item: ({ key, kind, before, after }) => ({
    ...textFields('key', key),
    change: kind,
    ...(before === undefined ? {} : textFields('before', before)),
    ...(after === undefined ? {} : textFields('after', after)),
  }),
};

/** A difference as people read it: what goes with a minus, what comes with a plus. */
export function differenceLines({ key, before, after }: MapDifference): string[] {
  return [
    ...(before === undefined ? [] : [`- ${safeText(key)}: ${safeText(before)}`]),
    ...(after === undefined ? [] : [`+ ${safeText(key)}: ${safeText(after)}`]),
  ];
}

/** What a write did to one entry. */
export interface EntryWriteRow {
  map: string;
  key: string;
  revision: number;
  changed: boolean;
  /** The value after the write; null when the entry is gone. */
  value: string | null;
  previous?: string | undefined;
}

export const entryWriteNoun: Noun<EntryWriteRow> = {
  kind: 'MapWrite',
  columns: [
    { header: 'KEY', value: write => write.key },
    { header: 'REVISION', value: write => write.revision },
    { header: 'CHANGED', value: write => write.changed },
    { header: 'VALUE', value: write => write.value },
  ],
  item: ({ value, previous, ...write }) => ({
    ...write,
    ...(value === null ? { value } : textFields('value', value)),
    ...(previous === undefined ? {} : textFields('previous', previous)),
  }),
  raw: write => encodeText(write.value ?? ''),
};

export interface ListWriteRow {
  map: string;
  key: string;
  revision: number;
  changed: boolean;
  /** The list now. */
  items: string[];
}

export const listWriteNoun: Noun<ListWriteRow> = {
  kind: 'MapListWrite',
  columns: [
    { header: 'KEY', value: write => write.key },
    { header: 'REVISION', value: write => write.revision },
    { header: 'CHANGED', value: write => write.changed },
    { header: 'ITEMS', value: write => write.items.length },
  ],
  item: ({ map, key, revision, changed, items }) => ({ map, key, revision, changed, items }),
  raw: write => encodeText(write.items.map(item => `${item}\n`).join('')),
};

/** One line of `map watch`: a change, or the beginning or end of the entries present. */
export interface ChangeRow {
  map: string;
  revision: number;
  atMs: number;
  kind: string;
  key?: string | undefined;
  value?: string | undefined;
  previous?: string | undefined;
  cause?: ResetCause | undefined;
}

export const changeNoun: Noun<ChangeRow> = {
  kind: 'MapChange',
  columns: [
    { header: 'KEY', value: change => change.key ?? null },
    { header: 'CHANGE', value: change => change.kind },
    { header: 'VALUE', value: change => change.value ?? null },
    { header: 'REVISION', value: change => change.revision },
  ],
  item: ({ kind: _type, key, value, previous, ...change }) => ({
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : textFields('value', value)),
    ...(previous === undefined ? {} : textFields('previous', previous)),
    ...change,
  }),
  raw: change => (change.value === undefined ? Buffer.alloc(0) : Buffer.concat([encodeText(change.value), LINE_FEED])),
  line: change => {
    const time = formatTime(change.atMs).slice(11, 23);
    if (change.kind === 'reset') return `${time}  reset   all entries (${change.cause ?? 'reset'})`;
    return change.kind === 'delete'
      ? `${time}  delete  ${change.key}`
      : `${time}  ${change.kind.padEnd(6)}  ${change.key} = ${change.value}`;
  },
};

const LINE_FEED = Buffer.from('\n');
