/**
 * All that a monitoring system asks for, in one reading: every pool, stream, sink and map with its figures, the server, and how
 * it is. Costs a few commands for each of them. What cannot be read (a key of another type, a command that is not allowed)
 * costs its part and not the others; only when Redis cannot be reached there is no survey.
 */
import { RedisCommandError, RedisDeniedError, RedisUnavailableError } from '../core/errors.ts';
import { isName } from '../core/names.ts';
import type { RedisLink } from '../redis/link.ts';
import { listMaps } from './maps.ts';
import { type PoolReading, readPool } from './pool-reading.ts';
import { countOwned, poolSnapshotOf, workerSnapshotOf } from './pools.ts';
import { inspectServer } from './server.ts';
import { inspectHealth } from './server-health.ts';
import type {
  Finding,
  MapSnapshot,
  PoolSnapshot,
  ServerSnapshot,
  SinkSnapshot,
  StreamSnapshot,
  WorkerSnapshot,
} from './snapshots.ts';
import { listSinks, listStreams } from './streams.ts';

export type SurveyPart = 'server' | 'pools' | 'streams' | 'sinks' | 'maps';

export interface PoolSurvey {
  readonly pool: PoolSnapshot;
  readonly workers: readonly WorkerSnapshot[];
  /** How long the first job in a queue is due; null when none is. */
  readonly oldestPendingMs: number | null;
}

export interface StreamSurvey {
  readonly stream: StreamSnapshot;
  /** null when the server does not say. */
  readonly memoryBytes: number | null;
}

/** A part that could not be read is empty. */
export interface Survey {
  readonly server: ServerSnapshot | null;
  readonly health: readonly Finding[];
  readonly pools: readonly PoolSurvey[];
  readonly streams: readonly StreamSurvey[];
  readonly sinks: readonly SinkSnapshot[];
  readonly maps: readonly MapSnapshot[];
  /** Why. */
  readonly failures: ReadonlyMap<SurveyPart, unknown>;
  /** How many of each kind there are beyond the limit; those come first by name. */
  readonly leftOut: Readonly<Record<'pools' | 'streams' | 'maps', number>>;
}

/** @throws RedisUnavailableError */
export async function surveyFleet(link: RedisLink, limit = Number.POSITIVE_INFINITY): Promise<Survey> {
  const failures = new Map<SurveyPart, unknown>();
  const leftOut = { pools: 0, streams: 0, maps: 0 };
  const read = async <T>(part: SurveyPart, empty: T, look: () => Promise<T>): Promise<T> => {
    try {
      return await look();
    } catch (error) {
      if (error instanceof RedisUnavailableError) throw error;
      failures.set(part, error);
      return empty;
    }
  };
  const named = async (kind: keyof typeof leftOut): Promise<string[]> => {
    const names = (await link.registry.list(kind)).filter(isName);
    leftOut[kind] = Math.max(0, names.length - limit);
    return names.slice(0, limit);
  };
  const [server, health, pools, streams, sinks, maps] = await Promise.all([
    read('server', null, () => inspectServer(link)),
    read('server', [], () => inspectHealth(link)),
    read('pools', [], async () => surveyPools(link, await named('pools'))),
    read('streams', [], async () => surveyStreams(link, await named('streams'))),
    read('sinks', [], async () => listSinks(link, await named('streams'))),
    read('maps', [], async () => listMaps(link, await named('maps'))),
  ]);
  return { server, health, pools, streams, sinks, maps, failures, leftOut };
}

async function surveyPools(link: RedisLink, names: readonly string[]): Promise<PoolSurvey[]> {
  const found = await Promise.all(
    names.map(async name => {
      const reading = await readPool(link, name);
      return reading && surveyPool(link, reading);
    }),
  );
  return found.filter(pool => pool !== undefined);
}

async function surveyPool(link: RedisLink, reading: PoolReading): Promise<PoolSurvey> {
  const { name, shardCount, members } = reading;
  const [pool, oldestPendingMs, counts] = await Promise.all([
    poolSnapshotOf(link, reading),
    oldestPending(link, reading),
    Promise.all(members.map(({ id }) => countOwned(link, name, shardCount, id))),
  ]);
  const workers = members.map((member, at) => workerSnapshotOf(name, member, counts[at] ?? 0));
  return { pool, oldestPendingMs, workers };
}

/** The queues are sorted by when each job is due, on the clock of their shard. Jobs wait longest where nobody moves it on. */
async function oldestPending(link: RedisLink, { name, seenUs, groups }: PoolReading): Promise<number | null> {
  const ages = seenUs.flatMap((clockUs, shard) =>
    groups.map(async group => {
      const queue = link.keys.pool(name, shard).pending(group);
      const [, due] = (await link.commands.call('ZRANGE', queue, 0, 0, 'WITHSCORES')) as Buffer[];
      return due === undefined ? Number.NEGATIVE_INFINITY : (clockUs - Number(String(due))) / 1000;
    }),
  );
  const oldest = Math.max(...(await Promise.all(ages)));
  return oldest >= 0 ? oldest : null;
}

async function surveyStreams(link: RedisLink, names: readonly string[]): Promise<StreamSurvey[]> {
  const streams = await listStreams(link, names);
  return Promise.all(
    streams.map(async stream => ({ stream, memoryBytes: await memoryOf(link, link.keys.stream(stream.name).events) })),
  );
}

/** From a sample, as Redis does it by default: cheap, and near enough to see a stream grow. */
async function memoryOf(link: RedisLink, key: string): Promise<number | null> {
  try {
    return (await link.commands.call('MEMORY', 'USAGE', key)) as number | null;
  } catch (error) {
    if (error instanceof RedisDeniedError || error instanceof RedisCommandError) return null;
    throw error;
  }
}
