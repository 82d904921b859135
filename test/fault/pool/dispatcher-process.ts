/**
 * Dispatches and notifies, in a process of its own, as a program of a user would: what may have been lost with its reply is
 * sent again under the same id. Writes down what it sent and what was accepted.
 *
 * Argument: a JSON of DispatcherOptions. Writes `ready` when the first jobs are accepted; each line of standard input is a
 * key to dispatch; SIGTERM ends the load, and the process when everything is answered.
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { ExistsError, NotReplicatedError, PonosError, RedisUnavailableError } from '../../../src/engine/core/errors.ts';
import { newId } from '../../../src/engine/core/ids.ts';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import type { LeaseOption } from '../../../src/engine/pool/options.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import '../../support/end-with-parent.ts';
import { type Held, Journal, nowMs } from './journal.ts';

export interface DispatcherOptions {
  url: string;
  prefix: string;
  pool: string;
  name: string;
  history: string;
  lease: LeaseOption;
  shards?: number;
  /** Jobs from the start on: job-0, job-1, ... */
  jobCount: number;
  /** More jobs, each second. */
  jobsPerSecond: number;
  /** Notifications to the first jobs, each second. */
  notesPerSecond: number;
  /** Replicas that a dispatch must reach; none after a SIGUSR2. */
  durableReplicas: number;
}

/** Keys that are notified: few, so that each gets many. */
const NOTED_KEYS = 10;
const PATIENCE_MS = 30_000;
const AGAIN_MS = 50;

const options = JSON.parse(process.argv[2] as string) as DispatcherOptions;
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
        (error as PonosError).code === 'QUARANTINE';
      if (passing) journal.write('told', { detail: (error as PonosError).code });
      if (!passing || nowMs() - fromMs > PATIENCE_MS) throw error;
      await pause(AGAIN_MS);
    }
  }
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
    journal.write(what, { jobs: [[key, 0]], detail: error instanceof PonosError ? error.code : String(error) });
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
    await insist(() => client.notify(key, number, { id }));
    journal.write('noted', { jobs, detail: number });
  });
  track(chain.last.catch(error => journal.write('failed', { jobs, detail: String(error) })));
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

await Promise.all(Array.from({ length: options.jobCount }, (_, n) => dispatch(`job-${n}`)));
const timers: NodeJS.Timeout[] = [];
if (options.jobsPerSecond > 0) timers.push(repeat(options.jobsPerSecond, n => track(dispatch(`load-${n}`))));
if (options.notesPerSecond > 0) timers.push(repeat(options.notesPerSecond, n => notify(`job-${n % NOTED_KEYS}`)));
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
