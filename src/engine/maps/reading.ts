/** Reads of a map with plain commands, so that a read-only link can make them; no script, no lock, no long command. */
import { RedisCommandError, WrongTypeError } from '../core/errors.ts';
import { decodeText, encodeText } from '../core/text.ts';
import type { KeySpace } from '../redis/keys.ts';
import type { RedisLink } from '../redis/link.ts';
import type { ResetCause } from './changes.ts';
import type { FetchedValues, MapSnapshot } from './replica.ts';

export type MapKeys = ReturnType<KeySpace['map']>;

/** The record of a map beside its entries. */
export interface MapRecord {
  /** Empty when there is none. */
  generation: string;
  prior: string;
  restored: string;
  restorer: string;
  destroyed: boolean;
  revision: number;
  resetRevision: number;
  resetCause: ResetCause;
  expiresAtMs: number;
  bytes: number;
}

export interface MapStatus extends MapRecord {
  count: number;
  /** Redis's wall clock at the time. */
  redisMs: number;
}

const FIELDS = [
  'generation',
  'prior',
  'state',
  'revision',
  'resetRevision',
  'resetCause',
  'expiresAtMs',
  'bytes',
  'restored',
  'restorer',
] as const;
/** Entries of the first chunk, when nothing is known of their size. */
const FIRST_CHUNK_COUNT = 100;
const CHUNK_BYTES = 1024 ** 2;
const MOST_CHUNK_COUNT = 1000;
const FETCH_CHUNK_COUNT = 16;
/** Times a map that others write to is read in chunks before it is read in one command. */
const CALM_ATTEMPTS = 3;
/** More than a map can hold: a scan this long is one command, and so one moment. */
const ALL_COUNT = 2 ** 31 - 1;

/** A count in the record of a map is none: nothing can be said of the map, and no write goes through. */
export class DamagedMapError extends RedisCommandError {}

/** @throws DamagedMapError, WrongTypeError. */
export async function readStatus(link: RedisLink, keys: MapKeys): Promise<MapStatus> {
  const [record, count, time] = await callTogether(link, keys, [readRecord(keys), ['HLEN', keys.data], ['TIME']]);
  return { ...decodeRecord(record), count: count as number, redisMs: decodeTime(time) };
}

/** A snapshot read in chunks, with the revisions it lies between. */
export async function readSnapshot(
  link: RedisLink,
  keys: MapKeys,
): Promise<{ snapshot: MapSnapshot; redisMs: number }> {
  const entries = new Map<string, string>();
  const [first, count, chunk, last, time] = await callTogether(link, keys, [
    readRecord(keys),
    ['HLEN', keys.data],
    ['HSCAN', keys.data, 0, 'COUNT', FIRST_CHUNK_COUNT],
    readRecord(keys),
    ['TIME'],
  ]);
  const before = decodeRecord(first);
  let after = decodeRecord(last);
  let cursor = decodeChunk(chunk, entries);
  let isWhole = true;
  if (cursor !== '0') {
    const chunkCount = chunkCountFor(before.bytes, count as number);
    while (cursor !== '0') {
      const [more] = await callTogether(link, keys, [['HSCAN', keys.data, cursor, 'COUNT', chunkCount]]);
      cursor = decodeChunk(more, entries);
    }
    const [end, endCount] = await callTogether(link, keys, [readRecord(keys), ['HLEN', keys.data]]);
    after = decodeRecord(end);
    // The cursor of one server leads another, that the map went to meanwhile, past some of its entries.
    isWhole = before.revision !== after.revision || entries.size === endCount;
  }
  // Another generation while reading, or a part only: between no two revisions of one map.
  const isBetween = isWhole && before.generation === after.generation;
  const start = isBetween ? before.revision : Number.POSITIVE_INFINITY;
  const redisMs = decodeTime(time);
  const expired = after.expiresAtMs > 0 && after.expiresAtMs <= redisMs;
  return { snapshot: { ...after, before: start, after: after.revision, expired, entries }, redisMs };
}

/** The whole map as it was at one moment, at `revision` or a little later. */
export async function readWhole(
  link: RedisLink,
  keys: MapKeys,
): Promise<{ record: MapRecord; entries: Map<string, string> }> {
  for (let attempt = 0; attempt < CALM_ATTEMPTS; attempt++) {
    const { snapshot } = await readSnapshot(link, keys);
    if (snapshot.before === snapshot.after) {
      return { record: { ...snapshot, revision: snapshot.after, bytes: 0 }, entries: snapshot.entries };
    }
  }
  const whole: Call = ['HSCAN', keys.data, 0, 'COUNT', ALL_COUNT];
  const [record, chunk] = await callTogether(link, keys, [readRecord(keys), whole]);
  const entries = new Map<string, string>();
  decodeChunk(chunk, entries);
  return { record: decodeRecord(record), entries };
}

