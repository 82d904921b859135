/**
 * Fan-out: one stream, several sinks. Each sink gets every event, and shares them among its consumers, which would be
 * processes of their own. An event is given again until a handler is through with it; one that never succeeds ends in the
 * dead letters.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/fan-out.ts
 */
import { EventStream, listDead, RedisLink, Sink, type SinkEvent, showSink } from 'ponos';

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });
const orders = await EventStream.open(link, 'example-orders');

// Two consumers of one sink: each order is billed by one of them.
const billed = new Map<string, string>();
const billing = (consumer: string) => (event: SinkEvent) => {
  billed.set(String(event.payload), consumer);
};
const clerks = [
  await Sink.open(link, 'billing', { streams: ['example-orders'] }, billing('first clerk')),
  await Sink.open(link, 'billing', { streams: ['example-orders'] }, billing('second clerk')),
];

// Another sink of the same stream: it gets them all, too, and has a parcel that it cannot pack.
let packed = 0;
const packing = await Sink.open(
  link,
  'packing',
  { streams: ['example-orders'], concurrency: 4, maxDeliveries: 3, retryBaseMs: 20 },
  async event => {
    if (String(event.payload) === 'order 13') throw new Error('too heavy');
    packed++;
  },
);
packing.events.on('failed', ({ deliveryCount }) => console.log(`packing failed at delivery ${deliveryCount}`));
const gaveUp = packing.events.once('deadLetter');

for (let number = 1; number <= 20; number++) await orders.publish('ordered', `order ${number}`);

await gaveUp;
while ((await showSink(link, 'example-orders', 'billing')).pendingCount > 0 || billed.size < 20) {
  await new Promise(resolve => setTimeout(resolve, 10));
}
console.log(`billed ${billed.size} orders by ${new Set(billed.values()).size} of 2 consumers, packed ${packed}`);
for (const letter of await listDead(link, 'example-orders', 'packing')) {
  console.log(`dead letter: ${letter.payload?.data}, ${letter.reason}`);
}

await Promise.all([...clerks, packing].map(sink => sink.close()));
await orders.remove();
await link.close();
