import { describe, expect, it } from 'vitest';
import { EventStream, type EventStreamOptions } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { payloadsOf, readAll } from './read-all.ts';
import { numbers } from './sinks.ts';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('publishing under an id', () => {
  const redis = useRedis();

  async function opened(options: EventStreamOptions = {}) {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's', options);
    return { link, stream, held: async () => payloadsOf(await readAll(link, ['s'])) };
  }

  it('adds the event once, whoever asks again, and gives the id of the first', async () => {
    const { stream, held } = await opened();
    const other = await EventStream.open(await redis.connect(), 's');
    const headers = { a: '1', b: '2' };
    const first = await stream.publishOnce('order-17', 'created', 'p', { topic: 't', headers });
    const again = { topic: 't', headers: { b: '2', a: '1', traceparent: TRACE } };
    expect(first.added).toBe(true);
    expect(await other.publishOnce('order-17', 'created', Buffer.from('p'), again)).toEqual({ ...first, added: false });
    const together = await Promise.all(numbers(0, 50).map(i => stream.publishOnce(`x${Number(i) % 5}`, 'n', 'q')));
    expect(new Set(together.map(({ id }) => id)).size).toBe(5);
    expect(together.filter(({ added }) => added)).toHaveLength(5);
    expect(await held()).toEqual(['p', 'q', 'q', 'q', 'q', 'q']);
  });

  it('refuses another event under the same id', async () => {
    const { stream, held } = await opened();
    await stream.publishOnce('i', 'n', 'p', { topic: 't' });
    const conflict = { code: 'CONFLICT', kind: 'outcome' };
    await expect(stream.publishOnce('i', 'n', 'P', { topic: 't' })).rejects.toMatchObject(conflict);
    await expect(stream.publishOnce('i', 'm', 'p', { topic: 't' })).rejects.toMatchObject(conflict);
    await expect(stream.publishOnce('i', 'n', 'p')).rejects.toMatchObject(conflict);
    await expect(stream.publishOnce('i', 'n', 'p', { topic: 't', headers: { a: 'b' } })).rejects.toMatchObject(
      conflict,
    );
    const both = await Promise.allSettled([stream.publishOnce('j', 'n', 'a'), stream.publishOnce('j', 'n', 'b')]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await held()).toEqual(['p', 'a']);
  });

  it('keeps the order with what is published without an id', async () => {
    const { stream, held } = await opened();
    await Promise.all(
      numbers(0, 300).map(i =>
        Number(i) % 3 === 0 ? stream.publishOnce(i, 'n', i) : stream.publish('n', i, { topic: 't' }),
      ),
    );
    expect(await held()).toEqual(numbers(0, 300));
  });

  it('forgets an id after its time, and not before', async () => {
    const { link, stream, held } = await opened({ onceWindowMs: 1000 });
    const { id } = await stream.publishOnce('i', 'n', 'p');
    expect(await stream.publishOnce('i', 'n', 'p')).toEqual({ id, added: false });
    await until(async () => (await stream.publishOnce('i', 'n', 'p')).added, 'the id to be forgotten');
    expect(await held()).toEqual(['p', 'p']);
    const { oncePrefix } = link.keys.stream('s');
    for await (const keys of link.commands.scanKeys(`${oncePrefix}*`)) {
      for (const key of keys) expect(Number(await link.commands.call('PTTL', key))).toBeGreaterThan(0);
    }
  });

  it('refuses more ids than it may keep, and forgets none for them', async () => {
    const { stream } = await opened({ maxOnceIds: 10 });
    const results = await Promise.allSettled(numbers(0, 15).map(id => stream.publishOnce(id, 'n', id)));
    expect(results.map(result => (result.status === 'fulfilled' ? 'ok' : result.reason.code))).toEqual([
      ...Array(10).fill('ok'),
      ...Array(5).fill('IDEM_FULL'),
    ]);
    const first = results[0]?.status === 'fulfilled' ? results[0].value.id : '';
    expect(await stream.publishOnce('0', 'n', '0')).toEqual({ id: first, added: false });
    await expect(stream.publish('n', 'without')).resolves.toMatch(/-/);
  });

  it('obeys the limits of the stream, and knows an id whose event they removed', async () => {
    const { stream, held } = await opened({ retention: { maxLength: 3 } });
    const ids: string[] = [];
    for (const id of numbers(0, 10)) ids.push((await stream.publishOnce(id, 'n', id)).id);
    expect(await held()).toEqual(numbers(7, 10));
    expect(await stream.publishOnce('0', 'n', '0')).toEqual({ id: ids[0], added: false });
    expect(await held()).toEqual(numbers(7, 10));
  });

  it('begins anew with a stream that was removed and made again, or lost', async () => {
    const { link, stream, held } = await opened();
    await stream.publishOnce('i', 'n', 'p');
    await stream.remove();
    await expect(stream.publishOnce('i', 'n', 'p')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const again = await EventStream.open(link, 's');
    await again.publishOnce('i', 'n', 'q');
    expect(await held()).toEqual(['q']);
    await link.commands.call('FLUSHDB');
    await expect(again.publishOnce('i', 'n', 'r', { ifExists: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await Promise.all(['i', 'j', 'i'].map(id => again.publishOnce(id, 'n', 'r')));
    expect(await held()).toEqual(['r', 'r']);
  });

  it('is repeated until there is an answer, and adds nothing twice', async () => {
    const { held } = await opened();
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const stream = await EventStream.open(await redis.connect({ url: proxy.url, commandTimeoutMs: 200 }), 's');
    proxy.mode = 'swallow';
    const publishing = Promise.all(
      numbers(0, 20).map(async id => {
        // One after the other: each its own script.
        for (let i = 0; i < Number(id); i++) await Promise.resolve();
        return stream.publishOnce(id, 'n', id);
      }),
    );
    await until(async () => (await held()).length > 0, 'a publish without an answer');
    proxy.mode = 'pass';
    const published = await publishing;
    expect(new Set(published.map(({ id }) => id)).size).toBe(20);
    // Whose attempt it was that added them nobody knows.
    expect(published.every(({ added }) => added)).toBe(true);
    expect((await held()).sort()).toEqual(numbers(0, 20).sort());
    // The same through one cut after another.
    const cutting = setInterval(() => proxy.cut(), 30);
    redis.defer(() => clearInterval(cutting));
    for (const id of numbers(20, 40))
      await stream.publishOnce(id, 'n', id).catch(() => stream.publishOnce(id, 'n', id));
    clearInterval(cutting);
    expect((await held()).length).toBe(40);
  });

  it('lets nobody who publishes without an id wait while it is repeated', async () => {
    const { held } = await opened();
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 300 });
    const stream = await EventStream.open(link, 's', { onceRetryMs: 60_000 });
    proxy.mode = 'swallow';
    const settled: string[] = [];
    const noted = (what: string, publishing: Promise<unknown>) =>
      publishing.then(
        () => settled.push(what),
        error => settled.push(`${what} ${error.code}`),
      );
    const first = noted('first', stream.publishOnce('i', 'n', 'first'));
    // One behind the script that has no answer, one when it is repeated.
    await noted('behind', stream.publish('n', 'behind'));
    const second = noted('second', stream.publishOnce('j', 'n', 'second'));
    await noted('beside', stream.publish('n', 'beside'));
    expect(settled.map(what => what.split(' ')[0])).toEqual(['behind', 'beside']);
    proxy.mode = 'pass';
    await Promise.all([first, second]);
    expect(settled.slice(2)).toEqual(['first', 'second']);
    expect((await held()).filter(payload => payload === 'first' || payload === 'second').sort()).toEqual([
      'first',
      'second',
    ]);
  });

  it('fails as uncertain when there is no answer for long, and may then be asked again', async () => {
    const { held } = await opened();
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 100 });
    const stream = await EventStream.open(link, 's', { onceRetryMs: 300 });
    proxy.mode = 'swallow';
    await expect(stream.publishOnce('i', 'n', 'p')).rejects.toMatchObject({ code: 'UNCERTAIN_PUBLISH' });
    proxy.mode = 'pass';
    await until(() => stream.publishOnce('i', 'n', 'p').catch(() => false), 'an answer');
    expect(await held()).toEqual(['p']);
  });

  it('refuses ids that are none', async () => {
    const { stream } = await opened();
    for (const id of ['', 1 as never, '\ud800']) {
      await expect(stream.publishOnce(id, 'n', 'p')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    await expect(stream.publishOnce('x'.repeat(1025), 'n', 'p')).rejects.toMatchObject({ code: 'KEY_TOO_LARGE' });
    await expect(stream.publishOnce('\udcff\n: 1', 'n', 'p')).resolves.toMatchObject({ added: true });
  });
});
