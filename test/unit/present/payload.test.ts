import { describe, expect, test } from 'vitest';
import { payloadFields } from '../../../src/present/payload.ts';
import { safeJson } from '../../../src/present/safe-text.ts';

describe('a payload in JSON', () => {
  test.each([
    [
      '{"a": [1.50, 12345678901234567890, 1e5, -0]}',
      '{"payload":{"a":[1.50,12345678901234567890,1e5,-0]},"payloadEncoding":"json"}',
    ],
    [' "text" ', '{"payload":"text","payloadEncoding":"json"}'],
    ['42', '{"payload":42,"payloadEncoding":"json"}'],
    ['{"__proto__":1}', '{"payload":{"__proto__":1},"payloadEncoding":"json"}'],
    ['2026-11-23 started', '{"payload":"2026-11-23 started","payloadEncoding":"utf8"}'],
    ['', '{"payload":"","payloadEncoding":"utf8"}'],
    ['{"a":', '{"payload":"{\\"a\\":","payloadEncoding":"utf8"}'],
    ['\u001b[2J', '{"payload":"\\u001b[2J","payloadEncoding":"utf8"}'],
  ])('%j is shown as it is', (text, json) => {
    expect(safeJson(payloadFields(Buffer.from(text)))).toBe(json);
  });

  test('that is no UTF-8 is base64', () => {
    expect(payloadFields(Buffer.from([0x7b, 0xff]))).toEqual({ payload: 'e/8=', payloadEncoding: 'base64' });
  });

  test('nested so deeply that it could not be written is text', () => {
    const text = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(payloadFields(Buffer.from(text)).payloadEncoding).toBe('utf8');
    const brackets = `["${'['.repeat(100_000)}"]`;
    expect(payloadFields(Buffer.from(brackets)).payloadEncoding).toBe('json');
  });
});
