import { describe, expect, it } from 'vitest';
import { TickBatch } from '../../../src/engine/pool/tick-batch.ts';

function batching(answer: (text: string) => string | Error = text => text.toUpperCase()) {
  const sent: string[][] = [];
  const batch = new TickBatch<string, string>({
    send: async requests => {
      sent.push([...requests]);
      return requests.map(answer);
    },
    bytesOf: text => text.length,
    maxCount: 3,
    maxBytes: 10,
  });
  return { batch, sent };
}

describe('a batch of one tick', () => {
  it('sends together what one tick asks for, and gives each its answer', async () => {
    const { batch, sent } = batching();
    expect(await Promise.all([batch.add('a'), batch.add('b')])).toEqual(['A', 'B']);
    expect(await batch.add('c')).toBe('C');
    expect(sent).toEqual([['a', 'b'], ['c']]);
  });

  it('sends no more at once than its limits allow, and a large one alone', async () => {
    const { batch, sent } = batching();
    await Promise.all(['a', 'b', 'c', 'd', 'x'.repeat(40), 'e'].map(text => batch.add(text)));
    expect(sent).toEqual([['a', 'b', 'c'], ['d'], ['x'.repeat(40)], ['e']]);
  });

  it('rejects the one whose answer is an error, and no other', async () => {
    const { batch } = batching(text => (text === 'b' ? new Error('not b') : text));
    const results = await Promise.allSettled([batch.add('a'), batch.add('b'), batch.add('c')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('rejects all when they could not be sent', async () => {
    const batch = new TickBatch<string, string>({
      send: () => Promise.reject(new Error('no Redis')),
      bytesOf: () => 1,
      maxCount: 3,
      maxBytes: 10,
    });
    const results = await Promise.allSettled([batch.add('a'), batch.add('b')]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
