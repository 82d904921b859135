/**
 * What the scripts beside those of a consumer are for: publishing under ids, the owner of a partition, and operators. `act` is
 * what the victim ends in and a healthy process does again; then `check` finds nothing wrong.
 */
import { replayDead } from '../../../../src/engine/admin/dead-letters.ts';
import { releaseEntries, resetSink } from '../../../../src/engine/admin/sinks.ts';
import { listDead, listEvents } from '../../../../src/engine/inspect/events.ts';
import { showSink } from '../../../../src/engine/inspect/streams.ts';
import { PartitionedSink } from '../../../../src/engine/partitions/partitioned-sink.ts';
import { PartitionedStream } from '../../../../src/engine/partitions/partitioned-stream.ts';
import type { RedisLink } from '../../../../src/engine/redis/link.ts';
import type { SinkEvent } from '../../../../src/engine/streams/delivery.ts';
import { Sink } from '../../../../src/engine/streams/sink.ts';
import type { SinkOptions } from '../../../../src/engine/streams/sink-options.ts';
import { EventStream } from '../../../../src/engine/streams/stream.ts';
import { TEST_LEASE } from '../../../support/pool.ts';
import { until } from '../../../support/until.ts';

export interface Scenario {
  prepare(link: RedisLink): Promise<void>;
  /** `done` is told of each event that was handled. */
  act(link: RedisLink, done: (payload: string) => void): Promise<void>;
  /** What is wrong in the end. `done` holds what any process handled. */
  check(link: RedisLink, done: readonly string[]): Promise<string[]>;
}

const SINK = 'k';
/** More than one script takes. */
const COUNT = 25;
const PARTITIONS = 3;
const KEYS = ['ann', 'bob', 'cy', 'dee'];
const PAYLOADS = Array.from({ length: COUNT }, (_, i) => `${i}`);
/** Nothing is claimed because of its age alone. */
const OPTIONS: SinkOptions = { streams: ['s'], claimIdleMs: 60_000, blockMs: 200, retryBaseMs: 1 };
/** The machine may be busy with other victims. */
const PATIENCE = { limitMs: 30_000 };

async function publishAll(link: RedisLink): Promise<string[]> {
  const stream = await EventStream.open(link, 's');
  return stream.publishMany(PAYLOADS.map(payload => ({ name: 'n', payload })));
}

/** Runs a sink until it is through. */
async function runSink(link: RedisLink, handler: (event: SinkEvent) => Promise<void> | void): Promise<void> {
  const sink = await Sink.open(link, SINK, OPTIONS, handler);
  await until(() => isThrough(link, 's'), 'the sink to be through', PATIENCE);
  await sink.close();
}

async function isThrough(link: RedisLink, stream: string): Promise<boolean> {
  const found = await showSink(link, stream, SINK).catch(() => undefined);
  return found?.pendingCount === 0 && found.lag.count === 0;
}

async function replayAll(link: RedisLink, options: { publish?: boolean }): Promise<void> {
  const letters = await listDead(link, 's', SINK, { count: 1000 });
  const ids = letters.map(({ deadId }) => deadId);
  await replayDead(link, 's', SINK, ids, options, () => {});
}

/** Each payload stands in `found` as often as `count` says. */
function differences(what: string, found: readonly string[], isRight: (count: number) => boolean): string[] {
  return PAYLOADS.flatMap(payload => {
    const count = found.filter(each => each === payload).length;
    return isRight(count) ? [] : [`${payload} ${what} ${count} times`];
  });
}

async function payloadsOf(link: RedisLink): Promise<string[]> {
  return (await listEvents(link, 's', { count: 1000 })).map(event => String(event.payload?.data));
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'streams.publish_limited': {
    prepare: async link => {
      await EventStream.open(link, 's', { retention: { maxLength: 1000 } });
    },
    act: async link => {
      const stream = await EventStream.open(link, 's');
      for (const payload of PAYLOADS) await stream.publishOnce(payload, 'n', payload);
    },
    check: async link => differences('is in the stream', await payloadsOf(link), count => count === 1),
  },
  'streams.redeliver_dead': {
    prepare: async link => {
      await publishAll(link);
      await runSink(link, event => event.deadLetter('of no use'));
    },
    act: link => replayAll(link, {}),
    check: async link => {
      const again: string[] = [];
      const left = await listDead(link, 's', SINK);
      await runSink(link, event => void again.push(event.payload.toString()));
      return [
        ...differences('was delivered', again, count => count === 1),
        ...left.map(({ deadId }) => `${deadId} is still a dead letter`),
      ];
    },
  },
  'streams.republish_dead': {
    prepare: async link => {
      await publishAll(link);
      await runSink(link, event => event.deadLetter('of no use'));
      await (await EventStream.open(link, 's')).trim({ maxLength: 0 });
    },
    act: link => replayAll(link, { publish: true }),
    check: async link => [
      ...differences('was published again', await payloadsOf(link), count => count === 1),
      ...(await listDead(link, 's', SINK)).map(({ deadId }) => `${deadId} is still a dead letter`),
    ],
  },
  'streams.reset_sink': {
    prepare: async link => {
      await publishAll(link);
      await runSink(link, () => {});
    },
    act: async link => {
      await resetSink(link, 's', SINK, { to: 'oldest' });
    },
    check: async link => {
      const again: string[] = [];
      await runSink(link, event => void again.push(event.payload.toString()));
      const { lostTotal } = await showSink(link, 's', SINK);
      return [
        ...differences('was delivered', again, count => count === 1),
        ...(lostTotal === 0 ? [] : [`${lostTotal} are counted as lost`]),
      ];
    },
  },
  'streams.release_entries': {
    prepare: async link => {
      await publishAll(link);
      const { events } = link.keys.stream('s');
      await (await Sink.open(link, SINK, { ...OPTIONS, streams: ['s'], concurrency: 1 }, () => {})).close();
      await resetSink(link, 's', SINK, { to: 'oldest' });
      await link.commands.call('XREADGROUP', 'GROUP', SINK, 'vanished', 'COUNT', COUNT, 'STREAMS', events, '>');
    },
    act: async link => {
      await releaseEntries(link, 's', SINK);
    },
    check: async link => {
      const again: string[] = [];
      await runSink(link, event => void again.push(event.payload.toString()));
      return differences('was delivered', again, count => count === 1);
    },
  },
  'streams.pull': {
    prepare: async link => {
      const stream = await PartitionedStream.open(link, 'orders', { partitions: PARTITIONS });
      await stream.publishMany(
        PAYLOADS.map((payload, i) => ({ key: KEYS[i % KEYS.length] as string, name: 'n', payload })),
      );
    },
    act: async (link, done) => {
      const pool = { lease: TEST_LEASE, reconcileMs: 100, settleMs: 50 };
      const sink = await PartitionedSink.open(link, SINK, { stream: 'orders', blockMs: 200, pool }, event => {
        done(event.payload.toString());
      });
      const names = Array.from({ length: PARTITIONS }, (_, index) => `orders.${index}`);
      const areThrough = async () => (await Promise.all(names.map(name => isThrough(link, name)))).every(Boolean);
      await until(areThrough, 'all partitions to be through', PATIENCE);
      await sink.close();
    },
    check: async (_, done) => [
      ...differences('was handled', done, count => count > 0),
      // Of each key the first time of each event is in order.
      ...KEYS.flatMap((key, at) => {
        const own = [...new Set(done.map(Number).filter(n => n % KEYS.length === at))];
        return own.every((n, i) => i === 0 || n > (own[i - 1] as number)) ? [] : [`${key} was handled as ${own}`];
      }),
    ],
  },
};
