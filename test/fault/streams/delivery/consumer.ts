/**
 * One consumer in a process of its own, to be killed. Argument: a JSON of ConsumerOptions. It writes down what happens to
 * each event, at once: what is not on record did not happen.
 */
import { openSync, writeSync } from 'node:fs';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import type { StreamEvent } from '../../../../src/engine/streams/event.ts';
import { Sink } from '../../../../src/engine/streams/sink.ts';
import '../../../support/end-with-parent.ts';
import { nowMs } from '../../pool/journal.ts';
import type { What } from './history.ts';

export interface ConsumerOptions {
  url: string;
  prefix: string;
  stream: string;
  sink: string;
  journal: string;
  claimIdleMs: number;
}

const { url, prefix, stream, sink, journal, claimIdleMs } = JSON.parse(process.argv[2] as string) as ConsumerOptions;
const file = openSync(journal, 'a');
const lanes = new Map<string, string>();

function write(what: What, id: string, count: number): void {
  writeSync(file, `${nowMs()} ${what} ${id} ${lanes.get(id)} ${count}\n`);
}

const link = await RedisLink.connect({ url, prefix });
const opened = await Sink.open(
  link,
  sink,
  {
    streams: [stream],
    concurrency: 8,
    claimIdleMs,
    blockMs: 500,
    maxDeliveries: 50,
    laneBy: (event: StreamEvent) => {
      lanes.set(event.id, String(event.topic));
      write('received', event.id, 0);
      return event.topic;
    },
  },
  async ({ id, deliveryCount }) => {
    write('started', id, deliveryCount);
    await new Promise(resolve => setTimeout(resolve, 1));
    write('ended', id, deliveryCount);
  },
);
opened.events.on('moved', ({ id }) => write('moved', id, 0));
process.stdout.write('ready\n');
process.once('SIGTERM', () => {
  const end = () => process.exit(0);
  opened
    .close()
    .then(() => link.close())
    .then(end, end);
});
