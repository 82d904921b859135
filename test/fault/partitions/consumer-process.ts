/**
 * One process of a partitioned sink, to be killed and stopped: `node consumer-process.ts URL PREFIX FOLDER NAME`. Writes what
 * its handlers do into a file of its own, a line of JSON at once. A line `done` is an effect: it is written after
 * `assertOwned`, and dated before it.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { PartitionedSink } from '../../../src/engine/partitions/partitioned-sink.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { TEST_LEASE } from '../../support/pool.ts';
import '../../support/end-with-parent.ts';
import { type Line, nowMs, SINK, STREAM } from './history.ts';

const [url, prefix, folder, name] = process.argv.slice(2) as [string, string, string, string];
const file = openSync(join(folder, `${name}.jsonl`), 'a');
const write = (line: Omit<Line, 'who'>) => writeSync(file, `${JSON.stringify({ who: name, ...line })}\n`);

const link = await RedisLink.connect({ url, prefix, commandTimeoutMs: 1000 });
const sink = await PartitionedSink.open(
  link,
  SINK,
  {
    stream: STREAM,
    concurrency: 2,
    maxDeliveries: 20,
    blockMs: 500,
    closeTimeoutMs: 1000,
    pool: { lease: TEST_LEASE, reconcileMs: 200, settleMs: 200 },
  },
  async (event, { key = '', partition, token, assertOwned }) => {
    const about = { partition, token, key, n: Number(event.payload), count: event.deliveryCount };
    write({ what: 'begin', atMs: nowMs(), ...about });
    await new Promise(resolve => setTimeout(resolve, 5 + Math.random() * 20));
    const atMs = nowMs();
    try {
      assertOwned();
    } catch (error) {
      write({ what: 'broken off', atMs, ...about });
      throw error;
    }
    write({ what: 'done', atMs, ...about });
  },
);
sink.events.on('error', ({ error }) => {
  // That Redis or the lease is away is what the faults are about.
  if (!['REDIS_UNAVAILABLE', 'LEASE_LOST'].includes((error as { code?: string }).code ?? '')) {
    write({ what: 'error', atMs: nowMs(), error: String(error) });
  }
});
write({ what: 'ready', atMs: nowMs() });
process.once('SIGTERM', () => {
  const end = () => process.exit(0);
  sink
    .close()
    .then(() => link.close())
    .then(end, end);
});
