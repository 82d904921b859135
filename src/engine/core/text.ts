/**
 * Keys and values are bytes in Redis and strings in the API. Valid UTF-8 is itself; each byte that is not part of valid
 * UTF-8 becomes one lone low surrogate, U+DC80 to U+DCFF, which valid UTF-8 can never produce. So every byte string has
 * exactly one text and comes back unchanged. Source: M. v. Löwis, PEP 383 ("surrogateescape").
 */
import { isUtf8 } from 'node:buffer';
import { ArgumentError } from './errors.ts';

const ESCAPED_OR_LONE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

export function decodeText(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    const size = validSequence(buffer, at);
    if (size === 0) text += String.fromCharCode(0xdc00 + (buffer[at++] as number));
    else {
      text += buffer.toString('utf8', at, at + size);
      at += size;
    }
  }
  return text;
}

/** @throws ArgumentError on a lone surrogate that stands for no byte: no bytes would give that text back. */
export function encodeText(text: string): Buffer {
  if (!ESCAPED_OR_LONE.test(text)) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code < 0xd800 || code > 0xdfff) parts.push(Buffer.from(character, 'utf8'));
    else if (code >= 0xdc80 && code <= 0xdcff) parts.push(Buffer.from([code - 0xdc00]));
    else throw new ArgumentError('text holds half of a surrogate pair', { hint: 'It is no valid Unicode text.' });
  }
  return Buffer.concat(parts);
}

/** Length of the valid UTF-8 sequence at `at`, or 0. */
function validSequence(buffer: Buffer, at: number): number {
  const lead = buffer[at] as number;
  const size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  return size > 0 && at + size <= buffer.length && isUtf8(buffer.subarray(at, at + size)) ? size : 0;
}
