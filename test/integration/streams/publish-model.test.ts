import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { showSink } from '../../../src/engine/inspect/streams.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { RetentionInput } from '../../../src/engine/streams/retention.ts';
import { ackScript } from '../../../src/engine/streams/scripts.gen.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { payloadsOf, readAll } from './read-all.ts';

const SINKS = ['a', 'b'];

type Step =
  | { do: 'publish'; sizes: number[] }
  | { do: 'once'; id: string; size: number }
  | { do: 'aside'; size: number }
  | { do: 'read'; sink: string; count: number }
  | { do: 'ack'; sink: string; at: number }
  | { do: 'limit'; retention: RetentionInput };

const size = fc.integer({ min: 1, max: 40 });
const retention: fc.Arbitrary<RetentionInput> = fc.record({
  maxLength: fc.constantFrom(0, 3, 8),
  maxBytes: fc.constantFrom(0, 60, 200),
  onFull: fc.constantFrom('reject' as const, 'dropOldest' as const),
});
const sink = fc.constantFrom(...SINKS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      sizes: fc.array(size, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('once' as const), id: fc.constantFrom('x', 'y', 'z'), size }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('aside' as const), size }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('read' as const), sink, count: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ack' as const), sink, at: fc.nat({ max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('limit' as const), retention }) },
);

interface Entry {
  id: string;
  payload: string;
  bytes: number;
}

/** The rules of a stream with limits, one event at a time. */
class Model {
  entries: Entry[] = [];
  retention: Required<RetentionInput>;
  readonly once = new Map<string, { payload: string; id: string }>();
  /** Of each sink: what it was given and has not acknowledged, and what is yet to come. */
  readonly pending = new Map<string, Set<string>>(SINKS.map(name => [name, new Set<string>()]));
  readonly unread = new Map<string, Set<string>>(SINKS.map(name => [name, new Set<string>()]));
  readonly lost = new Map<string, number>(SINKS.map(name => [name, 0]));

  constructor(retention: RetentionInput) {
    this.retention = retention as Required<RetentionInput>;
  }

  get bytes(): number {
    return this.entries.reduce((sum, entry) => sum + entry.bytes, 0);
  }

  isHeld(id: string): boolean {
    return SINKS.some(name => this.pending.get(name)?.has(id) || this.unread.get(name)?.has(id));
  }

  #isOver(count: number, bytes: number): boolean {
    const { maxLength, maxBytes } = this.retention;
    return (!!maxLength && count > maxLength) || (!!maxBytes && bytes > maxBytes);
  }

  /** How many of the oldest must go for so much more, or undefined when they may not. */
  #toGo(count: number, bytes: number): number | undefined {
    let left = this.bytes;
    for (let gone = 0; ; gone++) {
      if (!this.#isOver(this.entries.length - gone + count, left + bytes)) return gone;
      const next = this.entries[gone];
      if (!next || (this.retention.onFull === 'reject' && this.isHeld(next.id))) return undefined;
      left -= next.bytes;
    }
  }

  #drop(count: number): void {
    for (const { id } of this.entries.splice(0, count)) {
      for (const name of SINKS) {
        const held = this.pending.get(name)?.delete(id) || this.unread.get(name)?.delete(id);
        if (held) this.lost.set(name, (this.lost.get(name) ?? 0) + 1);
      }
    }
  }

  /** Brings it within its limits, as far as it may. */
  settle(): void {
    while (this.#isOver(this.entries.length, this.bytes)) {
      const [oldest] = this.entries;
      if (!oldest || (this.retention.onFull === 'reject' && this.isHeld(oldest.id))) return;
      this.#drop(1);
    }
  }

  publish(payload: string): string {
    const bytes = payload.length + 1;
    this.settle();
    if (this.retention.maxBytes && bytes > this.retention.maxBytes) return 'PAYLOAD_TOO_LARGE';
    const toGo = this.#toGo(1, bytes);
    if (toGo === undefined) return 'RETENTION_BLOCKED';
    this.#drop(toGo);
    return 'ok';
  }

  add(id: string, payload: string): void {
    this.entries.push({ id, payload, bytes: payload.length + 1 });
    for (const name of SINKS) this.unread.get(name)?.add(id);
  }
}

