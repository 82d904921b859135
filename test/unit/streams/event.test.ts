import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../../src/engine/core/text.ts';
import { decodeContents, encodeEvent, type Headers } from '../../../src/engine/streams/event.ts';

function roundTrip(name: string, payload: string | Uint8Array, topic?: string, headers?: Headers) {
  const fields: (string | Uint8Array)[] = [];
  encodeEvent(fields, name, payload, topic, headers, 1_048_576);
  return decodeContents(fields.map(field => Buffer.from(field as string)));
}

const anyText = fc.uint8Array({ maxLength: 40 }).map(decodeText);

describe('the form of an event in Redis', () => {
  it('round-trips any bytes in every part', () => {
    fc.assert(
      fc.property(
        anyText,
        fc.uint8Array({ maxLength: 200 }),
        fc.option(anyText, { nil: undefined }),
        fc.array(fc.tuple(anyText, anyText), { maxLength: 4 }),
        (name, payload, topic, pairs) => {
          const headers = new Map(pairs);
          expect(roundTrip(name, payload, topic, headers)).toEqual({
            name,
            payload: Buffer.from(payload),
            topic,
            headers,
          });
        },
      ),
    );
  });

  it('takes a part of a larger array as just that part', () => {
    const part = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    expect(roundTrip('n', part)).toMatchObject({ payload: Buffer.from([2, 3]) });
    const fields: (string | Uint8Array)[] = [];
    encodeEvent(fields, 'n', part, undefined, undefined, 100);
    // The client writes bytes as bytes only when they are a Buffer.
    expect(fields[3]).toBeInstanceOf(Buffer);
  });

  it('tells an empty topic from none', () => {
    expect(roundTrip('n', '', '')).toMatchObject({ topic: '' });
    expect(roundTrip('n', '')).toMatchObject({ topic: undefined });
  });

  it('keeps headers that would pollute an object harmless', () => {
    const contents = roundTrip('n', 'p', undefined, JSON.parse('{"__proto__": "x", "constructor": "y"}'));
    expect(contents).toMatchObject({
      headers: new Map([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]),
    });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it.each([
    ['payload', () => roundTrip('n', Buffer.alloc(1_048_577)), 'PAYLOAD_TOO_LARGE'],
    ['name', () => roundTrip('n'.repeat(65_537), ''), 'NAME_TOO_LARGE'],
    ['topic', () => roundTrip('n', '', 'é'.repeat(32_769)), 'NAME_TOO_LARGE'],
    ['headers', () => roundTrip('n', '', undefined, { a: 'x'.repeat(65_536) }), 'NAME_TOO_LARGE'],
    ['half a character', () => roundTrip('\ud800', ''), 'INVALID_ARGUMENT'],
    ['a number', () => roundTrip('n', 5 as never), 'INVALID_ARGUMENT'],
    ['a header of a number', () => roundTrip('n', '', undefined, { a: 5 as never }), 'INVALID_ARGUMENT'],
  ])('refuses a %s that it cannot keep', (_, act, code) => {
    expect(act).toThrow(expect.objectContaining({ code }));
  });

  it.each<[string, string[]]>([
    ['no name', ['p', 'x']],
    ['no payload', ['n', 'x']],
    ['no fields of ours', ['foo', 'bar']],
    ['headers that are no JSON', ['n', 'x', 'p', 'x', 'h', '{']],
    ['headers that are no pairs', ['n', 'x', 'p', 'x', 'h', '[["a"]]']],
    ['too many fields', Array.from({ length: 2000 }, (_, i) => `f${i}`)],
  ])('finds an entry with %s malformed', (_, fields) => {
    expect(decodeContents(fields.map(field => Buffer.from(field)))).toHaveProperty('malformed');
  });

  it('leaves fields of other names alone', () => {
    const fields = ['x', '1', 'n', 'name', 'p', 'payload', 'later', '2'].map(field => Buffer.from(field));
    expect(decodeContents(fields)).toMatchObject({ name: 'name', payload: Buffer.from('payload') });
  });
});
