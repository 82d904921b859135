/**
 * Fan-in: several streams, one sink. Streams are taken up and dropped while it runs; its place on each is kept in Redis.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/fan-in.ts
 */
import { EventStream, RedisLink, Sink } from 'ponos';

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });
const [north, south] = await Promise.all(['example-north', 'example-south'].map(name => EventStream.open(link, name)));
if (!north || !south) throw new Error('both streams are open');

const totals = new Map<string, number>();
let count = 0;
let arrived = () => {};
const sink = await Sink.open(link, 'totals', { streams: ['example-north'] }, event => {
  totals.set(event.stream, (totals.get(event.stream) ?? 0) + Number(event.payload));
  count++;
  arrived();
});

/** Resolves when so many events have been handled. */
function handled(wanted: number): Promise<void> {
  return new Promise(resolve => {
    arrived = () => {
      if (count >= wanted) resolve();
    };
    arrived();
  });
}

await north.publishMany([1, 2, 3].map(value => ({ name: 'sold', payload: String(value) })));
await south.publishMany([10, 20].map(value => ({ name: 'sold', payload: String(value) })));
await handled(3);
console.log('one stream:', Object.fromEntries(totals));

await sink.addStream('example-south');
await handled(5);
console.log('two streams:', Object.fromEntries(totals));

await sink.removeStream('example-north');
await north.publish('sold', '4');
await south.publish('sold', '30');
await handled(6);
console.log('without the first:', Object.fromEntries(totals));

// It goes on where it was: the event of the meantime is not missed.
await sink.addStream('example-north');
await handled(7);
console.log('with it again:', Object.fromEntries(totals));

await sink.close();
await Promise.all([north.remove(), south.remove()]);
await link.close();
