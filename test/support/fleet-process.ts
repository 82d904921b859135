/**
 * A small fleet in a process of its own, to be looked at and to be killed: `node fleet-process.ts URL PREFIX`. Says
 * `ready` on stdout when everything is there and at work.
 */
import { EventStream, PoolNode, RedisLink, ReplicatedMap, Sink } from '../../src/engine/index.ts';
import './end-with-parent.ts';

const [url, prefix] = process.argv.slice(2);
const link = await RedisLink.connect({ url, prefix });
const node = await PoolNode.join(link, 'video', { lease: 'fast' });
for (let n = 1; n <= 3; n++) await node.addWorker({ id: `w-${n}`, handler: { start() {} } });
for (let n = 0; n < 20; n++) {
  await node.dispatch(`tenant-${n}`, JSON.stringify({ n, text: '\x1b[31m' }), { wait: 'started', timeoutMs: 10_000 });
}
const map = await ReplicatedMap.join(link, 'settings');
await map.set('interval', '250');
const stream = await EventStream.open(link, 'readings');
const sink = await Sink.open(link, 'fold', { streams: ['readings'] }, async event => {
  // Stays pending.
  if (event.name === 'stuck') await new Promise(() => {});
});
await stream.publish('stuck', 'x');
const timer = setInterval(() => {
  stream.publish('reading', '{"value":1}', { topic: 'cpu' }).catch(() => {});
}, 20);
console.log('ready');
process.once('SIGTERM', () => {
  clearInterval(timer);
  const end = () => process.exit(0);
  Promise.all([sink.close(), map.close(), node.close()])
    .then(() => link.close())
    .then(end, end);
});
