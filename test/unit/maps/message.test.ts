import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeText } from '../../../src/engine/core/text.ts';
import { parseMessage } from '../../../src/engine/maps/message.ts';

const head = 'g.1 10 20 0';
const bytes = (header: string, ...parts: string[]) =>
  Buffer.concat([Buffer.from(`${header}\n`), ...parts.map(encodeText)]);
const common = { generation: 'g.1', previous: 10, revision: 20, expiresAtMs: 0 };

describe('the message of a change', () => {
  it.each(['plain', '', 'a=b', '__proto__', '😀', '\n', '\0', '\uDC80\uDCFF', ' 5,3'])('carries %j as it is', text => {
    const size = encodeText(text).length;
    expect(parseMessage(bytes(`${head} set ${size}`, text, text))).toEqual({
      ...common,
      kind: 'set',
      key: text,
      value: text,
    });
    expect(parseMessage(bytes(`${head} delete ${size}`, text))).toEqual({ ...common, kind: 'delete', key: text });
    expect(parseMessage(bytes(`${head} fetch ${size},1`, text, 'x'))).toEqual({
      ...common,
      kind: 'fetch',
      keys: [text, 'x'],
    });
    expect(parseMessage(bytes(`${head} batch ${size},1,1,${size}`, text, 'v', 'k', text))).toEqual({
      ...common,
      kind: 'batch',
      entries: [
        [text, 'v'],
        ['k', text],
      ],
    });
  });

  it('is refused unless it is whole', () => {
    for (const broken of [
      '',
      'nonsense',
      'nonsense\n',
      `${head} set 9\nshort`,
      `${head} batch 1,9\nab`,
      `${head} batch 1\na`,
      `${head} fetch 1,1\nabc`,
      `${head} unheard-of 0\n`,
      'g.1 20 10 0 reset 0\n',
      'g.1 x y 0 reset 0\n',
    ]) {
      expect(parseMessage(Buffer.from(broken))).toBeUndefined();
    }
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (payload, framed) => {
        const message = parseMessage(Buffer.concat([Buffer.from(framed ? `${head} batch ` : ''), payload]));
        expect(message === undefined || typeof message === 'object').toBe(true);
      }),
    );
  });
});
