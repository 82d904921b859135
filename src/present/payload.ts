/** A payload as JSON output shows it: nested when it is JSON itself, text when it is UTF-8, else base64. Always said which. */
import { isUtf8 } from 'node:buffer';
import { parseExactJson } from './exact-json.ts';

export interface PayloadFields {
  payload: unknown;
  payloadEncoding: 'json' | 'utf8' | 'base64';
}

const JSON_START = /^\s*(?:[{["]|-?\d|true|false|null)/;

export function payloadFields(bytes: Buffer): PayloadFields {
  if (!isUtf8(bytes)) return { payload: bytes.toString('base64'), payloadEncoding: 'base64' };
  const text = bytes.toString('utf8');
  if (JSON_START.test(text)) {
    try {
      return { payload: parseExactJson(text), payloadEncoding: 'json' };
    } catch {
      // It only began like JSON.
    }
  }
  return { payload: text, payloadEncoding: 'utf8' };
}