describe('a stream with limits, against a model', () => {
  const redis = useRedis();
  let run = 0;

  async function walk(link: RedisLink, first: RetentionInput, steps: readonly Step[]): Promise<void> {
    const name = `s${run++}`;
    const { events, meta } = link.keys.stream(name);
    const stream = await EventStream.open(link, name, { retention: { ...first, ttlMs: 3_600_000 } });
    for (const group of SINKS) await link.commands.call('XGROUP', 'CREATE', events, group, '0');
    const model = new Model(first);
    let serial = 0;
    const payloadOf = (length: number) => `${serial++}`.padStart(length, '.');
    const settle = async (payload: string, publishing: Promise<string>) => {
      const [outcome] = await Promise.allSettled([publishing]);
      return { payload, outcome, word: outcome.status === 'fulfilled' ? 'ok' : String(outcome.reason.code) };
    };
    for (const step of steps) {
      if (step.do === 'publish') {
        const told = await Promise.all(
          step.sizes.map(length => {
            const payload = payloadOf(length);
            return settle(payload, stream.publish('n', payload));
          }),
        );
        for (const { payload, outcome, word } of told) {
          expect(word).toBe(model.publish(payload));
          if (outcome.status === 'fulfilled') model.add(outcome.value, payload);
        }
      } else if (step.do === 'once') {
        const payload = '-'.repeat(step.size);
        const known = model.once.get(step.id);
        const publishing = stream.publishOnce(step.id, 'n', payload).then(({ id, added }) => {
          expect(added).toBe(known === undefined);
          return id;
        });
        const { outcome, word } = await settle(payload, publishing);
        if (known) {
          model.settle();
          expect(word).toBe(known.payload === payload ? 'ok' : 'CONFLICT');
          if (outcome.status === 'fulfilled') expect(outcome.value).toBe(known.id);
        } else {
          expect(word).toBe(model.publish(payload));
          if (outcome.status === 'fulfilled') {
            model.once.set(step.id, { payload, id: outcome.value });
            model.add(outcome.value, payload);
          }
        }
      } else if (step.do === 'aside') {
        // As by a producer that does not know of the limits yet.
        const payload = payloadOf(step.size);
        model.add(String(await link.commands.call('XADD', events, '*', 'n', 'n', 'p', payload)), payload);
      } else if (step.do === 'read') {
        await link.commands.call('XREADGROUP', 'GROUP', step.sink, 'c', 'COUNT', step.count, 'STREAMS', events, '>');
        const unread = model.unread.get(step.sink) as Set<string>;
        for (const id of [...unread].slice(0, step.count)) {
          unread.delete(id);
          model.pending.get(step.sink)?.add(id);
        }
      } else if (step.do === 'ack') {
        const id = [...(model.pending.get(step.sink) as Set<string>)][step.at];
        if (id === undefined) continue;
        await link.commands.call('XACK', events, step.sink, id);
        model.pending.get(step.sink)?.delete(id);
      } else {
        await stream.setRetention(step.retention);
        model.retention = step.retention as Required<RetentionInput>;
        model.settle();
      }
      expect(payloadsOf(await readAll(link, [name]))).toEqual(model.entries.map(({ payload }) => payload));
      for (const group of SINKS) {
        expect((await showSink(link, name, group)).lostTotal).toBe(model.lost.get(group));
      }
    }
    if (model.retention.maxBytes) {
      await stream.setRetention({});
      model.settle();
      expect(Number(String(await link.commands.call('HGET', meta, 'bytes')))).toBe(model.bytes);
    }
  }

  it('holds what it should, counts what is lost to each sink, and refuses what it should', async () => {
    const link = await redis.connect();
    await fc.assert(
      fc.asyncProperty(retention, fc.array(step, { minLength: 1, maxLength: 25 }), (first, steps) =>
        walk(link, first, steps),
      ),
      { numRuns: 60 },
    );
  });
});

describe('a Redis that is out of memory', () => {
  const redis = useRedis();

  for (const limits of [undefined, { maxLength: 100_000 }]) {
    it(`refuses events${limits ? ' of a stream with limits' : ''}, and takes acknowledgements`, async () => {
      const link = await redis.connect();
      const stream = await EventStream.open(link, 's', { retention: limits });
      const { events, sinks } = link.keys.stream('s');
      const { id: first } = await stream.publishOnce('i', 'n', 'p');
      await link.commands.call('XGROUP', 'CREATE', events, 'k', '0');
      await link.commands.call('XREADGROUP', 'GROUP', 'k', 'c', 'STREAMS', events, '>');
      await stream.publish('n', 'p');
      await link.commands.call('CONFIG', 'SET', 'maxmemory', '1');
      redis.defer(() => link.commands.call('CONFIG', 'SET', 'maxmemory', '0'));
      const refused = { code: 'OUT_OF_MEMORY', kind: 'environment' };
      await expect(stream.publish('n', 'p')).rejects.toMatchObject(refused);
      await expect(stream.publishOnce('j', 'n', 'p')).rejects.toMatchObject(refused);
      const ack = { sink: 'k', filtered: 0, redelivered: 0, lost: 0, ids: [first] };
      expect(await link.commands.run(ackScript, { events, sinks }, ack)).toEqual({ status: 'OK', acked: 1 });
      await link.commands.call('CONFIG', 'SET', 'maxmemory', '0');
      await stream.publishOnce('j', 'n', 'p');
      expect(payloadsOf(await readAll(link, ['s']))).toHaveLength(3);
    });
  }
});
