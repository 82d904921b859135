/**
 * One process of the fleet on a cluster, in which everything Ponos has is at work: a map, three streams with a sink and a
 * reader, a partitioned stream, and a worker of a pool of several shards. `node fleet-process.ts URL PREFIX INDEX`.
 *
 * It writes down what happens, one line of JSON each, synchronously: what is not on record did not happen. Commands come
 * on standard input: `quiet` ends the load, `digest` asks what its copy of the map holds, `end` makes it leave.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  EventStream,
  type Job,
  PartitionedSink,
  PartitionedStream,
  PonosError,
  PoolNode,
  Reader,
  RedisLink,
  ReplicatedMap,
  Sink,
} from '../../../src/engine/index.ts';
import { FLEET, type FleetLine } from './fleet-lines.ts';

const [url, prefix, index] = process.argv.slice(2) as [string, string, string];
const write = (line: FleetLine) => writeSync(1, `${JSON.stringify({ atMs: Date.now(), ...line })}\n`);
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

const link = await RedisLink.connect({ url, prefix });
const map = await ReplicatedMap.join(link, FLEET.map);
const streams = await Promise.all(FLEET.streams.map(name => EventStream.open(link, name)));
const sink = await Sink.open(link, 'fold', { streams: FLEET.streams, claimIdleMs: 2000, blockMs: 500 }, event => {
  write({ what: 'handled', stream: event.stream, id: event.id });
});
const reader = await Reader.open(link, FLEET.streams, { blockMs: 500, onGap: 'report' });
reader.events.on('gap', gap => write({ what: 'gap', stream: gap.stream }));
const reading = (async () => {
  for await (const event of reader) write({ what: 'read', stream: event.stream, id: event.id });
})();
const keyed = await PartitionedStream.open(link, FLEET.partitioned, { partitions: FLEET.partitions });
const partitions = await PartitionedSink.open(
  link,
  'ordered',
  { stream: FLEET.partitioned, blockMs: 500, pool: { lease: FLEET.lease, settleMs: 500 } },
  (event, { key, token }) => {
    write({ what: 'took', key: key ?? '', n: Number(event.payload), token });
  },
);
const node = await PoolNode.join(link, FLEET.pool, { lease: FLEET.lease, shards: FLEET.shards, settleMs: 500 });
const held = new Map<string, Job>();
await node.addWorker({
  id: `w-${index}`,
  handler: {
    start(job) {
      held.set(job.key, job);
      write({ what: 'start', key: job.key, token: job.token });
    },
    stop(job) {
      held.delete(job.key);
      write({ what: 'stop', key: job.key, token: job.token });
    },
  },
});

let quiet = false;
const loads: Promise<void>[] = [];

function load(everyMs: number, act: (n: number) => Promise<void>): void {
  loads.push(
    (async () => {
      for (let n = 1; !quiet; n++) {
        await act(n);
        await pause(everyMs);
      }
    })(),
  );
}

for (const stream of streams) {
  load(20, async n => {
    const payload = `${index} ${n}`;
    await stream.publish('n', payload).then(
      id => write({ what: 'published', stream: stream.name, id, payload }),
      error => write({ what: 'failed', stream: stream.name, payload, code: codeOf(error) }),
    );
  });
}
// One key after the other, so that the order of each is that of its numbers. What is in doubt is not sent again.
load(10, async n => {
  const key = `${index} ${n % 5}`;
  await keyed.publish(key, 'n', String(n)).then(
    () => write({ what: 'put', key, n }),
    error => write({ what: 'failed', stream: FLEET.partitioned, payload: `${key} ${n}`, code: codeOf(error) }),
  );
});
load(20, async n => {
  const key = `${index} ${n % 10}`;
  await map.set(key, String(n)).then(
    () => write({ what: 'set', key, n }),
    error => write({ what: 'unset', key, n, code: codeOf(error) }),
  );
});
// Every job that is ours, and says so without asking anybody.
const ticking = setInterval(() => {
  const owned = [...held.values()]
    .filter(job => job.lease.owned)
    .map(({ key, token }): [string, number] => [key, token]);
  if (owned.length > 0) write({ what: 'tick', owned });
}, 100);

createInterface({ input: process.stdin })
  .on('line', async command => {
    if (command === 'quiet') {
      quiet = true;
      await Promise.all(loads);
      write({ what: 'quiet' });
    } else if (command === 'digest') {
      const text = JSON.stringify([...map.entries()].sort(([a], [b]) => (a < b ? -1 : 1)));
      write({ what: 'digest', digest: createHash('sha1').update(text).digest('hex') });
    } else {
      quiet = true;
      clearInterval(ticking);
      await Promise.all([sink.close(), reader.close(), reading, partitions.close(), node.close(), map.close()]);
      await link.close();
      process.exit(0);
    }
  })
  .once('close', () => process.exit(1));
write({ what: 'ready' });

function codeOf(error: unknown): string {
  return error instanceof PonosError ? error.code : String(error);
}
