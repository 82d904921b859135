/**
 * The handler of the demonstration's workers, started as any other: `ponos worker start handler.js`.
 * A job watches one source: at an interval held in a replicated map it reads it and publishes the reading.
 */
import { EventStream, type Job, RedisLink, ReplicatedMap } from '../../engine/index.ts';
import {
  DEFAULT_INTERVAL_MS,
  INTERVAL_KEY,
  type IntervalSeen,
  preciseNowMs,
  READINGS,
  type ReadingEvent,
  SETTINGS,
} from './protocol.ts';
import { parseSource, readSource } from './sources.ts';

interface Shared {
  settings: ReplicatedMap;
  readings: EventStream;
}

let shared: Promise<Shared> | undefined;
/** Wakes every job's loop, so that a new interval holds at once. */
const wakers = new Set<() => void>();
const loops = new Map<string, Promise<void>>();

async function connect(): Promise<Shared> {
  const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL, clientName: 'ponos-demo' });
  const [settings, readings] = await Promise.all([
    ReplicatedMap.join(link, SETTINGS),
    EventStream.open(link, READINGS),
  ]);
  announceIntervals(settings, readings).catch(() => {});
  return { settings, readings };
}

/** Tells when a new interval became visible here: the demonstration measures the propagation by it. */
async function announceIntervals(settings: ReplicatedMap, readings: EventStream): Promise<void> {
  for await (const change of settings.watch({ key: INTERVAL_KEY })) {
    const seen: IntervalSeen = { pid: process.pid, intervalMs: Number(change.value), atMs: preciseNowMs() };
    for (const wake of wakers) wake();
    await readings.publish('interval', JSON.stringify(seen));
  }
}

export async function start(job: Job): Promise<void> {
  shared ??= connect();
  const { settings, readings } = await shared;
  loops.set(job.key, watchSource(job, settings, readings));
}

/** Resolves when the loop has ended: only then may another worker start the key. */
export async function stop(job: Job): Promise<void> {
  await loops.get(job.key);
  loops.delete(job.key);
}

async function watchSource(job: Job, settings: ReplicatedMap, readings: EventStream): Promise<void> {
  const source = parseSource(job.key);
  let sequence = 1;
  while (!job.signal.aborted) {
    const values = readSource(source);
    const event: ReadingEvent = {
      key: job.key,
      pid: process.pid,
      token: job.token,
      sequence,
      atMs: preciseNowMs(),
      values,
    };
    try {
      job.assertOwned();
      await readings.publish('reading', JSON.stringify(event), { topic: source.kind });
      sequence++;
    } catch {
      // Not ours any more, or Redis is away: the next turn looks again.
    }
    await pause(Number(settings.get(INTERVAL_KEY) ?? DEFAULT_INTERVAL_MS), job.signal);
  }
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer);
      wakers.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    wakers.add(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
