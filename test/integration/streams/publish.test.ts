import { describe, expect, it } from 'vitest';
import { listEvents } from '../../../src/engine/inspect/events.ts';
import { showStream } from '../../../src/engine/inspect/streams.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { readAll } from './read-all.ts';

describe('a stream', () => {
  const redis = useRedis();

  it('keeps names, topics, headers and payloads byte for byte', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const any = '\udcff\udc80\x00\n\r=*{}\x1b[31m\u202e😀';
    const cases = [
      { name: any, payload: Buffer.from([0, 255, 10, 13, 128]), topic: any, headers: new Map([[any, any]]) },
      { name: '', payload: '', topic: '', headers: new Map<string, string>() },
      { name: '__proto__', payload: Buffer.alloc(1_048_576, 0xfe), topic: undefined, headers: new Map() },
      { name: 'n', payload: 'ünï', topic: undefined, headers: new Map([['__proto__', 'x']]) },
    ];
    for (const { name, payload, topic, headers } of cases) await stream.publish(name, payload, { topic, headers });
    const events = await readAll(link, ['s']);
    expect(events.map(({ name, payload, topic, headers }) => ({ name, payload, topic, headers }))).toEqual(
      cases.map(({ payload, ...rest }) => ({ payload: Buffer.from(payload as string), ...rest })),
    );
  });

  it('refuses a payload over its limit and sends nothing', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's', { maxPayloadBytes: 10 });
    await expect(stream.publish('n', 'x'.repeat(11))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await showStream(link, 's')).toMatchObject({ length: 0, addedTotal: 0 });
  });

  it('gives ids in the order of publishing, also with many in flight and for the first ones', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const ids = await stream.publishMany(Array.from({ length: 3000 }, (_, i) => ({ name: 'n', payload: `${i}` })));
    const events = await readAll(link, ['s']);
    expect(events.map(event => event.id)).toEqual(ids);
    expect(events.map(event => event.payload.toString())).toEqual(ids.map((_, i) => `${i}`));
  });

  it('tells of a failure in publishMany after trying all', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's', { maxPayloadBytes: 3 });
    const events = ['a', 'long', 'b'].map(payload => ({ name: 'n', payload }));
    await expect(stream.publishMany(events)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect((await readAll(link, ['s'])).map(event => event.payload.toString())).toEqual(['a', 'b']);
  });

  it('does not exist unless made', async () => {
    const link = await redis.connect();
    await expect(EventStream.open(link, 's', { create: false })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(showStream(link, 's')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await EventStream.open(link, 's');
    await expect(EventStream.open(link, 's', { create: false })).resolves.toMatchObject({ name: 's' });
    expect(await showStream(link, 's')).toMatchObject({ length: 0, firstId: null });
  });

  it('refuses bad names and options', async () => {
    const link = await redis.connect();
    await expect(EventStream.open(link, 'a b')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(EventStream.open(link, 's', { maxPayloadBytes: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(EventStream.open(link, 's', { foo: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it('names the key of another type, and writes nothing', async () => {
    const link = await redis.connect();
    const { events, meta } = link.keys.stream('s');
    await link.commands.call('SET', events, 'x');
    await expect(EventStream.open(link, 's')).rejects.toMatchObject({
      code: 'WRONG_TYPE',
      message: expect.stringContaining(events),
    });
    expect(await link.commands.call('EXISTS', meta)).toBe(0);
    await link.commands.call('DEL', events);
    const stream = await EventStream.open(link, 's');
    await link.commands.call('DEL', events);
    await link.commands.call('SET', events, 'x');
    await expect(stream.publish('n', 'p')).rejects.toMatchObject({ code: 'WRONG_TYPE' });
  });

  it('is made anew by a publish after its data is gone, and is listed again', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const recreated = stream.events.once('recreated');
    await link.commands.call('FLUSHDB');
    await expect(stream.publish('n', 'p', { ifExists: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await stream.publish('n', 'p');
    expect(await recreated).toHaveProperty('generation');
    expect(await link.registry.list('streams')).toEqual(['s']);
  });

  it('stays removed for whoever still publishes, until it is opened again', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    await stream.publish('n', 'p');
    await stream.remove();
    await expect(stream.publish('n', 'p')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(stream.remove()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await link.registry.list('streams')).toEqual([]);
    const again = await EventStream.open(link, 's');
    await again.publish('n', 'q');
    expect((await listEvents(link, 's')).map(event => event.payload?.data)).toEqual(['q']);
  });

  it('is trimmed by length and by id, exactly', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const ids = await stream.publishMany(Array.from({ length: 25_000 }, (_, i) => ({ name: 'n', payload: `${i}` })));
    expect(await stream.trim({ maxLength: 1000 })).toBe(24_000);
    expect(await showStream(link, 's')).toMatchObject({ length: 1000, firstId: ids[24_000] });
    expect(await stream.trim({ beforeId: ids[24_500] as string })).toBe(500);
    expect(await showStream(link, 's')).toMatchObject({ length: 500, firstId: ids[24_500] });
    expect(await stream.trim({ maxLength: 500 })).toBe(0);
    await expect(stream.trim({ maxLength: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('says that a publish whose reply was lost may have happened, and does not repeat it', async () => {
    const direct = await redis.connect();
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 200 });
    const stream = await EventStream.open(link, 's');
    proxy.mode = 'swallow';
    await expect(stream.publish('n', 'p')).rejects.toMatchObject({ code: 'UNCERTAIN_PUBLISH', kind: 'environment' });
    proxy.mode = 'pass';
    await until(() => stream.publish('n', 'q').catch(() => false), 'a publish that works again');
    const payloads = (await readAll(direct, ['s'])).map(event => event.payload.toString());
    expect(payloads.filter(payload => payload === 'p')).toHaveLength(1);
  });

  it('fails as not sent while Redis is away, and is not sent later', async () => {
    const direct = await redis.connect();
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url });
    const stream = await EventStream.open(link, 's');
    const lost = link.commands.events.once('lost');
    proxy.mode = 'refuse';
    await lost;
    await expect(stream.publish('n', 'p')).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    proxy.mode = 'pass';
    await until(() => stream.publish('n', 'q').catch(() => false), 'a publish that works again');
    expect((await readAll(direct, ['s'])).map(event => event.payload.toString())).toEqual(['q']);
  });
});
