/**
 * A process that reaches every script of a sink, and ends just before or just after one of them.
 *
 * Argument: a JSON of VictimOptions. Writes to `journal` one line for each event whose handler ended well.
 */
import { openSync, writeSync } from 'node:fs';
import { showSink } from '../../../../src/engine/inspect/streams.ts';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import { Sink } from '../../../../src/engine/streams/sink.ts';
import { EventStream } from '../../../../src/engine/streams/stream.ts';
import '../../../support/end-with-parent.ts';
import { until } from '../../../support/until.ts';
import { type Crash, crashAt, NEVER_REACHED } from '../../crash.ts';
import { handlerOf, KINDS, type Kind, OPTIONS, SINK, STREAMS, topicOf } from './kinds.ts';

export interface VictimOptions extends Crash {
  url: string;
  prefix: string;
  journal: string;
}

const EACH_KIND = 3;
/** The machine may be busy with other victims. */
const PATIENCE = { limitMs: 30_000 };

const options = JSON.parse(process.argv[2] as string) as VictimOptions;
const journal = openSync(options.journal, 'a');
const link = await RedisLink.connect({ url: options.url, prefix: options.prefix });
crashAt(options);

async function publish(name: string, kinds: readonly Kind[] = KINDS): Promise<void> {
  const stream = await EventStream.open(link, name);
  for (let i = 0; i < EACH_KIND; i++) {
    await stream.publishMany(kinds.map(kind => ({ name: kind, payload: `lane-${i}`, topic: topicOf(kind) })));
  }
}

async function untilThrough(stream: string): Promise<void> {
  const { sinks } = link.keys.stream(stream);
  await until(
    async () => {
      const { pendingCount, lag, lastDeliveredId } = await showSink(link, stream, SINK);
      const cursor = String(await link.commands.call('HGET', sinks, `${SINK}:cursor`));
      return pendingCount === 0 && lag.count === 0 && cursor === lastDeliveredId;
    },
    'the sink to be through',
    PATIENCE,
  );
}

// A consumer that read and was never heard of again, so that there is something to claim, and to sweep.
for (const stream of STREAMS) {
  const { events } = link.keys.stream(stream);
  await publish(stream);
  await link.commands.call('XGROUP', 'CREATE', events, SINK, '0');
  await link.commands.call('XREADGROUP', 'GROUP', SINK, 'vanished', 'COUNT', 10, 'STREAMS', events, '>');
}
const sink = await Sink.open(
  link,
  SINK,
  OPTIONS,
  handlerOf(({ id, stream }) => writeSync(journal, `${stream} ${id}\n`)),
);
for (const stream of STREAMS) await untilThrough(stream);
const isSwept = async () => (await showSink(link, 's', SINK)).consumers.every(({ name }) => name !== 'vanished');
await until(isSwept, 'the vanished consumer to be deleted', PATIENCE);
// As after a loss of data: the sink makes its group anew, where it was.
await link.commands.call('XGROUP', 'DESTROY', link.keys.stream('s').events, SINK);
await publish('s');
await untilThrough('s');
await publish('t', ['slow', 'good']);
await sink.removeStream('t');
await publish('s', ['slow', 'good']);
await sink.close();
process.exit(NEVER_REACHED);
