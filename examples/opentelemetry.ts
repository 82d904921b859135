/**
 * Traces with OpenTelemetry: one link option, and the spans of publishing, handling, dispatching and running are those of one
 * trace, through whatever processes they go. The adapter is in `opentelemetry/adapter.ts`; a real program registers an
 * SDK where this one registers a provider that prints.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/opentelemetry.ts
 */
import { EventStream, PoolNode, RedisLink, Sink } from 'ponos';
import { openTelemetry } from './opentelemetry/adapter.ts';
import { registerProvider } from './opentelemetry/provider.ts';

let count = 0;
const { promise: complete, resolve } = Promise.withResolvers<void>();
registerProvider(({ name, context, parent, status }) => {
  const under = parent ? ` under ${parent.spanId}` : '';
  console.log(`trace ${context.traceId} span ${context.spanId}${under}: ${name}${status ? `, ${status.message}` : ''}`);
  if (++count === 5) resolve();
});

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL, telemetry: openTelemetry() });
const orders = await EventStream.open(link, 'example-orders');
const node = await PoolNode.join(link, 'example-shipping', { create: true });
let attempts = 0;
await node.addWorker({
  handler: {
    async run(job) {
      if (++attempts === 1) throw new Error('no carrier');
      console.log(`shipped ${job.key}`);
    },
  },
});
// The handler is at work under the span of its event, so the dispatch comes under it too.
const shipping = await Sink.open(link, 'shipping', { streams: ['example-orders'] }, async event => {
  await node.dispatch(String(event.payload), '', { wait: 'completed', attempts: 2, backoffMs: 10 });
});

await orders.publish('ordered', 'order-1');
// One publish, one handling, one dispatch, two runs: the first one failed.
await complete;

await shipping.close();
await node.close();
await orders.remove();
await link.close();
