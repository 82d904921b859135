/**
 * One consumer of a sink in a process of its own, to be killed: `node consumer-process.ts URL PREFIX STREAM SINK CLAIM_MS`.
 * Writes a line of JSON for each event whose handler ended, by the wall clock of the host, which all processes share.
 * Writing is synchronous: what is not on record did not end.
 */
import { writeSync } from 'node:fs';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { Sink } from '../../../src/engine/streams/sink.ts';
import '../../support/end-with-parent.ts';

const [url, prefix, stream, sink, claimIdleMs] = process.argv.slice(2) as [string, string, string, string, string];
const link = await RedisLink.connect({ url, prefix });
const write = (line: object) => writeSync(1, `${JSON.stringify({ atMs: Date.now(), ...line })}\n`);

const opened = await Sink.open(
  link,
  sink,
  { streams: [stream], concurrency: 4, claimIdleMs: Number(claimIdleMs), blockMs: 500, maxDeliveries: 50 },
  async event => {
    const startedAtMs = Date.now();
    await new Promise(resolve => setTimeout(resolve, 1));
    write({ what: 'handled', id: event.id, startedAtMs, count: event.deliveryCount });
  },
);
write({ what: 'ready', consumer: opened.consumer });
process.once('SIGTERM', () => {
  const end = () => process.exit(0);
  opened
    .close()
    .then(() => link.close())
    .then(end, end);
});
