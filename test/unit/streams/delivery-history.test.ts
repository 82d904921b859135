import { describe, expect, it } from 'vitest';
import { type ConsumerHistory, judge, type What } from '../../fault/streams/delivery/history.ts';

/** Lines as `what number`, all of one lane, a millisecond apart from `fromMs` on. */
function consumer(
  name: string,
  lines: string[],
  more: { fromMs?: number; killedAtMs?: number; count?: number } = {},
): ConsumerHistory {
  const { fromMs = 0, killedAtMs, count = 1 } = more;
  return {
    name,
    killedAtMs,
    lines: lines.map((line, at) => {
      const [what, number] = line.split(' ') as [What, string];
      return { atMs: fromMs + at, what, id: `${number}-0`, lane: 'l', count };
    }),
  };
}

const ids = ['1-0', '2-0'];
const full = ['received 1', 'received 2', 'started 1', 'ended 1', 'started 2', 'ended 2'];

describe('the judge of deliveries', () => {
  it('is content with events that are handled once, in order', () => {
    expect(judge(ids, [consumer('a', full)])).toEqual({
      lost: [],
      disorder: [],
      repeated: { killed: 0, claimed: 0 },
      endedBefore: 0,
      unexplained: [],
      lastEndMs: 5,
    });
  });

  it('finds what no handler ended', () => {
    expect(judge(ids, [consumer('a', full.slice(0, 5))]).lost).toEqual(['2-0']);
  });

  it('finds two of a lane at once, and a newer one before an older that waits', () => {
    const beside = ['received 1', 'received 2', 'started 1', 'started 2', 'ended 1', 'ended 2'];
    expect(judge(ids, [consumer('a', beside)]).disorder).toHaveLength(1);
    const before = ['received 1', 'received 2', 'started 2', 'ended 2', 'started 1', 'ended 1'];
    expect(judge(ids, [consumer('a', before)]).disorder).toHaveLength(1);
    const late = ['received 2', 'started 2', 'received 1', 'ended 2', 'started 1', 'ended 1'];
    expect(judge(ids, [consumer('a', late)]).disorder).toEqual([]);
  });

  it('explains what is started again by a kill or a claim, and tells what neither explains', () => {
    const again = consumer('b', full, { fromMs: 100 });
    const killed = consumer('a', full.slice(0, 4), { killedAtMs: 50 });
    expect(judge(ids, [killed, again])).toMatchObject({ repeated: { killed: 1, claimed: 0 }, endedBefore: 1 });
    const claimed = consumer('b', full, { fromMs: 100, count: 2 });
    expect(judge(ids, [consumer('a', full.slice(0, 3)), claimed])).toMatchObject({
      repeated: { killed: 0, claimed: 1 },
      endedBefore: 0,
    });
    expect(judge(ids, [consumer('a', full.slice(0, 4)), again]).unexplained).toHaveLength(1);
    const killedLater = consumer('a', full.slice(0, 4), { killedAtMs: 500 });
    expect(judge(ids, [killedLater, again]).unexplained).toHaveLength(1);
  });
});
