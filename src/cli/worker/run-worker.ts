/**
 * One worker in this process, from joining the pool to leaving it. The first signal drains: no more jobs, those at hand
 * are handed on in order. The second stops and releases them at once. What ends it is told, and so is what is left.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type AddWorkerOptions,
  listJobs,
  newId,
  PoolNode,
  type PoolNodeOptions,
  type RedisLink,
  type Worker,
} from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import type { GracefulOptions } from '../interrupt.ts';
import type { Output } from '../output.ts';
import { EventLog } from './event-log.ts';
import { catchUnhandled } from './unhandled.ts';

export interface WorkerRun {
  link: RedisLink;
  pool: string;
  node: PoolNodeOptions;
  worker: AddWorkerOptions;
  /** End when nothing of its group waits and it has no job. */
  untilIdle: boolean;
  output: Output;
  untilInterrupted: (options: GracefulOptions) => AbortSignal;
}

const TELL_LEFT_EVERY_MS = 5000;
const IDLE_LOOK_EVERY_MS = 500;

/** Resolves when the worker has left the pool in good order. */
export async function runWorker(run: WorkerRun): Promise<void> {
  const { output } = run;
  const log = new EventLog(output);
  const restore = catchUnhandled(error => log.unhandled(error));
  const node = await PoolNode.join(run.link, run.pool, run.node);
  try {
    let worker: Worker | undefined;
    const tell = (text: string) => void output.note(text);
    const stop = run.untilInterrupted({
      first: signal => tell(`${signal}: draining, ${countJobs(worker)} left; once more stops them at once`),
      second: signal => {
        tell(`${signal} again: stopping ${countJobs(worker)} at once`);
        return node.close();
      },
    });
    log.followNode(node);
    const { id = newId() } = run.worker;
    let left: Promise<unknown> | undefined;
    const listen = (events: Worker['events']) => {
      log.followWorker(id, events);
      left = events.once('left');
    };
    worker = await node.addWorker({ ...run.worker, id, listen });
    await output.note(`worker ${worker.id} ready: pool ${run.pool}, group ${worker.group}`);
    log.tell('ready', { more: { pool: run.pool, group: worker.group, pid: process.pid }, sentence: null });
    const over = new AbortController();
    await Promise.race([
      aborted(stop),
      left,
      ...(run.untilIdle ? [untilIdle(run, worker, AbortSignal.any([stop, over.signal]))] : []),
    ]);
    over.abort();
    await drain(node, worker, tell);
    await log.flush();
  } finally {
    await node.close();
    await log.flush();
    restore();
  }
}

async function drain(node: PoolNode, worker: Worker, tell: (text: string) => void): Promise<void> {
  const telling = setInterval(() => tell(`draining: ${countJobs(worker)} left`), TELL_LEFT_EVERY_MS);
  try {
    await node.drain();
  } finally {
    clearInterval(telling);
  }
}

async function untilIdle({ link, pool }: WorkerRun, worker: Worker, signal: AbortSignal): Promise<void> {
  const { group } = worker;
  while (!signal.aborted) {
    await pause(IDLE_LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (worker.jobCount > 0) continue;
    const waiting = await listJobs(link, pool, { state: 'PENDING', group, limit: 1 }).catch(() => undefined);
    // A job may have come while this looked.
    if (waiting?.length === 0 && worker.jobCount === 0) return;
  }
}

function countJobs(worker: Worker | undefined): string {
  return formatCount(worker?.jobCount ?? 0, 'job');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
