import { isUtf8 } from 'node:buffer';
import { NotFoundError } from '../core/errors.ts';
import { globMatcher } from '../core/glob.ts';
import { checkName } from '../core/names.ts';
import { decodeText } from '../core/text.ts';
import { type MapStatus, readStatus } from '../maps/reading.ts';
import type { RedisLink } from '../redis/link.ts';
import { namesOf, readEach } from './broken.ts';
import type { Blob, MapEntry, MapSnapshot } from './snapshots.ts';

const SCAN_COUNT = 100;
/** Bytes of a value that are shown: an observer never needs a megabyte. */
const SHOWN_BYTES = 4096;
const MOST_ENTRIES = 1000;

/** Every map in the registry that is there, by name, or only those `named`; also those that are broken. */
export async function listMaps(link: RedisLink, named?: readonly string[]): Promise<MapSnapshot[]> {
  return readEach(named ?? (await namesOf(link, 'maps')), name => readMap(link, name), brokenMap);
}

/** @throws NotFoundError, ArgumentError on a bad name, WrongTypeError. */
export async function showMap(link: RedisLink, name: string): Promise<MapSnapshot> {
  return existing(name, await readMap(link, name));
}

/**
 * The same, also of a map that is broken.
 * @throws NotFoundError, ArgumentError on a bad name.
 */
export async function findMap(link: RedisLink, name: string): Promise<MapSnapshot> {
  const [snapshot] = await listMaps(link, [checkName('map', name)]);
  return existing(name, snapshot);
}

function existing(name: string, snapshot: MapSnapshot | undefined): MapSnapshot {
  if (!snapshot) throw new NotFoundError('map', name, { hint: '"ponos map list" shows those that exist.' });
  return snapshot;
}

/**
 * Some entries of a map, sorted by key, long values cut. Which ones, when there are more than `limit`, is up to Redis.
 * @throws NotFoundError
 */
export async function listMapEntries(
  link: RedisLink,
  name: string,
  options: { limit?: number | undefined; glob?: string | undefined } = {},
): Promise<MapEntry[]> {
  const { limit = MOST_ENTRIES, glob } = options;
  const matches = glob === undefined ? () => true : globMatcher(glob);
  await showMap(link, name);
  const { data } = link.keys.map(name);
  const entries = new Map<string, MapEntry>();
  let cursor = '0';
  do {
    const reply = await link.commands.call('HSCAN', data, cursor, 'COUNT', Math.min(SCAN_COUNT, limit));
    const [next, flat] = reply as [Buffer, Buffer[]];
    cursor = next.toString();
    for (let i = 0; i < flat.length && entries.size < limit; i += 2) {
      const key = decodeText(flat[i] as Buffer);
      // Not by Redis's MATCH, which compares bytes: "?" would be a part of a character.
      if (matches(key)) entries.set(key, { key, value: toBlob(flat[i + 1] as Buffer) });
    }
  } while (cursor !== '0' && entries.size < limit);
  return [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** undefined when it does not exist. */
export async function readMap(link: RedisLink, name: string): Promise<MapSnapshot | undefined> {
  const keys = link.keys.map(checkName('map', name));
  const [status, listeners] = await Promise.all([
    readStatus(link, keys),
    link.callNear(keys.changes, 'PUBSUB', 'SHARDNUMSUB', keys.changes),
  ]);
  return exists(status) ? toSnapshot(name, status, Number((listeners as unknown[])[1] ?? 0)) : undefined;
}

function exists(status: MapStatus): boolean {
  return !status.destroyed && (status.generation !== '' || status.count > 0);
}

function toSnapshot(name: string, status: MapStatus, replicaCount: number): MapSnapshot {
  return {
    name,
    broken: null,
    keyCount: status.count,
    revision: status.revision,
    generation: status.generation,
    // The count of a map that expired unseen is settled by its next write.
    sizeBytes: status.count === 0 ? 0 : status.bytes,
    replicaCount,
    expiresAtMs: status.count > 0 && status.expiresAtMs > 0 ? status.expiresAtMs : null,
  };
}

function brokenMap(name: string, reason: string): MapSnapshot {
  return {
    name,
    broken: reason,
    keyCount: 0,
    revision: 0,
    generation: '',
    sizeBytes: 0,
    replicaCount: 0,
    expiresAtMs: null,
  };
}

function toBlob(bytes: Buffer): Blob {
  if (!isUtf8(bytes)) {
    return { encoding: 'base64', data: bytes.subarray(0, SHOWN_BYTES).toString('base64'), sizeBytes: bytes.length };
  }
  // A cut must not leave half of a character.
  const data = bytes
    .toString('utf8')
    .slice(0, SHOWN_BYTES)
    .replace(/[\uD800-\uDBFF]$/, '');
  return { encoding: 'utf8', data, sizeBytes: bytes.length };
}
