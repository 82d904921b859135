/**
 * An event and its form in Redis: an entry with the fields `n` name, `p` payload, and, only when present, `t` topic and
 * `h` headers (a JSON array of pairs). Letters, because these fields are the ones whose bytes multiply. Fields of other
 * names are left alone, so that a newer version may add some.
 *
 * Name, topic and headers are texts of any bytes (core/text.ts). An entry that lacks a name or a payload, or whose
 * headers cannot be read, was not written by us: it is malformed, which is a value here and never an exception.
 */
import type { Bytes } from '../core/bytes.ts';
import { byteLength, toBuffer } from '../core/bytes.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkSize } from '../core/names.ts';
import { decodeText, encodeText } from '../core/text.ts';
import { entryTimeMs } from './entry-id.ts';

export interface StreamEvent {
  /** Given by Redis; grows with every event of a stream. */
  readonly id: string;
  readonly stream: string;
  readonly name: string;
  readonly payload: Buffer;
  readonly topic: string | undefined;
  /** As they were published. `readTraceContext` reads those of a trace. */
  readonly headers: ReadonlyMap<string, string>;
  /** When it was published, by the wall clock of Redis. */
  readonly atMs: number;
}

/** An entry as Redis gives it: id, then field, value, field, value. */
export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[] | null];

export interface EventContents {
  name: string;
  payload: Buffer;
  topic: string | undefined;
  headers: ReadonlyMap<string, string>;
}

export type Headers = ReadonlyMap<string, string> | Readonly<Record<string, string>>;

/** Longest name, topic or text of all headers, in bytes. */
export const TEXT_LIMIT_BYTES = 65_536;
/** Entries with more fields than this are malformed: ours have four. */
const MAX_FIELDS = 64;
const NO_HEADERS: ReadonlyMap<string, string> = new Map();

const [NAME, PAYLOAD, TOPIC, HEADERS] = [...'npth'].map(letter => letter.charCodeAt(0));

/**
 * Appends the operands of XADD after the id to `fields`.
 * @throws TooLargeError, ArgumentError
 */
export function encodeEvent(
  fields: (string | Uint8Array)[],
  name: string,
  payload: Bytes,
  topic: string | undefined,
  headers: Headers | undefined,
  maxPayloadBytes: number,
): void {
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) {
    throw new ArgumentError('a payload is a string or bytes');
  }
  checkSize('PAYLOAD', payload, maxPayloadBytes);
  fields.push(
    'n',
    encodeField('name', name),
    'p',
    typeof payload === 'string' ? wellFormed(payload) : toBuffer(payload),
  );
  if (topic !== undefined) fields.push('t', encodeField('topic', topic));
  if (headers !== undefined) {
    const encoded = encodeHeaders(headers);
    if (encoded) fields.push('h', encoded);
  }
}

function encodeField(what: string, text: string): string | Uint8Array {
  if (typeof text !== 'string') throw new ArgumentError(`the ${what} of an event is a string`);
  const encoded = wellFormed(text);
  // A character has at most three bytes per UTF-16 unit: short texts need no count.
  if (text.length * 3 > TEXT_LIMIT_BYTES) checkSize('NAME', encoded, TEXT_LIMIT_BYTES);
  return encoded;
}

/** The client writes strings as UTF-8, which is right for all but texts that stand for other bytes. */
function wellFormed(text: string): string | Uint8Array {
  return text.isWellFormed() ? text : encodeText(text);
}

function encodeHeaders(headers: Headers): string | undefined {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new ArgumentError('headers are a Map or an object of strings');
  }
  const pairs = headers instanceof Map ? [...headers] : Object.entries(headers);
  if (pairs.length === 0) return undefined;
  for (const [key, value] of pairs) {
    if (typeof key !== 'string' || typeof value !== 'string') throw new ArgumentError('headers are pairs of strings');
  }
  // JSON escapes the surrogates that stand for other bytes, so this is plain UTF-8.
  const encoded = JSON.stringify(pairs);
  if (byteLength(encoded) > TEXT_LIMIT_BYTES) checkSize('NAME', encoded, TEXT_LIMIT_BYTES);
  return encoded;
}

/** What the fields say, or why they say nothing. */
export function decodeContents(fields: readonly Buffer[] | null): EventContents | { malformed: string } {
  if (fields === null) return { malformed: 'the entry is gone' };
  if (fields.length > MAX_FIELDS * 2) return { malformed: `entry has ${fields.length / 2} fields` };
  let name: Buffer | undefined;
  let payload: Buffer | undefined;
  let topic: Buffer | undefined;
  let headers: Buffer | undefined;
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const field = fields[at] as Buffer;
    if (field.length !== 1) continue;
    const value = fields[at + 1] as Buffer;
    if (field[0] === NAME) name ??= value;
    else if (field[0] === PAYLOAD) payload ??= value;
    else if (field[0] === TOPIC) topic ??= value;
    else if (field[0] === HEADERS) headers ??= value;
  }
  if (name === undefined) return { malformed: 'entry has no name (field n)' };
  if (payload === undefined) return { malformed: 'entry has no payload (field p)' };
  const decoded = headers === undefined ? NO_HEADERS : decodeHeaders(headers);
  if (decoded === undefined) return { malformed: 'headers (field h) are no JSON array of pairs' };
  return {
    name: decodeText(name),
    payload,
    topic: topic === undefined ? undefined : decodeText(topic),
    headers: decoded,
  };
}

function decodeHeaders(bytes: Buffer): ReadonlyMap<string, string> | undefined {
  let pairs: unknown;
  try {
    pairs = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  const isPair = (pair: unknown): pair is [string, string] =>
    Array.isArray(pair) && pair.length === 2 && pair.every(text => typeof text === 'string');
  return Array.isArray(pairs) && pairs.every(isPair) ? new Map(pairs) : undefined;
}

export function decodeEvent(
  stream: string,
  [rawId, fields]: RawEntry,
): StreamEvent | { id: string; malformed: string } {
  const id = rawId.toString('latin1');
  const contents = decodeContents(fields);
  if ('malformed' in contents) return { id, malformed: contents.malformed };
  return { id, stream, ...contents, atMs: entryTimeMs(id) };
}

/** Bytes of everything a publisher gave. */
export function eventBytes({ name, payload, topic, headers }: EventContents): number {
  let bytes = byteLength(name) + payload.length + (topic === undefined ? 0 : byteLength(topic));
  for (const [key, value] of headers) bytes += byteLength(key) + byteLength(value);
  return bytes;
}
