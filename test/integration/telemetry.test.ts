import { context, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { openTelemetry } from '../../examples/opentelemetry/adapter.ts';
import { type EndedSpan, registerProvider } from '../../examples/opentelemetry/provider.ts';
import { MapClient } from '../../src/engine/maps/map-client.ts';
import { PoolClient } from '../../src/engine/pool/client.ts';
import { PoolNode } from '../../src/engine/pool/node.ts';
import { Reader } from '../../src/engine/streams/reader.ts';
import { EventStream } from '../../src/engine/streams/stream.ts';
import { usePool } from '../support/pool.ts';
import { type RecordedSpan, SpanRecorder } from '../support/spans.ts';
import { until } from '../support/until.ts';
import { openSink } from './streams/sinks.ts';

const GIVEN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('telemetry', () => {
  const fixture = usePool();
  /** The links of two processes with one telemetry each. */
  async function connect() {
    const [here, there] = [new SpanRecorder(), new SpanRecorder()];
    const sending = await fixture.connect({ telemetry: here });
    const working = await fixture.connect({ telemetry: there });
    return { here, there, sending, working };
  }

  async function ended(spans: SpanRecorder, name: string, count: number): Promise<RecordedSpan[]> {
    await until(() => spans.ended(name).length >= count, `${count} spans ${name}`);
    expect(spans.ended(name)).toHaveLength(count);
    expect(spans.errors).toEqual([]);
    return spans.ended(name);
  }

  function expectUnder(parent: RecordedSpan | undefined, spans: readonly RecordedSpan[]): void {
    for (const span of spans) {
      expect(span.context.traceId).toBe(parent?.context.traceId);
      expect(span.parentId).toBe(parent?.context.spanId);
    }
    expect(new Set(spans.map(span => span.context.spanId)).size).toBe(spans.length);
  }

  describe('the spans of a stream', () => {
    it('begin with the publish; each delivery to a handler is one under it, also a repeated one', async () => {
      const { here, there, sending, working } = await connect();
      const stream = await EventStream.open(sending, 's');
      const atWork: (RecordedSpan | undefined)[] = [];
      await openSink(fixture, working, 'k', { streams: ['s'] }, async event => {
        atWork.push(there.active);
        if (event.deliveryCount < 3) throw new RangeError('not yet');
      });
      const id = await stream.publish('made', 'body', { topic: 'a.b', headers: { own: 'kept' } });
      const [sent] = await ended(here, 'publish s', 1);
      expect(sent).toMatchObject({
        kind: 'producer',
        attributes: {
          'messaging.system': 'ponos',
          'messaging.operation.type': 'send',
          'messaging.destination.name': 's',
          'messaging.message.id': id,
          'messaging.message.body.size': 4,
        },
      });
      const handled = await ended(there, 'process s', 3);
      expectUnder(sent, handled);
      expect(atWork).toEqual(handled);
      const told = handled.map(({ kind, attributes }) => [
        kind,
        attributes['ponos.delivery.count'],
        attributes['ponos.delivery.outcome'],
        attributes['error.type'],
      ]);
      expect(told).toEqual([
        ['consumer', 1, 'nack', 'RangeError'],
        ['consumer', 2, 'nack', 'RangeError'],
        ['consumer', 3, 'ack', undefined],
      ]);
      expect(handled[0]?.attributes).toMatchObject({
        'messaging.consumer.group.name': 'k',
        'messaging.message.id': id,
      });
    });

    it('follow an event to the consumer that takes it over', async () => {
      const { here, there, sending, working } = await connect();
      const stream = await EventStream.open(sending, 's');
      const busy = await openSink(fixture, working, 'k', { streams: ['s'] }, event => event.nack(60_000));
      await stream.publish('n', 'p');
      await ended(there, 'process s', 1);
      await busy.sink.close();
      await openSink(fixture, working, 'k', { streams: ['s'] });
      const [sent] = await ended(here, 'publish s', 1);
      const handled = await ended(there, 'process s', 2);
      expectUnder(sent, handled);
      expect(handled.map(({ attributes }) => attributes['ponos.delivery.outcome'])).toEqual(['nack', 'ack']);
    });

    it('come under the context that an event brings, which is left as it is', async () => {
      const { here, there, sending, working } = await connect();
      const stream = await EventStream.open(sending, 's');
      const seen: string[] = [];
      await openSink(fixture, working, 'k', { streams: ['s'] }, event => {
        seen.push(JSON.stringify([...event.headers]));
      });
      await stream.publish('n', 'p', { headers: { traceparent: GIVEN, tracestate: 'a=1' } });
      const [sent] = await ended(here, 'publish s', 1);
      const [handled] = await ended(there, 'process s', 1);
      expect([sent?.parentId, handled?.parentId]).toEqual(['b7ad6b7169203331', 'b7ad6b7169203331']);
      expect(handled?.context.traceState).toBe('a=1');
      expect(seen).toEqual([JSON.stringify(Object.entries({ traceparent: GIVEN, tracestate: 'a=1' }))]);
    });

    it('tell of each attempt to publish an event once, which stays the same event', async () => {
      const { here, sending } = await connect();
      const stream = await EventStream.open(sending, 's');
      const publish = () => stream.publishOnce('my-id', 'n', 'p');
      const { id } = await publish();
      expect((await publish()).id).toBe(id);
      const [first, second] = await ended(here, 'publish s', 2);
      expect(second?.attributes['messaging.message.id']).toBe(first?.attributes['messaging.message.id']);
    });

    it("last as long as a reader's loop is at the event", async () => {
      const { here, there, sending, working } = await connect();
      const stream = await EventStream.open(sending, 's');
      await stream.publishMany(['1', '2', '3'].map(payload => ({ name: 'n', payload })));
      let at = 0;
      for await (const _ of await Reader.open(working, ['s'], { follow: false })) {
        expect(there.ended('process s')).toHaveLength(at);
        if (++at === 2) break;
      }
      const sent = await ended(here, 'publish s', 3);
      const read = await ended(there, 'process s', 2);
      for (const [index, span] of read.entries()) expectUnder(sent[index], [span]);
    });

    it('tell of what was refused, and change nothing about it', async () => {
      const { here, sending } = await connect();
      const stream = await EventStream.open(sending, 's');
      await expect(stream.publish('n', 'p', { headers: ['x'] as never })).rejects.toThrow('headers are');
      await expect(stream.publish('n', null as never)).rejects.toThrow('payload');
      await expect(stream.publish('n', 'p', { headers: { a: 1 } as never })).rejects.toThrow('pairs of strings');
      expect(here.ended('publish').map(({ attributes }) => attributes['error.type'])).toEqual([
        'INVALID_ARGUMENT',
        'INVALID_ARGUMENT',
      ]);
    });
  });

  describe('the spans of a pool', () => {
    it('begin with the dispatch; each attempt is one under it, in whatever process', async () => {
      const { here, there, sending, working } = await connect();
      const node = await PoolNode.join(working, fixture.pool, { create: true, reconcileMs: 100, settleMs: 50 });
      fixture.defer(() => node.close());
      const run = async (job: { attempt: number }) => {
        if (job.attempt < 3) throw new RangeError('not yet');
        return there.active?.context.spanId ?? '';
      };
      await node.addWorker({ id: 'w', handler: { run } });
      const client = await PoolClient.open(sending, fixture.pool);
      fixture.defer(() => client.close());
      const { id, result } = await client.dispatch('key', 'p', { wait: 'completed', attempts: 3, backoffMs: 10 });
      const [sent] = await ended(here, 'dispatch', 1);
      expect(sent).toMatchObject({
        kind: 'producer',
        attributes: { 'messaging.message.id': id, 'ponos.job.key': 'key' },
      });
      const runs = await ended(there, 'run', 3);
      expectUnder(sent, runs);
      expect(String(result)).toBe(runs[2]?.context.spanId);
      const told = runs.map(({ attributes }) => [attributes['ponos.job.attempt'], attributes['error.type']]);
      expect(told).toEqual([
        [1, 'RangeError'],
        [2, 'RangeError'],
        [3, undefined],
      ]);
      expect(runs[0]?.attributes).toMatchObject({ 'messaging.client.id': 'w', 'messaging.message.id': id });
    });

    it.each([
      ['as a hint', 10],
      ['fetched, because it is large', 20_000],
    ])('follow a service that moves, when the job comes %s', async (_, size) => {
      const { here, there, sending, working } = await connect();
      const client = await PoolClient.open(sending, fixture.pool, { create: true });
      fixture.defer(() => client.close());
      const nodes: PoolNode[] = [];
      for (const id of ['a', 'b']) {
        const node = await PoolNode.join(working, fixture.pool, {
          reconcileMs: 100,
          settleMs: 50,
          closeTimeoutMs: 1500,
        });
        fixture.defer(() => node.close());
        await node.addWorker({ id, handler: { start() {} } });
        nodes.push(node);
      }
      const dispatch = () => client.dispatch('key', 'x'.repeat(size), { wait: 'started' });
      await sending.tracer?.around(
        () => ({ kind: 'client', name: 'outer', attributes: {}, parent: undefined }),
        dispatch,
      );
      const [outer] = await ended(here, 'outer', 1);
      const [sent] = await ended(here, 'dispatch', 1);
      expectUnder(outer, sent ? [sent] : []);
      const [first] = await ended(there, 'run', 1);
      await nodes[first?.attributes['messaging.client.id'] === 'a' ? 0 : 1]?.drain();
      const runs = await ended(there, 'run', 2);
      expectUnder(sent, runs);
      expect(runs.map(({ attributes }) => attributes['messaging.client.id']).sort()).toEqual(['a', 'b']);
    });

    it('have no part in a job that was dispatched without them', async () => {
      const { there, working } = await connect();
      const node = await PoolNode.join(working, fixture.pool, { create: true, reconcileMs: 100, settleMs: 50 });
      fixture.defer(() => node.close());
      await node.addWorker({ handler: { run: async () => 'done' } });
      const client = await fixture.client();
      expect(String((await client.dispatch('key', '', { wait: 'completed' })).result)).toBe('done');
      const [run] = await ended(there, 'run', 1);
      expect(run?.parentId).toBeUndefined();
    });
  });

  describe('the spans of a map', () => {
    it('are its writes, with the revision they led to', async () => {
      const { here, sending } = await connect();
      const map = await MapClient.open(sending, 'm');
      fixture.defer(() => map.close());
      const { revision } = await map.set('k', '1');
      await expect(map.append('k', 'x')).rejects.toThrow('no JSON array');
      const [set, append] = here.spans;
      expect(set).toMatchObject({
        name: 'set m',
        kind: 'client',
        attributes: { 'db.system.name': 'redis', 'db.collection.name': 'm', 'ponos.map.revision': revision },
      });
      expect(append).toMatchObject({ name: 'append m', ended: true, attributes: { 'error.type': 'NOT_LIST' } });
    });
  });

  describe('OpenTelemetry', () => {
    it('gets one trace of a publish, its handling, what that dispatches, and the runs of it', async () => {
      const spans: EndedSpan[] = [];
      registerProvider(span => spans.push(span));
      fixture.defer(() => {
        trace.disable();
        context.disable();
      });
      const link = await fixture.connect({ telemetry: openTelemetry() });
      const stream = await EventStream.open(link, 's');
      const node = await PoolNode.join(link, fixture.pool, { create: true, reconcileMs: 100, settleMs: 50 });
      fixture.defer(() => node.close());
      await node.addWorker({
        handler: {
          async run(job) {
            if (job.attempt === 1) throw new Error('no carrier');
          },
        },
      });
      await openSink(fixture, link, 'k', { streams: ['s'] }, async event => {
        await node.dispatch(String(event.payload), '', { wait: 'completed', attempts: 2, backoffMs: 10 });
      });
      await stream.publish('ordered', 'order', { headers: { traceparent: GIVEN, tracestate: 'vendor=a b' } });
      await until(() => spans.length === 5, 'five spans');
      const byName = (name: string) => spans.filter(span => span.name.startsWith(name));
      const [[publish], [handled], [dispatch], runs] = [
        byName('publish'),
        byName('process'),
        byName('dispatch'),
        byName('run'),
      ];
      expect(new Set(spans.map(span => span.context.traceId))).toEqual(new Set([GIVEN.split('-')[1]]));
      expect(publish?.parent?.spanId).toBe(GIVEN.split('-')[2]);
      expect(dispatch?.parent?.spanId).toBe(handled?.context.spanId);
      expect(runs.map(run => run.parent?.spanId)).toEqual([dispatch?.context.spanId, dispatch?.context.spanId]);
      expect(runs.map(run => run.status?.message)).toEqual(['Error: no carrier', undefined]);
      expect(runs.map(run => run.context.traceState?.serialize())).toEqual(['vendor=a b', 'vendor=a b']);
    });
  });
});
