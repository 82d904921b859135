/** BullMQ as its pages show it: a queue, a worker with the same number of jobs under way, the end told by its events. */
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as loops from '../exchange.ts';

interface Bull {
  Queue: new (name: string, options: object) => BullQueue;
  QueueEvents: new (name: string, options: object) => BullEvents;
  Worker: new (name: string, run: () => Promise<void>, options: object) => { waitUntilReady(): Promise<unknown> };
}
interface BullQueue extends EventEmitter {
  add(name: string, data: object, options: object): Promise<BullJob>;
}
interface BullJob {
  waitUntilFinished(events: BullEvents): Promise<unknown>;
}
interface BullEvents extends EventEmitter {
  waitUntilReady(): Promise<unknown>;
}

const { Queue, QueueEvents, Worker } = createRequire(join(import.meta.dirname, '../../peers/package.json'))(
  'bullmq',
) as Bull;
const NAME = 'bench';
/** A job that is gone before it is asked for counts as lost. */
const KEPT = { count: 1000 };
const DATA = { text: 'x'.repeat(90) };

let queue: BullQueue;
let events: BullEvents;

function connection(url: string) {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}

export async function work(url: string, concurrency: number): Promise<void> {
  const worker = new Worker(NAME, async () => {}, { connection: connection(url), concurrency });
  await worker.waitUntilReady();
}

export async function open(url: string): Promise<void> {
  queue = new Queue(NAME, { connection: connection(url) });
  queue.setMaxListeners(0);
  events = new QueueEvents(NAME, { connection: connection(url) });
  events.setMaxListeners(0);
  await events.waitUntilReady();
}

async function exchange(key: string): Promise<void> {
  const job = await queue.add('job', DATA, { jobId: key, removeOnComplete: KEPT });
  await job.waitUntilFinished(events);
}

export const oneAtATime = (prefix: string, count: number) => loops.oneAtATime({ exchange }, prefix, count);
export const inFlight = (prefix: string, count: number, depth: number) =>
  loops.inFlight({ exchange }, prefix, count, depth);
