/**
 * Publish and subscribe: events with topics, and readers that choose by topic. A reader sees every event and leaves no
 * trace; who must not miss an event while away uses a sink (fan-out.ts).
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/pub-sub.ts
 */
import { EventStream, Reader, RedisLink } from 'ponos';

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });
const weather = await EventStream.open(link, 'example-weather');

/** Prints what it reads until it has had its fill: to leave the loop closes the reader. */
async function subscribe(name: string, topic: string | RegExp, count: number): Promise<() => Promise<void>> {
  // When `open` resolves the start is fixed: everything published from here on is read.
  const reader = await Reader.open(link, ['example-weather'], { from: 'newest', topic });
  return async () => {
    let left = count;
    for await (const event of reader) {
      console.log(`${name}: ${event.topic} ${event.name} ${event.payload}`);
      if (--left === 0) break;
    }
  };
}

const subscribers = await Promise.all([
  subscribe('everything', '*', 4),
  subscribe('Europe', 'eu.*', 2),
  subscribe('capitals', /\.(berlin|lima)$/, 2),
]);
const reading = subscribers.map(read => read());

await weather.publish('rain', '3 mm', { topic: 'eu.berlin' });
await weather.publish('sun', '31 C', { topic: 'us.austin' });
await weather.publishMany([
  { name: 'fog', payload: '50 m', topic: 'pe.lima' },
  { name: 'wind', payload: '9 m/s', topic: 'eu.porto', headers: { station: 'north' } },
]);

await Promise.all(reading);

// A reader can also look back, and end at the present.
let seen = 0;
for await (const _ of await Reader.open(link, ['example-weather'], { from: 'oldest', follow: false })) seen++;
console.log(`events in the stream: ${seen}`);

await weather.remove();
await link.close();
