/**
 * A pool with two nodes: keyed services that run until they are stopped and move when a node leaves, and tasks with a result.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/worker-pool.ts
 */
import { type Job, PoolNode, RedisLink } from 'ponos';

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });

/** One poller per tenant. `start` returns once it is up; its loop ends when the signal aborts. */
const poller = (name: string) => ({
  start(job: Job) {
    const poll = () => {
      job.assertOwned(); // throws when the lease is over: nothing is done for a tenant that is not ours
      console.log(`${name} polls ${job.key} with token ${job.token}`);
    };
    poll();
    const timer = setInterval(poll, 1000);
    job.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  },
});

// Each node would be a process of its own.
const first = await PoolNode.join(link, 'example-pollers', { create: true, lease: 'fast' });
await first.addWorker({ handler: poller('first') });
const second = await PoolNode.join(link, 'example-pollers', { lease: 'fast' });
await second.addWorker({ handler: poller('second') });

for (const tenant of ['ann', 'bob', 'cy', 'dee', 'eve', 'fay']) {
  await first.dispatch(tenant, JSON.stringify({ tenant }), { wait: 'started' });
}
const again = await second.dispatch('ann', '{}').catch((error: Error) => error.message);
console.log(`a key runs once in the whole pool: ${again}`);

console.log('the second node leaves; its tenants move');
await second.drain();
await second.close();
const places = await Promise.all(['ann', 'bob', 'cy'].map(tenant => first.where(tenant)));
console.log(`all with one worker now: ${new Set(places.map(place => place.worker)).size === 1}`);

for (const tenant of ['ann', 'bob', 'cy', 'dee', 'eve', 'fay']) await first.stop(tenant);
await first.drain();
await first.close();

// Tasks end by themselves and may give a result; a failure is retried with back-off.
const tasks = await PoolNode.join(link, 'example-tasks', { create: true, lease: 'fast' });
await tasks.addWorker({
  handler: {
    async run(job: Job) {
      if (job.attempt === 1) throw new Error('the first attempt fails');
      return `${job.payload.toString()} done at attempt ${job.attempt}`;
    },
  },
});
const { result } = await tasks.dispatch('report-7', 'report 7', { wait: 'completed', attempts: 3, timeoutMs: 20_000 });
console.log(String(result));
await tasks.drain();
await tasks.close();
await link.close();
