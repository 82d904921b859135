/**
 * A schedule that dispatches a job at each tick, and a ticker that runs a callback on one of the nodes that hold it open.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/schedules.ts
 */
import { addSchedule, PoolNode, RedisLink, removeSchedule } from 'ponos';

const url = process.env.PONOS_REDIS_URL;
const links = [await RedisLink.connect({ url }), await RedisLink.connect({ url })];
const nodes = await Promise.all(links.map(link => PoolNode.join(link, 'example-schedules')));

for (const [number, node] of nodes.entries()) {
  await node.addWorker({
    handler: {
      run(job) {
        console.log(`node ${number}: job ${job.key} with ${job.payload.toString()}`);
      },
    },
  });
  // Both hold it open; at each tick one of them runs it.
  await node.ticker('sweep', { everyMs: 400 }, tick => console.log(`node ${number}: ${tick.id}`));
}

// In earnest: { cron: '30 3 * * *', timeZone: 'Europe/Paris', ... }
const [link] = links as [RedisLink];
await addSchedule(link, 'example-schedules', 'report', { everyMs: 300, key: 'report', payload: 'all of it' });

await new Promise(resolve => setTimeout(resolve, 2000));
for (const name of ['report', 'sweep']) await removeSchedule(link, 'example-schedules', name);
for (const node of nodes) await node.close();
for (const each of links) await each.close();
