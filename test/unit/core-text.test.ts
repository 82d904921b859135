import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, encodeText } from '../../src/engine/core/text.ts';

describe('text of bytes', () => {
  it('gives back any bytes unchanged', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        expect(encodeText(decodeText(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('leaves valid text as it is', () => {
    for (const text of ['', 'a=b', '__proto__', '🜂 émile', '\u0000\n\u202e']) {
      expect(decodeText(Buffer.from(text))).toBe(text);
      expect(encodeText(text)).toEqual(Buffer.from(text));
    }
  });

  it('refuses half of a surrogate pair', () => {
    expect(() => encodeText('\ud800x')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
