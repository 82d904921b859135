import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import {
  type EventInput,
  parseEventLine,
  readJsonEvents,
  readLineEvents,
} from '../../../../src/cli/stream/event-input.ts';

const DEFAULTS = { event: 'x', topic: 't', headers: new Map([['a', 'b']]) };

async function collect(events: AsyncIterable<EventInput>): Promise<EventInput[]> {
  const all: EventInput[] = [];
  for await (const event of events) all.push(event);
  return all;
}

function input(...chunks: (string | Buffer)[]): Readable {
  return Readable.from(chunks.map(chunk => Buffer.from(chunk)));
}

const never = new AbortController().signal;

describe('a line of JSON as an event', () => {
  const parse = (text: string) => parseEventLine(Buffer.from(text));

  test('is a payload: a text as it is, any other value as its JSON', () => {
    expect(parse('{"payload":"text"}')).toEqual({ payload: Buffer.from('text') });
    expect(parse('{"payload":null}')).toEqual({ payload: 'null' });
    expect(parse('{"payload":{"a":[1.50,1e400,12345678901234567890]}}')).toEqual({
      payload: '{"a":[1.50,1e400,12345678901234567890]}',
    });
    expect(parse('{"payload":"\\udcff"}')).toEqual({ payload: Buffer.from([255]) });
    expect(parse('{"payload":"/w==","payloadEncoding":"base64"}')).toEqual({ payload: Buffer.from([255]) });
    expect(parse('{"payload":"1","payloadEncoding":"json"}')).toEqual({ payload: '"1"' });
  });

  test('may name the event, its topic and its headers, and say what tail says', () => {
    const text =
      '{"type":"event","stream":"s","id":"1-1","time":"","event":"e","topic":"","headers":{"__proto__":"1"},"payload":""}';
    expect(parse(text)).toEqual({
      event: 'e',
      topic: '',
      headers: new Map([['__proto__', '1']]),
      payload: Buffer.alloc(0),
    });
    expect(parse('{"event":null,"topic":null,"headers":null,"payload":1}')).toEqual({ payload: '1' });
  });

  test('is none when it is blank or a record of tail that is no event', () => {
    expect(parse('  ')).toBeUndefined();
    expect(parse('{"type":"gap","stream":"s"}')).toBeUndefined();
  });

  test.each([
    ['{', 'no JSON'],
    ['[1]', 'no JSON object'],
    ['{}', '"payload" is missing'],
    ['{"payload":1,"tpoic":"x"}', 'unknown field "tpoic"'],
    ['{"payload":1,"event":2}', '"event" is no string'],
    ['{"payload":1,"headers":{"a":1}}', '"headers" is no object of strings'],
    ['{"payload":"%","payloadEncoding":"base64"}', '"payload" is no base64'],
    ['{"payload":"x","payloadEncoding":"hex"}', '"payloadEncoding" is none of utf8, base64, json'],
    [`{"payload":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'no JSON'],
  ])('%.40s is refused', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('is refused when it is no UTF-8, and never quoted', () => {
    expect(() => parseEventLine(Buffer.from('{"payload":"secret\xff"}', 'latin1'))).toThrow(/^no UTF-8$/);
  });
});

describe('lines as events', () => {
  test('keep every byte but the line feed, across chunks, with or without a last one', async () => {
    const events = await collect(
      readLineEvents(input('a\r\n\n \nb', Buffer.from([0xff, 10, 0]), 'c'), DEFAULTS, never),
    );
    expect(events.map(({ payload }) => payload)).toEqual(
      ['a\r', '', ' ', 'b\xff', '\0c'].map(text => Buffer.from(text, 'latin1')),
    );
    expect(events.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5]);
    expect(events[0]).toMatchObject(DEFAULTS);
  });

  test('of JSON take from the command line what they do not say', async () => {
    const events = await collect(
      readJsonEvents(input('{"payload":1}\r\n\n{"payload":2,"topic":"u"}'), DEFAULTS, never, true),
    );
    expect(events).toMatchObject([
      { line: 1, event: 'x', topic: 't' },
      { line: 3, event: 'x', topic: 'u' },
    ]);
  });

  test('of JSON end at a bad one, or go on behind it', async () => {
    const text = '{"payload":1}\nbad\n{"payload":3}\n';
    const lines = async (endAtError: boolean) =>
      (await collect(readJsonEvents(input(text), DEFAULTS, never, endAtError))).map(({ line, error }) => [
        line,
        !error,
      ]);
    expect(await lines(true)).toEqual([
      [1, true],
      [2, false],
    ]);
    expect(await lines(false)).toEqual([
      [1, true],
      [2, false],
      [3, true],
    ]);
  });
});
