import { expect, test } from 'vitest';
import { ByteCredits } from '../../../../src/cli/stream/byte-credits.ts';

async function* things(...sizes: number[]) {
  for (const sizeBytes of sizes) yield { sizeBytes };
}

test('nothing passes beyond the limit until something is given back, and a thing too large passes alone', async () => {
  const credits = new ByteCredits(10);
  const source = credits.admit(things(6, 4, 1, 50));
  const passed: number[] = [];
  const all = (async () => {
    for await (const { sizeBytes } of source) passed.push(sizeBytes);
  })();
  await new Promise(setImmediate);
  expect(passed).toEqual([6, 4]);
  credits.give(6);
  await new Promise(setImmediate);
  expect(passed).toEqual([6, 4, 1]);
  credits.give(4);
  await new Promise(setImmediate);
  expect(passed).toEqual([6, 4, 1]);
  credits.give(1);
  await all;
  expect(passed).toEqual([6, 4, 1, 50]);
});
