import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../../src/engine/core/text.ts';
import { formatMapDocument, parseMapDocument } from '../../../src/present/map-document.ts';

const roundTrip = (entries: ReadonlyMap<string, string>) =>
  parseMapDocument(Buffer.from(formatMapDocument(entries, ['Map "m"', '', 'a: comment']), 'utf8'));

const AWKWARD = [
  '5',
  '0x1f',
  '1e3',
  '-.inf',
  '~',
  'null',
  'yes',
  'No',
  'true',
  '',
  ' ',
  ' a ',
  '#x',
  'a # b',
  'a: b',
  '- a',
  '? a',
  '<<',
  '*a',
  '&a',
  '!t',
  '---',
  '...',
  '%YAML',
  '"',
  "'",
  '`',
  '@',
  '\n',
  '\n\n',
  'a\n',
  'a\n\n',
  '\na',
  ' a\n b',
  'a \nb',
  '\ta\nb',
  'a\r\nb',
  '\r',
  '\t',
  '\u0000',
  '\u001b[2J',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\u202e',
  '🜂',
  '\u{e0001}',
  '2001-12-14',
  '__proto__',
  'constructor',
  '{a',
  '[b',
  '|',
  '>',
  'x'.repeat(2000),
  `${'word '.repeat(300)}\nline`,
  decodeText(Buffer.from([0, 255, 254, 10])),
  decodeText(Buffer.from([0xc3])),
];

describe('a map as a document', () => {
  it('comes back as it was: awkward texts as keys and as values', () => {
    const entries = new Map(AWKWARD.flatMap((text, i) => [[text, AWKWARD[AWKWARD.length - 1 - i] as string]]));
    expect(roundTrip(entries)).toEqual(entries);
    for (const text of AWKWARD) expect(roundTrip(new Map([[text, text]]))).toEqual(new Map([[text, text]]));
    expect(roundTrip(new Map())).toEqual(new Map());
  });

  it('comes back as it was: any bytes', () => {
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 12 }).map(decodeText),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc.stringMatching(/^[ \t\n#:\-'"a5?|>&*!%{},[\]~.\r]{0,8}$/),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), list => {
        const entries = new Map(list);
        expect(roundTrip(entries)).toEqual(entries);
      }),
      { numRuns: 3000 },
    );
  });

  it('is plain to read: quotes only where YAML needs them, lines as lines', () => {
    const text = formatMapDocument(
      new Map([
        ['interval', '5s'],
        ['limit', '100'],
        ['text', 'one\ntwo\n'],
      ]),
      ['Map "m"'],
    );
    expect(text).toBe('# Map "m"\ninterval: 5s\nlimit: "100"\ntext: |\n  one\n  two\n');
  });

  it('takes what a person types as the text it is', () => {
    const typed = 'a: 5\nb: yes\nc:\nd: null\ne: 2001-12-14\nf: "1"\n5: x\ng: 0x10 # note\n';
    expect(Object.fromEntries(parseMapDocument(Buffer.from(typed)) ?? [])).toEqual({
      a: '5',
      b: 'yes',
      c: '',
      d: 'null',
      e: '2001-12-14',
      f: '1',
      5: 'x',
      g: '0x10',
    });
  });

  it('is empty when nothing but comments is in it', () => {
    for (const text of ['', '\n', '# only this\n', '---\n'])
      expect(parseMapDocument(Buffer.from(text))).toBeUndefined();
    expect(parseMapDocument(Buffer.from('{}'))).toEqual(new Map());
  });

  it.each([
    ['a: 1\nb: [1, 2]\n', /line 2.*"b" is no text/],
    ['a: 1\nb:\n  c: 1\n', /line 3.*"b" is no text/],
    ['a: &x 1\nb: *x\n', /line 2.*"b" is no text/],
    ['a: 1\na: 2\n', /line 2/],
    ['- a\n', /no mapping/],
    ['just text\n', /no mapping/],
    ['a: "1\n', /line/],
    ['a: 1\n---\nb: 2\n', /line/],
    ['a: !!binary "%%"\n', /base64/],
    ['\u0000\u00ff', /./],
  ])('refuses %j', (text, message) => {
    expect(() => parseMapDocument(Buffer.from(text))).toThrow(message);
  });

  it('refuses what is no UTF-8', () => {
    expect(() => parseMapDocument(Buffer.from([97, 58, 32, 255]))).toThrow(/no UTF-8/);
  });
});
