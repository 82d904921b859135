/** The lines of `job dispatch - --ndjson`: one JSON object for each job. */
import type { Readable } from 'node:stream';
import { type Bytes, encodeText } from '../../engine/index.ts';
import { UsageError } from '../errors.ts';
import { readLines } from '../stdin.ts';

export interface BulkJob {
  /** Of the input, counted from 1. */
  line: number;
  /** null when the line could not be read. */
  key: string | null;
  payload: Bytes;
  id: string | undefined;
  /** Why there is nothing to dispatch. */
  error: UsageError | undefined;
}

const FIELDS = ['key', 'payload', 'payloadEncoding', 'id'];

/** A line that is no job is given with its error, so that whoever reads decides whether to go on. Blank lines are passed over. */
export async function* readBulkJobs(input: Readable, signal: AbortSignal): AsyncGenerator<BulkJob> {
  for await (const { number, bytes } of readLines(input, { signal })) {
    const text = bytes.toString('utf8');
    if (text.trim() === '') continue;
    const job: BulkJob = { line: number, key: null, payload: '', id: undefined, error: undefined };
    try {
      Object.assign(job, parseBulkJob(text));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      job.error = new UsageError(`line ${number}: ${error.message}`, { hint: error.hint ?? HINT });
    }
    yield job;
  }
}

const HINT = 'Give one object a line: {"key": "tenant-7", "payload": "text"}.';

/** @throws UsageError that never quotes the text. */
export function parseBulkJob(text: string): { key: string; payload: Bytes; id: string | undefined } {
  const record = parseObject(text);
  const unknown = Object.keys(record).filter(name => !FIELDS.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(`unknown field ${JSON.stringify(unknown[0])}`, { hint: `Fields: ${FIELDS.join(', ')}.` });
  }
  const { key, id } = record;
  if (typeof key !== 'string') throw new UsageError('"key" is missing or no string');
  if (id !== undefined && typeof id !== 'string') throw new UsageError('"id" is no string');
  return { key, payload: parsePayload(record.payload, record.payloadEncoding), id };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError('no JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError('no JSON object');
  return value as Record<string, unknown>;
}

/** Text is its bytes, or what base64 says; any other JSON value is its JSON text; none is empty. */
function parsePayload(payload: unknown, encoding: unknown = 'utf8'): Bytes {
  if (encoding !== 'utf8' && encoding !== 'base64')
    throw new UsageError('"payloadEncoding" is neither utf8 nor base64');
  if (payload === undefined || payload === null) return '';
  if (encoding === 'base64') {
    if (typeof payload !== 'string' || !BASE64.test(payload)) throw new UsageError('"payload" is no base64');
    return Buffer.from(payload, 'base64');
  }
  return typeof payload === 'string' ? encodeText(payload) : JSON.stringify(payload);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