/** Values too big for messages, and the revision afterwards. */
export async function readValues(link: RedisLink, keys: MapKeys, names: readonly string[]): Promise<FetchedValues> {
  const values = new Map<string, string | undefined>();
  for (let at = 0; at < names.length; at += FETCH_CHUNK_COUNT) {
    const chunk = names.slice(at, at + FETCH_CHUNK_COUNT);
    const [found] = await callTogether(link, keys, [['HMGET', keys.data, ...chunk.map(encodeText)]]);
    chunk.forEach((name, i) => {
      const value = (found as (Buffer | null)[])[i];
      values.set(name, value ? decodeText(value) : undefined);
    });
  }
  const [record] = await callTogether(link, keys, [readRecord(keys)]);
  const { generation, revision } = decodeRecord(record);
  return { generation, revision, values };
}

export async function readEntry(link: RedisLink, keys: MapKeys, key: string): Promise<string | undefined> {
  const [value] = await callTogether(link, keys, [['HGET', keys.data, encodeText(key)]]);
  return value ? decodeText(value as Buffer) : undefined;
}

type Call = readonly [string, ...(string | number | Uint8Array)[]];

/** Sends reads together. Redis does not say which key has the wrong type; this does. */
async function callTogether(link: RedisLink, keys: MapKeys, calls: readonly Call[]): Promise<unknown[]> {
  const results = await link.commands.callMany(calls);
  const values: unknown[] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') values.push(result.value);
    else if (result.reason instanceof WrongTypeError) throw await nameWrongType(link, keys, result.reason);
    else throw result.reason;
  }
  return values;
}

async function nameWrongType(link: RedisLink, keys: MapKeys, error: WrongTypeError): Promise<WrongTypeError> {
  for (const key of [keys.data, keys.meta]) {
    const type = String(await link.commands.call('TYPE', key));
    if (type !== 'hash' && type !== 'none') {
      return new WrongTypeError(`key "${key}" is a ${type}, expected a hash`, { hint: error.hint ?? '', cause: error });
    }
  }
  return error;
}

function readRecord(keys: MapKeys): Call {
  return ['HMGET', keys.meta, ...FIELDS];
}

function decodeRecord(reply: unknown): MapRecord {
  const [generation, prior, state, revision, resetRevision, resetCause, expiresAtMs, bytes, restored, restorer] = (
    reply as (Buffer | null)[]
  ).map(field => field?.toString() ?? '');
  return {
    generation: generation ?? '',
    prior: prior ?? '',
    restored: restored ?? '',
    restorer: restorer ?? '',
    destroyed: state === 'destroyed',
    revision: decodeCount('revision', revision),
    resetRevision: decodeCount('resetRevision', resetRevision),
    resetCause: resetCause === 'expired' || resetCause === 'destroyed' ? resetCause : 'reset',
    expiresAtMs: decodeCount('expiresAtMs', expiresAtMs),
    bytes: decodeCount('bytes', bytes),
  };
}

function decodeCount(field: string, text: string | undefined): number {
  const count = Number(text || 0);
  if (!Number.isSafeInteger(count)) throw new DamagedMapError(`the record of a map holds "${text}" as its ${field}`);
  return count;
}

function decodeTime(reply: unknown): number {
  const [seconds, micros] = (reply as Buffer[]).map(Number);
  return (seconds ?? 0) * 1000 + (micros ?? 0) / 1000;
}

function decodeChunk(reply: unknown, entries: Map<string, string>): string {
  const [cursor, flat] = reply as [Buffer, Buffer[]];
  for (let i = 0; i < flat.length; i += 2) {
    entries.set(decodeText(flat[i] as Buffer), decodeText(flat[i + 1] as Buffer));
  }
  return cursor.toString();
}

function chunkCountFor(bytes: number, count: number): number {
  const meanBytes = count > 0 ? Math.max(1, bytes / count) : 1;
  return Math.max(1, Math.min(MOST_CHUNK_COUNT, Math.round(CHUNK_BYTES / meanBytes)));
}
