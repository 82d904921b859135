import { isUtf8 } from 'node:buffer';
import type { Blob } from './snapshots.ts';

/** Bytes that are shown: an observer never needs a megabyte. */
const SHOWN_BYTES = 4096;

/** Bytes for JSON: text where they are text, cut where they are long. */
export function toBlob(bytes: Buffer, shownBytes = SHOWN_BYTES): Blob {
  if (!isUtf8(bytes)) {
    return { encoding: 'base64', data: bytes.subarray(0, shownBytes).toString('base64'), sizeBytes: bytes.length };
  }
  return { encoding: 'utf8', data: cutUtf8(bytes, shownBytes).toString('utf8'), sizeBytes: bytes.length };
}

/** The first bytes, without a part of a character at the end. */
function cutUtf8(bytes: Buffer, mostBytes: number): Buffer {
  if (bytes.length <= mostBytes) return bytes;
  let end = mostBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
