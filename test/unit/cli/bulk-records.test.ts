import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { parseBulkJob, readBulkJobs } from '../../../src/cli/job/bulk-records.ts';

test('a payload is text, base64, or JSON of its own', () => {
  expect(parseBulkJob('{"key":"a","payload":"é\\u0000"}')).toMatchObject({ key: 'a', payload: Buffer.from('é\u0000') });
  expect(parseBulkJob('{"key":"a","payload":"/w==","payloadEncoding":"base64"}').payload).toEqual(Buffer.from([0xff]));
  expect(parseBulkJob('{"key":"a","payload":{"b":[1]}}').payload).toBe('{"b":[1]}');
  expect(parseBulkJob('{"key":"__proto__","id":"x"}')).toEqual({ key: '__proto__', payload: '', id: 'x' });
});

test.each([
  ['{"payload":"x"}', '"key" is missing or no string'],
  ['{"key":1}', '"key" is missing or no string'],
  ['{"key":"a","paylod":"x"}', 'unknown field "paylod"'],
  ['{"key":"a","payload":"*","payloadEncoding":"base64"}', '"payload" is no base64'],
  ['{"key":"a","payloadEncoding":"hex"}', '"payloadEncoding" is neither utf8 nor base64'],
  ['["a"]', 'no JSON object'],
  ['secret', 'no JSON'],
])('%s is refused: %s', (line, message) => {
  expect(() => parseBulkJob(line)).toThrow(message);
});

test('a bad line is given with its number and its error, and the others are read', async () => {
  const input = Readable.from([Buffer.from('{"key":"a"}\n\nnonsense\n{"key":"b"}')]);
  const jobs = [];
  for await (const job of readBulkJobs(input, new AbortController().signal)) jobs.push(job);
  expect(jobs.map(({ line, key, error }) => [line, key, error?.message])).toEqual([
    [1, 'a', undefined],
    [3, null, 'line 3: no JSON'],
    [4, 'b', undefined],
  ]);
});
