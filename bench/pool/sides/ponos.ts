/** Ponos as its users have it: a node with workers, and a client of another process. */
import { PoolClient, PoolNode, RedisLink } from '../../../src/engine/index.ts';
import * as loops from '../exchange.ts';

const POOL = 'bench';
const PAYLOAD = 'x'.repeat(100);
const LIMIT = 1_000_000;

let client: PoolClient;
let node: PoolNode;
let movedCount = 0;
let lastStartMs = 0;

/** Hosts workers that start every job they get; tasks are done at once. */
export async function work(url: string, workers = 1, kind: 'service' | 'task' = 'service', first = 1): Promise<void> {
  node = await PoolNode.join(await RedisLink.connect({ url }), POOL, { limit: LIMIT });
  for (let n = first; n < first + workers; n++) {
    const worker = await node.addWorker({
      id: `w-${n}`,
      capacity: LIMIT,
      handler: kind === 'task' ? { run: () => {} } : { start() {} },
    });
    worker.events.on('moved', () => movedCount++);
    worker.events.on('started', () => {
      lastStartMs = Date.now();
    });
  }
}

export async function open(url: string): Promise<void> {
  client = await PoolClient.open(await RedisLink.connect({ url }), POOL);
}

const started = { exchange: (key: string) => client.dispatch(key, PAYLOAD, { wait: 'started' }) };
const completed = { exchange: (key: string) => client.dispatch(key, PAYLOAD, { wait: 'completed' }) };

export const oneAtATime = (prefix: string, count: number) => loops.oneAtATime(started, prefix, count);
export const inFlight = (prefix: string, count: number, depth: number) => loops.inFlight(started, prefix, count, depth);
export const oneDoneAtATime = (prefix: string, count: number) => loops.oneAtATime(completed, prefix, count);
export const doneInFlight = (prefix: string, count: number, depth: number) =>
  loops.inFlight(completed, prefix, count, depth);

/** Gives the pool so many jobs. */
export const fill = (count: number) => loops.inFlight(started, 'fill-', count, 500);

/** Ends the jobs that a loop of `count` under `prefix` began. */
export async function stop(prefix: string, count: number): Promise<void> {
  const stopped = { exchange: (key: string) => client.stop(key, { wait: true }) };
  await loops.inFlight(stopped, prefix, count, 500);
}

export const close = () => client.close();
export const moved = () => movedCount;
export const lastStartAtMs = () => lastStartMs;
export const jobCounts = () => [...node.workers].map(worker => worker.jobCount);

export async function drainFirst(): Promise<void> {
  const [worker] = node.workers;
  await worker?.drain();
}
