import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { csvLine } from '../../../src/present/csv.ts';
import { formatAge, formatBytes, formatDuration, parseBytes, parseDuration } from '../../../src/present/human.ts';
import { toYaml } from '../../../src/present/yaml.ts';

describe('durations, sizes and ages', () => {
  it.each([
    [0, '0ms'],
    [870, '870ms'],
    [1.25, '1.3ms'],
    [12_000, '12s'],
    [185_000, '3m 5s'],
    [7_200_000, '2h'],
    [367_200_000, '4d 6h'],
    [-5000, '-5s'],
  ])('writes %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1h 30m', 5_400_000],
    ['2d', 172_800_000],
    ['1.5s', 1500],
    ['3', 3000],
  ])('reads %s as %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', 'x', '5 parsecs', '-5s', '5s!', 's', '1e3'])('refuses %j as a duration', text =>
    expect(() => parseDuration(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', hint: expect.any(String) }),
    ),
  );

  it.each([
    [512, '512 B'],
    [1536, '1.5 KiB'],
    [65_536, '64 KiB'],
    [1_048_575, '1 MiB'],
    [5 * 1024 ** 3, '5 GiB'],
  ])('writes %d bytes as %s', (bytes, text) => expect(formatBytes(bytes).replace('.0', '')).toBe(text));

  it.each([
    ['512', 512],
    ['64k', 65_536],
    ['10MiB', 10_485_760],
    ['1.5g', 1_610_612_736],
    ['2kb', 2000],
  ])('reads %s as %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it('refuses what is no size', () => {
    for (const text of ['', 'k', '5 bananas', '-1']) expect(() => parseBytes(text)).toThrow('not a size');
  });

  it('counts an age in one unit, and a time to come as now', () => {
    const ages = [0, 119_000, 121_000, 7_300_000, 200_000_000].map(ms => formatAge(1000, 1000 + ms));
    expect(ages).toEqual(['0s', '119s', '2m', '2h', '2d']);
    expect(formatAge(5000, 1000)).toBe('0s');
  });
});

describe('CSV', () => {
  it('quotes what must be quoted', () => {
    expect(csvLine(['a', 'b,c', 'say "hi"', 'two\nlines', ' blank', null, 5, true])).toBe(
      'a,"b,c","say ""hi""","two\nlines"," blank",,5,true\n',
    );
  });
});

describe('YAML', () => {
  it('gives the same data back and hides nothing from a terminal', () => {
    const data = {
      '\u001bkey': '\u202e',
      yes: 'no',
      list: ['a: b', '', null, 1.5, 'two\nlines'],
      lone: '\udcff',
      e: {},
    };
    const text = toYaml(data);
    expect(parse(text)).toEqual(data);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(text).toContain('"no"');
  });
});
