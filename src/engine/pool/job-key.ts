import { ArgumentError } from '../core/errors.ts';
import { checkSize } from '../core/names.ts';
import { encodeText } from '../core/text.ts';
import type { KeyBytes } from '../redis/keys.ts';
import { type Hash64, hash64 } from './hash.ts';

export const MAX_JOB_KEY_BYTES = 1024;

/** A job key as Redis stores it, and its place in the hash space. */
export interface JobKeyForm {
  readonly bytes: KeyBytes;
  readonly hash: Hash64;
}

const NEEDS_ENCODING = /[\uD800-\uDFFF]/;

/**
 * @throws ArgumentError when the key is empty or holds half of a surrogate pair; TooLargeError when it is too long.
 */
export function jobKeyForm(key: string): JobKeyForm {
  if (typeof key !== 'string' || key === '') throw new ArgumentError('a job key is a text of at least one character');
  const bytes = NEEDS_ENCODING.test(key) ? encodeText(key) : key;
  if (key.length > MAX_JOB_KEY_BYTES / 4) checkSize('KEY', bytes, MAX_JOB_KEY_BYTES);
  return { bytes, hash: hash64(bytes) };
}

/** The key alone, for calls that place nothing. */
export function jobKeyBytes(key: string): KeyBytes {
  return NEEDS_ENCODING.test(key) ? encodeText(key) : key;
}
