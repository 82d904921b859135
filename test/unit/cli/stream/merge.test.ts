import { describe, expect, test } from 'vitest';
import { mergeByTime } from '../../../../src/cli/stream/merge.ts';
import type { StreamEvent } from '../../../../src/engine/index.ts';

describe('merging streams by time', () => {
  function stream(name: string, ids: readonly string[], closed: string[] = []): AsyncIterable<StreamEvent> {
    return (async function* () {
      try {
        for (const id of ids) yield { id, stream: name } as StreamEvent;
      } finally {
        closed.push(name);
      }
    })();
  }

  async function merged(...streams: AsyncIterable<StreamEvent>[]): Promise<string[]> {
    const ids: string[] = [];
    for await (const { stream: name, id } of mergeByTime(streams)) ids.push(`${name} ${id}`);
    return ids;
  }

  test('gives every event in the order of the ids, as numbers', async () => {
    const a = stream('a', ['9-0', '10-2', '10-10', '300-0']);
    const b = stream('b', ['1-0', '10-3', '200-18446744073709551615']);
    expect(await merged(a, stream('none', []), b)).toEqual([
      'b 1-0',
      'a 9-0',
      'a 10-2',
      'b 10-3',
      'a 10-10',
      'b 200-18446744073709551615',
      'a 300-0',
    ]);
    expect(await merged()).toEqual([]);
  });

  test('ends all of them when it is left', async () => {
    const closed: string[] = [];
    for await (const _ of mergeByTime([stream('a', ['1-0', '3-0'], closed), stream('b', ['2-0'], closed)])) break;
    expect(closed.sort()).toEqual(['a', 'b']);
  });
});
