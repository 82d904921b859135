/**
 * A worker in a process of its own, for tests that kill, stop or cut it off. Its jobs tick: at each tick they ask whether
 * they are owned, and the worker writes who said yes.
 *
 * Argument: a JSON of WorkerProcessOptions. Writes `ready` to standard output when it is a member; SIGTERM drains.
 * A notification `block=<ms>` holds its event loop; any other is written down. A job whose payload is a number keeps the
 * event loop for so many ms, asking before each sign of life, and never stops.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Job, JobHandler, ServiceHandler, StopReason } from '../../../src/engine/pool/handler.ts';
import type { LeaseOption } from '../../../src/engine/pool/options.ts';
import '../../support/end-with-parent.ts';
import { loadEngine } from './engine/load.ts';
import { type Held, Journal, nowMs } from './journal.ts';

export interface WorkerProcessOptions {
  url: string;
  prefix: string;
  pool: string;
  name: string;
  history: string;
  /** Of a packed release; default the sources. */
  engine?: string | undefined;
  lease: LeaseOption;
  shards?: number;
  tickMs: number;
  settleMs: number;
  /** What its wall clock is ahead of the others'. */
  wallAheadMs?: number;
  /** It is ready to join, and waits for this moment. */
  joinAtMs?: number;
  /** A command for each job instead of ticking. */
  exec?: string | undefined;
  /** Jobs end as soon as they began. */
  task?: boolean;
  /** A module for the jobs, in a process of its own; it finds `HISTORY` and `WORKER` in its environment. */
  isolate?: string | undefined;
}

const options = JSON.parse(process.argv[2] as string) as WorkerProcessOptions;
const { createExecHandler, createIsolatedHandler, PoolNode, RedisLink, systemClock } = await loadEngine(options.engine);
const journal = new Journal(options.history, options.name);
const held = new Set<Job>();

function tick(jobs: Iterable<Job>): void {
  const atMs = nowMs();
  const { owned, refused } = ask(jobs);
  if (owned.length > 0) journal.write('tick', { atMs, jobs: owned });
  for (const job of refused) held.delete(job);
  if (refused.length > 0) journal.write('refused', { atMs, jobs: refused.map(job => [job.key, job.token]) });
}

function block(job: Job): void {
  const endMs = nowMs() + Number(String(job.payload));
  while (nowMs() < endMs) {
    const nextMs = nowMs() + options.tickMs;
    while (nowMs() < nextMs);
    tick([job]);
  }
}

function ask(jobs: Iterable<Job>): { owned: Held[]; refused: Job[] } {
  const owned: Held[] = [];
  const refused: Job[] = [];
  for (const job of jobs) {
    try {
      job.assertOwned();
      owned.push([job.key, job.token]);
    } catch {
      refused.push(job);
    }
  }
  return { owned, refused };
}

const ticking = setInterval(() => tick(held), options.tickMs);

const handler: ServiceHandler = {
  start(job: Job) {
    const atMs = nowMs();
    const { owned } = ask([job]);
    journal.write(owned.length > 0 ? 'start' : 'refused', { atMs, jobs: [[job.key, job.token]] });
    if (job.payload.length > 0) setTimeout(() => block(job), options.tickMs);
    else held.add(job);
  },
  async stop(job: Job, reason: StopReason) {
    if (job.payload.length > 0) await new Promise(() => {});
    held.delete(job);
    journal.write('stop', { jobs: [[job.key, job.token]], detail: reason });
  },
  notify(job: Job, payload: Buffer) {
    const text = payload.toString();
    journal.write('heard', { jobs: [[job.key, job.token]], detail: text });
    const blockMs = /^block=(\d+)$/.exec(text)?.[1];
    if (blockMs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(blockMs));
  },
};

async function chooseHandler(): Promise<JobHandler> {
  const { exec, isolate, history, name } = options;
  const env = { ...process.env, HISTORY: history, WORKER: name };
  if (exec) return createExecHandler({ command: exec, env, output: 'ignore', clock });
  if (isolate) return createIsolatedHandler({ module: isolate, env, output: 'ignore', clock });
  if (options.task) return { run: job => journal.write('start', { jobs: [[job.key, job.token]] }) };
  return handler;
}

const clock = { ...systemClock, wallMs: () => Date.now() + (options.wallAheadMs ?? 0) };
const link = await RedisLink.connect({ url: options.url, prefix: options.prefix, commandTimeoutMs: 2000, clock });
const node = await PoolNode.join(link, options.pool, {
  lease: options.lease,
  ...(options.shards ? { shards: options.shards } : {}),
  reconcileMs: 500,
  settleMs: options.settleMs,
});
await pause(Math.max(0, (options.joinAtMs ?? 0) - nowMs()));
const worker = await node.addWorker({ id: options.name, handler: await chooseHandler() });
worker.events.on('error', error => journal.write('error', { detail: String(error) }));
worker.events.on('fenced', () => journal.write('fenced'));
worker.events.on('registered', () => journal.write('registered'));
worker.events.on('zombies', ({ keys }) => journal.write('zombie', { jobs: keys.map(key => [key, 0]) }));
process.once('SIGTERM', async () => {
  await node.drain();
  await node.close();
  await link.close();
  clearInterval(ticking);
  journal.write('left');
});
journal.write('ready');
process.stdout.write('ready\n');
