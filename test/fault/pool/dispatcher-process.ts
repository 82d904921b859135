/**
 * Dispatches, notifies and stops, in a process of its own, as a program of a user would: what may have been lost with its reply is
 * sent again under the same id. Writes down what it sent and what was accepted.
 *
 * Argument: a JSON of DispatcherOptions. Writes `ready` when the first jobs are accepted; each line of standard input is a
 * key to dispatch; SIGTERM ends the load, and the process when everything is answered.
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { LeaseOption } from '../../../src/engine/pool/options.ts';
import '../../support/end-with-parent.ts';
import { loadEngine } from './engine/load.ts';
import { type Held, Journal, nowMs } from './journal.ts';

export interface DispatcherOptions {
  url: string;
  prefix: string;
  pool: string;
  name: string;
  history: string;
  /** Of a packed release; default the sources. */
  engine?: string | undefined;
  lease: LeaseOption;
  shards?: number;
  /** What its keys begin with: of several dispatchers each has its own. */
  keys: string;
  /** Jobs from the start on: job-0, job-1, ... */
  jobCount: number;
  /** More jobs, each second. */
  jobsPerSecond: number;
  /** Notifications to the first jobs, each second. */
  notesPerSecond: number;
  /** Stops of the jobs that came later, the oldest first, each second. */
  stopsPerSecond: number;
  /** Replicas that a dispatch must reach; none after a SIGUSR2. */
  durableReplicas: number;
}

/** Keys that are notified: few, so that each gets many. */
const NOTED_KEYS = 10;
const PATIENCE_MS = 30_000;
const AGAIN_MS = 50;

const options = JSON.parse(process.argv[2] as string) as DispatcherOptions;
const { ExistsError, newId, NotReplicatedError, PonosError, PoolClient, RedisLink, RedisUnavailableError } =
  await loadEngine(options.engine);
const journal = new Journal(options.history, options.name);
const pending = new Set<Promise<void>>();

const link = await RedisLink.connect({ url: options.url, prefix: options.prefix, commandTimeoutMs: 2000 });
const client = await PoolClient.open(link, options.pool, {
  create: true,
  lease: options.lease,
  ...(options.shards ? { shards: options.shards } : {}),
});

/** Changed while dispatches are under way, which then go out again under other terms. */
const durability = { replicas: options.durableReplicas, timeoutMs: 300 };

/** Sends until there is an answer; undefined when there was none. */
async function insist<T>(send: () => Promise<T>): Promise<T> {
  for (const fromMs = nowMs(); ; ) {
    try {
      return await send();
    } catch (error) {
      const passing =
        error instanceof RedisUnavailableError ||
        error instanceof NotReplicatedError ||
        codeOf(error) === 'POOL_QUARANTINED';
      if (passing) journal.write('told', { detail: codeOf(error) });
      if (!passing || nowMs() - fromMs > PATIENCE_MS) throw error;
      await pause(AGAIN_MS);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof PonosError ? error.code : String(error);
}

/** Attempts without end: a fleet that is fenced again and again in a minute would use up any other number. */
async function dispatch(key: string): Promise<void> {
  const id = newId();
  journal.write('sent', { jobs: [[key, 0]] });
  try {
    const { token = 0 } = await insist(() => client.dispatch(key, '', { attempts: 0, id, durability }));
    journal.write('accepted', { jobs: [[key, token]] });
  } catch (error) {
    const what = error instanceof ExistsError ? 'exists' : 'failed';
    journal.write(what, { jobs: [[key, 0]], detail: codeOf(error) });
  }
}

process.on('SIGUSR2', () => {
  durability.replicas = 0;
});

const chains = new Map<string, { count: number; last: Promise<void> }>();

/** Of one key, one after the other: only then is there an order to be kept. */
function notify(key: string): void {
  const chain = chains.get(key) ?? { count: 0, last: Promise.resolve() };
  chains.set(key, chain);
  const number = String(++chain.count);
  const jobs: Held[] = [[key, 0]];
  chain.last = chain.last.then(async () => {
    const id = newId();
    journal.write('noting', { jobs, detail: number });
    await insist(() => client.notify(key, number, { id, durability }));
    journal.write('noted', { jobs, detail: number });
  });
  track(chain.last.catch(error => journal.write('failed', { jobs, detail: String(error) })));
}

/** Accepted under load, and not stopped yet. */
const stoppable: string[] = [];

async function load(n: number): Promise<void> {
  const key = `${options.keys}load-${n}`;
  await dispatch(key);
  stoppable.push(key);
}

/** Resolves when the job has ended. */
async function stop(key: string): Promise<void> {
  const id = newId();
  const jobs: Held[] = [[key, 0]];
  journal.write('stopping', { jobs });
  try {
    await insist(() => client.stop(key, { id, wait: true }));
    journal.write('stopped', { jobs });
  } catch (error) {
    journal.write('failed', { jobs, detail: codeOf(error) });
  }
}

function stopOldest(): void {
  const key = stoppable.shift();
  if (key !== undefined) track(stop(key));
}

function track(work: Promise<void>): void {
  pending.add(work);
  work.finally(() => pending.delete(work)).catch(() => {});
}

/** Calls so often that the rate holds however late timers are. */
function repeat(perSecond: number, call: (n: number) => void): NodeJS.Timeout {
  const fromMs = nowMs();
  let done = 0;
  return setInterval(
    () => {
      for (const due = ((nowMs() - fromMs) / 1000) * perSecond; done < due; done++) call(done);
    },
    Math.max(5, 1000 / perSecond),
  );
}

const keyOf = (n: number) => `${options.keys}job-${n}`;
await Promise.all(Array.from({ length: options.jobCount }, (_, n) => dispatch(keyOf(n))));
const timers: NodeJS.Timeout[] = [];
if (options.jobsPerSecond > 0) timers.push(repeat(options.jobsPerSecond, n => track(load(n))));
if (options.notesPerSecond > 0) timers.push(repeat(options.notesPerSecond, n => notify(keyOf(n % NOTED_KEYS))));
if (options.stopsPerSecond > 0) timers.push(repeat(options.stopsPerSecond, stopOldest));
createInterface({ input: process.stdin }).on('line', key => track(dispatch(key)));

process.once('SIGTERM', async () => {
  for (const timer of timers) clearInterval(timer);
  while (pending.size > 0) await Promise.all(pending);
  await client.close();
  await link.close();
  journal.write('left');
  process.exit(0);
});
journal.write('ready');
process.stdout.write('ready\n');
