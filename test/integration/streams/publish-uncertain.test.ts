import { describe, expect, it } from 'vitest';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { RedisServer } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { payloadsOf, readAll } from './read-all.ts';
import { numbers } from './sinks.ts';

/** What the publisher was told: `there`, `maybe`, or `not`. */
async function tell(publishing: Promise<string>): Promise<string> {
  try {
    await publishing;
    return 'there';
  } catch (error) {
    return (error as { code: string }).code === 'UNCERTAIN_PUBLISH' ? 'maybe' : 'not';
  }
}

/** What is in the stream against what was told: nothing twice, nothing that was denied, nothing missing that was promised. */
function judge(held: readonly string[], told: ReadonlyMap<string, string>): void {
  expect(new Set(held).size).toBe(held.length);
  for (const [payload, verdict] of told) {
    if (verdict === 'there') expect(held).toContain(payload);
    if (verdict === 'not') expect(held).not.toContain(payload);
  }
}

for (const retention of [undefined, { maxLength: 100_000 }]) {
  describe(`a publish without an answer, to a stream ${retention ? 'with' : 'without'} limits`, () => {
    const redis = useRedis();

    async function behindProxy(): Promise<{ direct: RedisLink; stream: EventStream; proxy: TcpProxy }> {
      const direct = await redis.connect();
      const proxy = await TcpProxy.start(redis.server.port);
      redis.defer(() => proxy.stop());
      const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 200 });
      return { direct, stream: await EventStream.open(link, 's', { retention }), proxy };
    }

    it('is told as uncertain when its reply is swallowed, and is never sent again', async () => {
      const { direct, stream, proxy } = await behindProxy();
      await stream.publish('n', 'before');
      proxy.mode = 'swallow';
      const told = new Map<string, string>();
      await Promise.all(
        numbers(0, 20).map(async payload => told.set(payload, await tell(stream.publish('n', payload)))),
      );
      expect(new Set(told.values())).toEqual(new Set(['maybe']));
      proxy.mode = 'pass';
      await until(() => stream.publish('n', 'after').catch(() => false), 'a publish that works again');
      const held = payloadsOf(await readAll(direct, ['s']));
      expect(held.slice(0, 21)).toEqual(['before', ...numbers(0, 20)]);
      expect(held.filter(payload => payload !== 'after')).toHaveLength(21);
    });

    it('is judged right through one cut after another', async () => {
      const { direct, stream, proxy } = await behindProxy();
      const told = new Map<string, string>();
      for (let round = 0; round < 15; round++) {
        const publishing = numbers(round * 40, round * 40 + 40).map(async payload => {
          told.set(payload, await tell(stream.publish('n', payload)));
        });
        // Before anything was written, while it is on its way, or when it has come back.
        if (round % 3 === 1) await new Promise(resolve => setImmediate(resolve));
        if (round % 3 === 2) await publishing[0];
        proxy.cut();
        await Promise.all(publishing);
      }
      expect(told.size).toBe(600);
      judge(payloadsOf(await readAll(direct, ['s'])), told);
      expect([...told.values()]).toContain('maybe');
    });

    it('is not there when Redis could not be reached at all', async () => {
      const { direct, stream, proxy } = await behindProxy();
      proxy.mode = 'refuse';
      await until(async () => (await tell(stream.publish('n', 'x'))) === 'not', 'a publish that is refused for sure');
      proxy.mode = 'pass';
      await until(() => stream.publish('n', 'after').catch(() => false), 'a publish that works again');
      const held = payloadsOf(await readAll(direct, ['s']));
      expect(held.filter(payload => payload === 'x').length).toBeLessThanOrEqual(1);
    });

    it('is told apart by publishMany', async () => {
      const { direct, stream, proxy } = await behindProxy();
      const events = numbers(0, 5000).map(payload => ({ name: 'n', payload }));
      let replies = 0;
      // Some replies come, then none.
      proxy.filter = bytes => {
        if (++replies === 3) proxy.mode = 'swallow';
        return bytes;
      };
      const failure = await stream.publishMany(events).then(
        () => undefined,
        (error: unknown) => error,
      );
      proxy.filter = undefined;
      proxy.mode = 'pass';
      expect(failure).toMatchObject({ code: 'UNCERTAIN_PUBLISH' });
      const { ids, uncertain } = failure as { ids: (string | undefined)[]; uncertain: number[] };
      const held = await readAll(direct, ['s']);
      const byId = new Map(held.map(event => [event.id, event.payload.toString()]));
      expect(byId.size).toBe(new Set(byId.values()).size);
      const told = new Map<string, string>();
      events.forEach(({ payload }, index) => {
        told.set(payload, ids[index] ? 'there' : uncertain.includes(index) ? 'maybe' : 'not');
        if (ids[index]) expect(byId.get(ids[index])).toBe(payload);
      });
      judge([...byId.values()], told);
      expect(uncertain.length).toBeGreaterThan(0);
    });
  });
}

describe('publishing to a Redis that is killed', () => {
  const redis = useRedis();

  it('promises nothing that is not in its append-only file, and sends nothing twice', async () => {
    const server = await RedisServer.start({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    redis.defer(() => server.stop());
    const link = await redis.connect({ url: server.url, commandTimeoutMs: 1000 });
    const stream = await EventStream.open(link, 's');
    const told = new Map<string, string>();
    let next = 0;
    const publishing = Array.from({ length: 20 }, async () => {
      while (next < 4000) {
        const payload = `${next++}`;
        const verdict = await tell(stream.publish('n', payload));
        told.set(payload, verdict);
        if (verdict !== 'there') return;
      }
    });
    await until(() => told.size > 300, 'some events');
    await server.down('SIGKILL');
    await Promise.all(publishing);
    await server.up();
    await until(() => stream.publish('n', 'after').catch(() => false), 'a publish that works again');
    judge(payloadsOf(await readAll(link, ['s'])), told);
    expect([...told.values()].filter(verdict => verdict !== 'there').length).toBeGreaterThan(0);
  });
});
