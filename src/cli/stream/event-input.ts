/** Standard input as events: one a line, bytes as they are (`--lines`) or as a JSON object (`--ndjson`). */
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { type Bytes, encodeText } from '../../engine/index.ts';
import { parseExactJson } from '../../present/exact-json.ts';
import { UsageError } from '../errors.ts';
import { readLines } from '../stdin.ts';

/** What an event is made of where a line does not say it. */
export interface EventDefaults {
  event: string;
  topic: string | undefined;
  headers: ReadonlyMap<string, string>;
}

export interface EventInput extends EventDefaults {
  /** Of the input, counted from 1. */
  line: number;
  payload: Bytes;
  /** By which a partitioned stream chooses the partition. */
  key?: string | undefined;
  /** Size of the line. */
  sizeBytes: number;
  /** Why there is nothing to publish. */
  error: UsageError | undefined;
}

/** What `stream tail -o ndjson` writes beside the fields of an event; read back, it means nothing. */
const PASSED_OVER = ['type', 'stream', 'id', 'time'];
const FIELDS = ['event', 'topic', 'payload', 'payloadEncoding', 'headers', 'key'];
const HINT = 'Give one object a line: {"event": "deployed", "topic": "eu.web", "payload": {"version": 7}}.';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Every line is an event, an empty one too; only its line feed is no part of it. */
export async function* readLineEvents(
  input: Readable,
  defaults: EventDefaults,
  signal: AbortSignal,
): AsyncGenerator<EventInput> {
  for await (const { number, bytes } of readLines(input, { signal, keepCarriageReturn: true })) {
    yield { ...defaults, line: number, payload: bytes, sizeBytes: bytes.length, error: undefined };
  }
}

/**
 * A line that is no event is given with its error. Blank lines are passed over.
 * @param endAtError whether such a line is the last one read: nothing behind it is to be published.
 */
export async function* readJsonEvents(
  input: Readable,
  defaults: EventDefaults,
  signal: AbortSignal,
  endAtError: boolean,
): AsyncGenerator<EventInput> {
  for await (const { number, bytes } of readLines(input, { signal })) {
    const event: EventInput = { ...defaults, line: number, payload: '', sizeBytes: bytes.length, error: undefined };
    try {
      const parsed = parseEventLine(bytes);
      if (parsed === undefined) continue;
      Object.assign(event, parsed);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      event.error = new UsageError(error.message, { hint: error.hint ?? HINT });
    }
    yield event;
    if (event.error && endAtError) return;
  }
}

/**
 * undefined for a blank line, and for a record of `stream tail` that is no event.
 * @throws UsageError that never quotes the line.
 */
export function parseEventLine(bytes: Buffer): Partial<EventInput> | undefined {
  if (!isUtf8(bytes))
    throw new UsageError('no UTF-8', { hint: 'Give bytes as {"payload": "...", "payloadEncoding": "base64"}.' });
  const text = bytes.toString('utf8');
  if (text.trim() === '') return undefined;
  const record = parseObject(text);
  if (record.type !== undefined && record.type !== 'event') return undefined;
  const unknown = Object.keys(record).find(name => !FIELDS.includes(name) && !PASSED_OVER.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`unknown field ${JSON.stringify(unknown)}`, { hint: `Fields: ${FIELDS.join(', ')}.` });
  }
  if (!('payload' in record)) throw new UsageError('"payload" is missing');
  const { event, topic, headers, key } = record;
  return {
    ...(event === undefined || event === null ? {} : { event: textField('event', event) }),
    ...(topic === undefined || topic === null ? {} : { topic: textField('topic', topic) }),
    ...(headers === undefined || headers === null ? {} : { headers: headerField(headers) }),
    ...(key === undefined || key === null ? {} : { key: textField('key', key) }),
    payload: payloadField(record.payload, record.payloadEncoding),
  };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (error) {
    throw new UsageError('no JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError('no JSON object');
  return value as Record<string, unknown>;
}

function textField(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new UsageError(`"${name}" is no string`);
  return value;
}

function headerField(value: unknown): ReadonlyMap<string, string> {
  const pairs =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
  if (!pairs?.every(([, text]) => typeof text === 'string')) throw new UsageError('"headers" is no object of strings');
  return new Map(pairs as [string, string][]);
}

/** A text is its bytes unless the encoding says otherwise; any other JSON value is its JSON text. */
function payloadField(payload: unknown, encoding: unknown): Bytes {
  if (encoding !== undefined && encoding !== 'utf8' && encoding !== 'base64' && encoding !== 'json') {
    throw new UsageError('"payloadEncoding" is none of utf8, base64, json');
  }
  if (typeof payload !== 'string' || encoding === 'json') return JSON.stringify(payload);
  if (encoding !== 'base64') return encodeText(payload);
  if (!BASE64.test(payload)) throw new UsageError('"payload" is no base64');
  return Buffer.from(payload, 'base64');
}
