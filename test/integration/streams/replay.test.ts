import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Replay, type ReplayOptions } from '../../../src/engine/streams/replay.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { numbers, openStream, publish } from './sinks.ts';

async function collect(replay: Replay): Promise<string[]> {
  const payloads: string[] = [];
  for await (const event of replay) payloads.push(event.payload.toString());
  return payloads;
}

describe('a replay', () => {
  const redis = useRedis();

  async function filled(count: number) {
    const { link, stream } = await openStream(redis, 's');
    const ids = (await publish(stream, 0, count)) as [string, ...string[]];
    const open = (options: ReplayOptions = {}) => Replay.open(link, 's', options);
    return { link, stream, ids, open, at: (index: number) => ids[index] as string };
  }

  it('gives everything up to the end of the moment it was opened, and says that it is complete', async () => {
    const { stream, open, at } = await filled(1500);
    const replay = await open();
    await publish(stream, 1500, 1600);
    expect(replay.result).toBeUndefined();
    expect(await collect(replay)).toEqual(numbers(0, 1500));
    expect(replay.result).toEqual({
      complete: true,
      eventCount: 1500,
      bytes: expect.any(Number),
      malformedCount: 0,
      lastId: at(1499),
    });
  });

  it('keeps to its start and its end, both by id or by time', async () => {
    const { open, at } = await filled(300);
    expect(await collect(await open({ from: { at: at(10) }, to: { at: at(19) } }))).toEqual(numbers(10, 20));
    expect(await collect(await open({ from: { after: at(10) }, to: { at: at(19) } }))).toEqual(numbers(11, 20));
    const ms = (index: number) => Number(at(index).split('-')[0]);
    expect(await collect(await open({ from: { sinceAtMs: ms(0) }, to: { untilAtMs: ms(299) } }))).toHaveLength(300);
    expect(await collect(await open({ to: { untilAtMs: ms(0) - 1 } }))).toEqual([]);
    const beyond = await open({ from: { sinceMs: 60_000 }, to: { untilAtMs: ms(299) + 60_000 } });
    expect(await collect(beyond)).toHaveLength(300);
    expect(beyond.result?.complete).toBe(true);
    const backwards = await open({ from: { at: at(20) }, to: { at: at(10) } });
    expect(await collect(backwards)).toEqual([]);
    expect(await collect(await open({ from: 'newest' }))).toEqual([]);
  });

  it('ends at a limit as not complete, and goes on behind the last event', async () => {
    const { open, at } = await filled(100);
    const first = await open({ maxEvents: 60 });
    expect(await collect(first)).toEqual(numbers(0, 60));
    expect(first.result).toMatchObject({ complete: false, eventCount: 60, lastId: at(59) });
    const rest = await open({ from: { after: first.lastId }, maxEvents: 40 });
    expect(await collect(rest)).toEqual(numbers(60, 100));
    expect(rest.result).toMatchObject({ complete: true });
    // Name and payload of each of the first ten are two bytes.
    const bytes = await open({ maxBytes: 7 });
    expect(await collect(bytes)).toEqual(numbers(0, 3));
    expect(bytes.result).toMatchObject({ complete: false, bytes: 6 });
    expect(await collect(await open({ maxBytes: 1 }))).toEqual(['0']);
  });

  it('refuses a start behind which events are gone', async () => {
    const { stream, open, at } = await filled(100);
    const gone = { code: 'REPLAY_GAP', kind: 'outcome' };
    await stream.trim({ beforeId: at(50) });
    await expect(open({ from: { after: at(10) } })).rejects.toMatchObject(gone);
    await expect(open({ from: { at: at(49) } })).rejects.toMatchObject(gone);
    await expect(open({ from: { sinceMs: 3_600_000 } })).rejects.toMatchObject(gone);
    expect(await collect(await open({ from: { at: at(50) } }))).toEqual(numbers(50, 100));
    expect(await collect(await open({ from: 'oldest' }))).toEqual(numbers(50, 100));
    await stream.trim({ maxLength: 0 });
    await expect(open({ from: { after: at(60) } })).rejects.toMatchObject(gone);
    expect(await collect(await open({ from: { after: at(99) } }))).toEqual([]);
  });

  it('tells that events were removed while it read, also those before an end that newer events have passed', async () => {
    const { stream, open, at } = await filled(400);
    const replay = await open({ to: { at: at(200) } });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of replay) {
        seen.push(event.payload.toString());
        // The first page is read by now; nothing of the part is left but what it holds.
        if (seen.length === 1) await stream.trim({ beforeId: at(300) });
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'REPLAY_GAP', message: expect.stringContaining('removed') });
    expect(seen.length).toBeLessThan(201);
    expect(seen).toEqual(numbers(0, seen.length));
    expect(replay.result).toBeUndefined();
  });

  it('does not mind that what it has read is removed', async () => {
    const { stream, open, at } = await filled(400);
    const replay = await open();
    const seen: string[] = [];
    for await (const event of replay) {
      seen.push(event.payload.toString());
      if (seen.length % 50 === 0) await stream.trim({ beforeId: at(seen.length - 1) });
    }
    expect(seen).toEqual(numbers(0, 400));
    expect(replay.result).toMatchObject({ complete: true });
  });

  it('is complete or tells of a gap, however a trim falls between its pages', async () => {
    const { stream, open } = await filled(0);
    let gaps = 0;
    const cuts = fc.array(fc.tuple(fc.nat({ max: 80 }), fc.nat({ max: 400 })), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.integer({ min: 50, max: 400 }), async (given, size) => {
        const ids = await publish(stream, 0, size);
        await stream.trim({ beforeId: ids[0] as string });
        const replay = await open();
        const seen: string[] = [];
        const trims: Promise<number>[] = [];
        let failure: unknown;
        try {
          for await (const event of replay) {
            seen.push(event.payload.toString());
            // Under way together with what the replay reads next.
            for (const [when, upTo] of given) {
              if (seen.length === when) trims.push(stream.trim({ beforeId: ids[Math.min(upTo, size - 1)] as string }));
            }
          }
        } catch (error) {
          failure = error;
        }
        await Promise.all(trims);
        expect(seen).toEqual(numbers(0, seen.length));
        if (failure === undefined) expect(seen).toHaveLength(size);
        else {
          expect(failure).toMatchObject({ code: 'REPLAY_GAP' });
          gaps++;
        }
      }),
      { numRuns: 60 },
    );
    expect(gaps).toBeGreaterThan(0);
  });

  it('goes on where an iteration was left, with the same books', async () => {
    const { stream, open, at } = await filled(400);
    const replay = await open();
    for await (const event of replay) if (event.payload.toString() === '9') break;
    expect(replay.lastId).toBe(at(9));
    await stream.trim({ beforeId: at(10) });
    expect(await collect(replay)).toEqual(numbers(10, 400));
    const broken = await open();
    for await (const event of broken) if (event.payload.toString() === '19') break;
    await stream.trim({ beforeId: at(390) });
    await expect(collect(broken)).rejects.toMatchObject({ code: 'REPLAY_GAP' });
  });

  it('passes over what is no event, and counts it', async () => {
    const { link, open } = await filled(3);
    await link.commands.call('XADD', link.keys.stream('s').events, '*', 'x', 'y');
    const replay = await open();
    expect(await collect(replay)).toEqual(numbers(0, 3));
    expect(replay.result).toMatchObject({ complete: true, malformedCount: 1 });
  });

  it('finds nothing in a stream that does not exist, and writes nothing', async () => {
    const link = await redis.connect({ access: 'read-only' });
    const replay = await Replay.open(link, 'none');
    expect(await collect(replay)).toEqual([]);
    expect(replay.result).toMatchObject({ complete: true, eventCount: 0, lastId: '0-0' });
  });

  it('fails when the connection does, and is taken up again behind the last event', async () => {
    const { at } = await filled(400);
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 300 });
    const replay = await Replay.open(link, 's');
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of replay) {
        seen.push(event.payload.toString());
        proxy.mode = 'refuse';
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    expect(replay.lastId).toBe(at(seen.length - 1));
    proxy.mode = 'pass';
    await until(() => link.commands.ready, 'the connection to be back');
    expect([...seen, ...(await collect(replay))]).toEqual(numbers(0, 400));
  });

  it('refuses ends and limits that are none', async () => {
    const { open } = await filled(1);
    await expect(open({ maxEvents: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(open({ to: { at: 'x' } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(open({ to: 'oldest' as never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(open({ from: 'now' as never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
