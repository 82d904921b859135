import { expect, it } from 'vitest';
import { storedCount, storedFields } from '../../src/engine/core/stored.ts';

it.each([
  ['0', 0],
  ['1790000000000000', 1_790_000_000_000_000],
  ['', undefined],
  ['x', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['NaN', undefined],
  ['9999999999999999', undefined],
  [null, undefined],
])('reads %s as the count %s', (text, count) => {
  expect(storedCount(text, undefined)).toBe(count);
  expect(storedCount(text === null ? null : Buffer.from(text), undefined)).toBe(count);
});

it.each([
  ['{"a":1,"b":"x","c":true}', { a: 1, b: 'x' }],
  ['{"a":"1","b":null}', {}],
  ['[1,2]', {}],
  ['null', {}],
  ['"text"', {}],
  ['{', {}],
  [undefined, {}],
])('takes from %s what has the type wanted', (text, fields) => {
  expect(storedFields(text, { a: 0, b: '' })).toEqual(fields);
});
