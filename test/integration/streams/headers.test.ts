import { describe, expect, it } from 'vitest';
import { readTraceContext, traceHeaders } from '../../../src/engine/core/trace-context.ts';
import type { Headers } from '../../../src/engine/streams/event.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { readAll } from './read-all.ts';
import { openSink, openStream } from './sinks.ts';

describe('headers of an event', () => {
  const redis = useRedis();

  it('carry a trace to readers and sinks unchanged', async () => {
    const { link, stream } = await openStream(redis, 's');
    const context = {
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      traceFlags: 1,
      traceState: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    };
    const headers = { ...traceHeaders(context), tenant: 'a' };
    await stream.publish('n', 'p', { headers });
    // Nothing of a trace, or nothing valid, is carried too.
    await stream.publish('n', 'q', { headers: { traceparent: 'none' } });
    const seen: [ReadonlyMap<string, string>, unknown][] = [];
    await openSink(redis, link, 'k', { streams: ['s'] }, event => {
      seen.push([event.headers, readTraceContext(event.headers)]);
    });
    await until(() => seen.length === 2, 'both events');
    const expected = [
      [new Map(Object.entries(headers)), context],
      [new Map([['traceparent', 'none']]), undefined],
    ];
    expect(seen).toEqual(expected);
    const read = await readAll(link, ['s']);
    expect(read.map(event => [event.headers, readTraceContext(event.headers)])).toEqual(expected);
  });

  it('that are none are refused, and nothing is sent', async () => {
    const { link, stream } = await openStream(redis, 's');
    for (const headers of ['text', null, ['a', 'b'], { a: 1 }, new Map([[1, 'a']])]) {
      await expect(stream.publish('n', 'p', { headers: headers as unknown as Headers })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
    expect(await readAll(link, ['s'])).toEqual([]);
  });
});
