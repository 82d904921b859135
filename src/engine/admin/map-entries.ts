/** Many entries of a map at once, as an operator has them: in a file, or changed in an editor. */
import { byteLength } from '../core/bytes.ts';
import { NotFoundError } from '../core/errors.ts';
import { checkSize } from '../core/names.ts';
import { encodeText } from '../core/text.ts';
import { MapClient } from '../maps/map-client.ts';
import { mapOptions } from '../maps/options.ts';
import type { RedisLink } from '../redis/link.ts';

/** What is different for one key. */
export interface MapDifference {
  key: string;
  kind: 'added' | 'removed' | 'changed';
  before?: string;
  after?: string;
}

export interface ImportOptions {
  /** Keys to delete after the entries were written. */
  remove?: readonly string[] | undefined;
  onProgress?: ((writtenCount: number, totalCount: number) => void) | undefined;
}

export interface AppliedDifferences {
  applied: MapDifference[];
  /** Entries that are no longer what `before` says: then nothing was written. */
  conflicts: MapDifference[];
}

/** Entries written as one change: all or none of them. */
const PART_COUNT = 1000;
const PART_BYTES = 1024 ** 2;
/** Writes of single entries under way at once. */
const SINGLE_COUNT = 50;

/** All entries as they were at one moment, sorted by key. @throws NotFoundError when there is no map. */
export async function readMap(link: RedisLink, name: string): Promise<Map<string, string>> {
  const client = await MapClient.open(link, name);
  const { generation, entries } = await client.readAll();
  if (generation === '' && entries.size === 0) {
    throw new NotFoundError('map', name, { hint: '"ponos map list" shows those that exist.' });
  }
  return new Map([...entries].sort(byKey));
}

/** What must be done to `before` to make it `after`, sorted by key. */
export function diffEntries(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): MapDifference[] {
  const differences: MapDifference[] = [];
  for (const [key, value] of before) {
    const now = after.get(key);
    if (now === undefined) differences.push({ key, kind: 'removed', before: value });
    else if (now !== value) differences.push({ key, kind: 'changed', before: value, after: now });
  }
  for (const [key, value] of after) if (!before.has(key)) differences.push({ key, kind: 'added', after: value });
  return differences.sort((a, b) => byKey([a.key], [b.key]));
}

/**
 * Writes entries, whatever is there. Sizes are checked before the first is written; then as many as fit in one change are written
 * together.
 * @throws TooLargeError, FullError, and what `MapClient.setMany` throws: earlier parts are written then.
 */
export async function importEntries(
  link: RedisLink,
  name: string,
  entries: ReadonlyMap<string, string>,
  options: ImportOptions = {},
): Promise<void> {
  const parts = partsOf(entries);
  const { remove = [], onProgress } = options;
  const client = await MapClient.open(link, name);
  let written = 0;
  for (const part of parts) {
    await client.setMany(part);
    written += part.length;
    onProgress?.(written, entries.size);
  }
  await forEachOf(remove, async key => void (await client.delete(key)));
}

/**
 * Makes the differences as one change, or none of them when an entry is no longer what `before` says.
 * @throws ArgumentError BATCH_TOO_LARGE, and what `MapClient.set` throws: nothing is written then.
 */
export async function applyDifferences(
  link: RedisLink,
  name: string,
  differences: readonly MapDifference[],
): Promise<AppliedDifferences> {
  const client = await MapClient.open(link, name);
  const edits = differences.map(({ key, before, after }) => ({ key, before, after }));
  const { applied, conflicts } = await client.edit(edits);
  const keys = new Set(conflicts);
  return {
    applied: applied ? [...differences] : [],
    conflicts: differences.filter(({ key }) => keys.has(key)),
  };
}

function partsOf(entries: ReadonlyMap<string, string>): [string, string][][] {
  const parts: [string, string][][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [key, value] of entries) {
    const [keyBytes, valueBytes] = [encodeText(key), encodeText(value)];
    checkSize('KEY', keyBytes, mapOptions.maxKeyBytes.default);
    checkSize('VALUE', valueBytes, mapOptions.maxValueBytes.default);
    const size = byteLength(keyBytes) + byteLength(valueBytes);
    if (bytes + size > PART_BYTES || parts.at(-1)?.length === PART_COUNT) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push([key, value]);
    bytes += size;
  }
  return parts;
}

async function forEachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += SINGLE_COUNT) {
    await Promise.all(items.slice(at, at + SINGLE_COUNT).map(act));
  }
}

function byKey([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
