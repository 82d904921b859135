import { compareEntryIds, type StreamEvent } from '../../engine/index.ts';

/** Events of several streams, each in the order of its ids, as one sequence in that order: by time, as Redis gave it. */
export async function* mergeByTime(sources: readonly AsyncIterable<StreamEvent>[]): AsyncGenerator<StreamEvent> {
  const iterators = sources.map(source => source[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(iterators.map(iterator => iterator.next()));
    for (;;) {
      let first: number | undefined;
      for (const [at, head] of heads.entries()) {
        if (head.done) continue;
        const best = first === undefined ? undefined : heads[first];
        if (!best || compareEntryIds(head.value.id, (best.value as StreamEvent).id) < 0) first = at;
      }
      if (first === undefined) return;
      yield (heads[first] as IteratorYieldResult<StreamEvent>).value;
      heads[first] = (await iterators[first]?.next()) as IteratorResult<StreamEvent>;
    }
  } finally {
    await Promise.all(iterators.map(iterator => iterator.return?.()));
  }
}
