/**
 * A partitioned stream: events of one key are handled one at a time and in order, whichever process handles them. Each
 * partition belongs to one process; when processes come or go partitions move, and the order of every key is kept.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/partitioned-stream.ts
 */
import { PartitionedSink, PartitionedStream, RedisLink, removePartitionedStream } from 'ponos';

const CUSTOMERS = ['ann', 'bob', 'cy', 'dee', 'eve', 'fay'];

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });
// The number is for good: several times as many as there will ever be processes.
const orders = await PartitionedStream.open(link, 'example-payments', { partitions: 8 });

const balances = new Map<string, { amounts: number[]; processes: Set<string> }>();
let count = 0;
let arrived = () => {};

/** What each process would do. */
async function join(name: string): Promise<{ sink: PartitionedSink; link: RedisLink }> {
  const own = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });
  const options = { stream: 'example-payments', pool: { lease: 'fast', settleMs: 100 } } as const;
  const sink = await PartitionedSink.open(own, 'balances', options, (event, { key = '', assertOwned }) => {
    assertOwned(); // throws when the lease is over: nothing is done for a customer that is not ours any more
    const balance = balances.get(key) ?? { amounts: [], processes: new Set() };
    balances.set(key, balance);
    balance.amounts.push(Number(event.payload));
    balance.processes.add(name);
    count++;
    arrived();
  });
  return { sink, link: own };
}

function handled(wanted: number): Promise<void> {
  return new Promise(resolve => {
    arrived = () => {
      if (count >= wanted) resolve();
    };
    arrived();
  });
}

async function pay(from: number, to: number): Promise<void> {
  for (let amount = from; amount <= to; amount++) {
    await orders.publishMany(CUSTOMERS.map(key => ({ key, name: 'paid', payload: String(amount) })));
  }
}

const first = await join('first');
await pay(1, 10);
await handled(60);
console.log('one process has every partition:', first.sink.owned.join(' '));

const second = await join('second');
await pay(11, 20);
await handled(120);

await first.sink.close();
await pay(21, 30);
await handled(180);
for (const [customer, { amounts, processes }] of balances) {
  const inOrder = amounts.every((amount, at) => amount === at + 1);
  console.log(`${customer}: ${amounts.length} payments in order: ${inOrder}, by ${[...processes].join(' and ')}`);
}

await second.sink.close();
await removePartitionedStream(link, 'example-payments');
for (const each of [first.link, second.link, link]) await each.close();
