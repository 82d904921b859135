/** Publishing under an id of the publisher: what makes two events the same, and which ids are allowed. */
import { createHash } from 'node:crypto';
import { type Bytes, toBuffer } from '../core/bytes.ts';
import { ArgumentError } from '../core/errors.ts';
import { checkSize } from '../core/names.ts';
import { encodeText } from '../core/text.ts';
import type { Headers } from './event.ts';

export interface PublishedOnce {
  /** Of the event in the stream. */
  readonly id: string;
  /** False when it was there already: nothing was added. True also when an attempt that had no answer may have added it. */
  readonly added: boolean;
}

export interface OnceKey {
  readonly id: Buffer;
  readonly digest: string;
}

const ID_LIMIT_BYTES = 1024;
/** They differ from one attempt to the next, and say nothing of the event. */
const TRACE_HEADERS = /^trace(parent|state)$/i;

/**
 * The digest is made here, because Redis serves nobody else while it reads a large payload. Each part is preceded by its
 * length, so that no two events run into one; headers count in any order.
 * @throws ArgumentError, TooLargeError
 */
export function onceKey(
  id: string,
  name: string,
  payload: Bytes,
  topic: string | undefined,
  headers: Headers | undefined,
): OnceKey {
  if (typeof id !== 'string' || id === '') throw new ArgumentError('the id of an event is a text that is not empty');
  const bytes = encodeText(id);
  checkSize('KEY', bytes, ID_LIMIT_BYTES);
  const pairs = headers === undefined ? [] : headers instanceof Map ? [...headers] : Object.entries(headers);
  const kept = pairs.filter(([key]) => !TRACE_HEADERS.test(key)).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256');
  const parts = [name, topic === undefined ? '' : `t${topic}`, JSON.stringify(kept)].map(encodeText);
  for (const part of [...parts, toBuffer(payload)]) hash.update(`${part.length} `).update(part);
  return { id: bytes, digest: hash.digest().subarray(0, 16).toString('base64url') };
}
