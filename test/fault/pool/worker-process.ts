/**
 * A worker in a process of its own, for tests that kill, stop or cut it off. Its jobs tick: at each tick they ask whether
 * they are owned and write one line to the history. Lines are written at once, so nothing is lost with the process.
 *
 * Argument: a JSON of WorkerProcessOptions. Writes `ready` to standard output when it is a member; SIGTERM drains.
 */
import { openSync, writeSync } from 'node:fs';
import { createExecHandler } from '../../../src/engine/pool/exec/handler.ts';
import type { Job, JobHandler } from '../../../src/engine/pool/handler.ts';
import { createIsolatedHandler } from '../../../src/engine/pool/isolate/handler.ts';
import { PoolNode } from '../../../src/engine/pool/node.ts';
import type { LeaseOption } from '../../../src/engine/pool/options.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import '../../support/end-with-parent.ts';
import type { HistoryEvent } from './history.ts';

export interface WorkerProcessOptions {
  url: string;
  prefix: string;
  pool: string;
  name: string;
  history: string;
  lease: LeaseOption;
  tickMs: number;
  /** A command for each job instead of ticking. */
  exec?: string;
  /** A module for the jobs, in a process of its own; it finds `HISTORY` and `WORKER` in its environment. */
  isolate?: string;
}

const options = JSON.parse(process.argv[2] as string) as WorkerProcessOptions;
const file = openSync(options.history, 'a');

function write(what: HistoryEvent['what'], job?: Pick<Job, 'key' | 'token'>): void {
  const event: HistoryEvent = {
    atMs: Number(process.hrtime.bigint()) / 1e6,
    what,
    worker: options.name,
    key: job?.key ?? null,
    token: job?.token ?? null,
  };
  writeSync(file, `${JSON.stringify(event)}\n`);
}

/** A job whose payload is a number keeps the event loop for so many ms, asking before each sign of life, and never stops. */
function block(job: Job): void {
  const endMs = performance.now() + Number(String(job.payload));
  while (performance.now() < endMs) {
    const nextMs = performance.now() + options.tickMs;
    while (performance.now() < nextMs);
    tick(job);
  }
}

const timers = new Map<Job, NodeJS.Timeout>();

function tick(job: Job): void {
  try {
    job.assertOwned();
  } catch {
    write('refused', job);
    clearInterval(timers.get(job));
    return;
  }
  write('tick', job);
}

const ticking = {
  start(job: Job) {
    write('start', job);
    if (job.payload.length > 0) {
      setTimeout(() => block(job), options.tickMs);
      return;
    }
    timers.set(
      job,
      setInterval(() => tick(job), options.tickMs),
    );
  },
  async stop(job: Job) {
    if (job.payload.length > 0) await new Promise(() => {});
    clearInterval(timers.get(job));
    timers.delete(job);
    write('stop', job);
  },
};

async function chooseHandler(): Promise<JobHandler> {
  const { exec, isolate, history, name } = options;
  if (exec) return createExecHandler({ command: exec, env: process.env, output: 'ignore' });
  if (!isolate) return ticking;
  const env = { ...process.env, HISTORY: history, WORKER: name };
  return createIsolatedHandler({ module: isolate, env, output: 'ignore' });
}

const link = await RedisLink.connect({ url: options.url, prefix: options.prefix, commandTimeoutMs: 2000 });
const node = await PoolNode.join(link, options.pool, {
  lease: options.lease,
  reconcileMs: 500,
  settleMs: 200,
});
const worker = await node.addWorker({ handler: await chooseHandler() });
worker.events.on('fenced', () => write('fenced'));
worker.events.on('registered', () => write('registered'));
worker.events.on('zombies', ({ keys }) => {
  for (const key of keys) write('zombie', { key, token: 0 });
});
process.once('SIGTERM', async () => {
  await node.drain();
  await node.close();
  await link.close();
  write('left');
});
write('ready');
process.stdout.write('ready\n');
