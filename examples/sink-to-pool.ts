/**
 * A pool fed by a sink: each event of a stream becomes a task of a worker pool, once. The sink acknowledges an event when the
 * pool has accepted the job, under an id made of the event's: when the process dies in between, the event comes again, and the
 * same id gets the same answer instead of a second job.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/sink-to-pool.ts
 */
import { EventStream, PoolNode, RedisLink, Sink, type SinkEvent } from 'ponos';

const VIDEOS = ['cats', 'dogs', 'owls', 'bats', 'yaks'];

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });
const uploads = await EventStream.open(link, 'example-uploads');

// Workers, which would be processes of their own. A task that fails is tried again by the pool, not by the sink.
const rendered = new Set<string>();
let done = () => {};
const all = new Promise<void>(resolve => {
  done = resolve;
});
const pool = await PoolNode.join(link, 'example-renderers', { lease: 'fast' });
await pool.addWorker({
  handler: {
    async run(job) {
      if (job.attempt === 1 && job.payload.toString() === 'owls') throw new Error('the first attempt fails');
      console.log(`rendered ${job.payload}, attempt ${job.attempt}`);
      rendered.add(job.payload.toString());
      if (rendered.size === VIDEOS.length) done();
    },
  },
});

/** As many as like to may do this at once, and again: each event has one job. */
async function feed(event: SinkEvent): Promise<void> {
  const { key, token } = await pool.dispatch(`render-${event.id}`, event.payload, {
    id: `${event.stream}/${event.id}`,
    backoffMs: 20,
  });
  console.log(`${event.payload} is job ${key.replace(event.id, '...')}${token ? '' : ', which waits for a worker'}`);
}
const sink = await Sink.open(link, 'render', { streams: ['example-uploads'], concurrency: 4 }, async event => {
  await feed(event);
  // As if it had died before the acknowledgement: nothing is rendered twice.
  if (String(event.payload) === 'cats') await feed(event);
});

for (const video of VIDEOS) await uploads.publish('uploaded', video);
await all;
console.log(`rendered ${rendered.size} of ${VIDEOS.length}, the sink acknowledged ${sink.stats.acked}`);

await sink.close();
await pool.drain();
await pool.close();
await uploads.remove();
await link.close();
