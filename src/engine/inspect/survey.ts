/**
 * All that a monitoring system asks for, in one reading: every pool, stream, sink and map with its figures, the server, and how
 * it is. Costs a few commands for each of them. What cannot be read (a command that is not allowed, a master of a cluster that
 * is gone) is left out and counted, what is broken is left out and named, and either costs nothing else; only when no server
 * answers there is no survey.
 */
import { RedisCommandError, RedisDeniedError, RedisUnavailableError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import { redisTimeMs } from '../streams/position.ts';
import { type BrokenKind, type BrokenThing, namesOf, readEach } from './broken.ts';
import { countWaiting } from './groups.ts';
import { readMap } from './maps.ts';
import { type PoolReading, readPool } from './pool-reading.ts';
import { countOwned, poolSnapshotOf, workerSnapshotOf } from './pools.ts';
import { readServers, wholeServer } from './server.ts';
import { inspectHealth } from './server-health.ts';
import type {
  Finding,
  GroupWait,
  MapSnapshot,
  PoolSnapshot,
  ServerSnapshot,
  SinkSnapshot,
  StreamSnapshot,
  WorkerSnapshot,
} from './snapshots.ts';
import { readSinks, readStream } from './streams.ts';

const PARTS = ['server', 'pools', 'streams', 'sinks', 'maps'] as const;
export type SurveyPart = (typeof PARTS)[number];

export interface PoolSurvey {
  readonly pool: PoolSnapshot;
  readonly workers: readonly WorkerSnapshot[];
  /** How long the first job in a queue is due; null when none is. */
  readonly oldestPendingMs: number | null;
  /** Of every group of the pool. */
  readonly waiting: readonly GroupWait[];
}

export interface StreamSurvey {
  readonly stream: StreamSnapshot;
  /** null when the server does not say. */
  readonly memoryBytes: number | null;
}

/** What is missing of a part. */
export interface SurveyGap {
  /** How many could not be read, for sinks of how many streams; null when not even which there are. */
  readonly count: number | null;
  /** Why; of several the first. */
  readonly error: unknown;
}

/** What could not be read, and what is broken, is left out. */
export interface Survey {
  readonly server: ServerSnapshot | null;
  readonly health: readonly Finding[];
  readonly pools: readonly PoolSurvey[];
  readonly streams: readonly StreamSurvey[];
  readonly sinks: readonly SinkSnapshot[];
  readonly maps: readonly MapSnapshot[];
  /** What is there and broken, by kind and name. */
  readonly broken: readonly BrokenThing[];
  /** Of parts that could not be read, or not in full; what is broken does not count. */
  readonly gaps: ReadonlyMap<SurveyPart, SurveyGap>;
  /** How many of each kind there are beyond the limit; those come first by name. */
  readonly leftOut: Readonly<Record<'pools' | 'streams' | 'maps', number>>;
}

/** @throws RedisUnavailableError when no server answers. */
export async function surveyFleet(link: RedisLink, limit = Number.POSITIVE_INFINITY): Promise<Survey> {
  const gaps = new Map<SurveyPart, SurveyGap>();
  const broken: BrokenThing[] = [];
  const leftOut = { pools: 0, streams: 0, maps: 0 };
  const named = async (kind: keyof typeof leftOut): Promise<string[]> => {
    const names = await namesOf(link, kind);
    leftOut[kind] = Math.max(0, names.length - limit);
    return names.slice(0, limit);
  };
  const each = async <T>(
    part: SurveyPart,
    names: Promise<string[]>,
    look: (name: string) => Promise<T | undefined>,
    onBroken: (name: string, reason: string) => undefined,
  ): Promise<T[]> => {
    const failures: unknown[] = [];
    const toFailures = (error: unknown) => void failures.push(error);
    try {
      const found = await readEach(await names, look, onBroken, toFailures);
      if (failures.length > 0) gaps.set(part, { count: failures.length, error: failures[0] });
      return found;
    } catch (error) {
      gaps.set(part, { count: null, error });
      return [];
    }
  };
  const toBroken = (kind: BrokenKind) => (name: string, reason: string) => void broken.push({ kind, name, reason });
  const streamNames = named('streams');
  const timeMs = redisTimeMs(link.commands);
  // Where there are no streams nobody waits for it.
  timeMs.catch(() => undefined);
  const [{ server, health }, pools, streams, sinks, maps] = await Promise.all([
    surveyServer(link, gaps),
    each('pools', named('pools'), name => surveyPool(link, name), toBroken('pool')),
    each('streams', streamNames, async name => surveyStream(link, name, await timeMs), toBroken('stream')),
    // A stream that is broken is told with the streams.
    each(
      'sinks',
      streamNames,
      async name => readSinks(link, name, await timeMs),
      () => undefined,
    ),
    each('maps', named('maps'), name => readMap(link, name), toBroken('map')),
  ]);
  broken.sort((a, b) => (`${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1));
  const inOrder = [...gaps].sort(([a], [b]) => PARTS.indexOf(a) - PARTS.indexOf(b));
  return { server, health, pools, streams, sinks: sinks.flat(), maps, broken, gaps: new Map(inOrder), leftOut };
}

async function surveyServer(
  link: RedisLink,
  gaps: Map<SurveyPart, SurveyGap>,
): Promise<Pick<Survey, 'server' | 'health'>> {
  let server: ServerSnapshot | null = null;
  try {
    const servers = await readServers(link);
    server = wholeServer(link.address, servers);
    return { server, health: await inspectHealth(link, servers) };
  } catch (error) {
    if (!server && error instanceof RedisUnavailableError) throw error;
    gaps.set('server', { count: null, error });
    return { server, health: [] };
  }
}

async function surveyPool(link: RedisLink, name: string): Promise<PoolSurvey | undefined> {
  const reading = await readPool(link, name);
  if (!reading) return undefined;
  const { shardCount, members } = reading;
  const pool = await poolSnapshotOf(link, reading);
  const [oldestPendingMs, waiting, counts] = await Promise.all([
    oldestPending(link, reading),
    Promise.all(pool.groups.map(async group => ({ group, waitingCount: await countWaiting(link, reading, group) }))),
    Promise.all(members.map(({ id }) => countOwned(link, name, shardCount, id))),
  ]);
  const workers = members.map((member, at) => workerSnapshotOf(name, member, counts[at] ?? 0));
  return { pool, oldestPendingMs, waiting, workers };
}

/**
 * The queues are sorted by when each job is due, on the clock of their shard. Jobs wait longest where no worker moves it on:
 * whoever dispatches then moves it by less than what has passed. So the record says when by the wall.
 */
async function oldestPending(link: RedisLink, { name, seenUs, timeMs, groups }: PoolReading): Promise<number | null> {
  const ages = seenUs.flatMap((clockUs, shard) =>
    groups.map(async group => {
      const { pending, job } = link.keys.pool(name, shard);
      const [key, due] = (await link.commands.call('ZRANGE', pending(group), 0, 0, 'WITHSCORES')) as Buffer[];
      if (key === undefined) return Number.NEGATIVE_INFINITY;
      const loggedMs = (clockUs - Number(String(due))) / 1000;
      const [dueAt] = (await link.commands.call('HMGET', job(key), 'due-at')) as [Buffer | null];
      return dueAt === null ? loggedMs : Math.max(loggedMs, timeMs - Number(String(dueAt)));
    }),
  );
  const oldest = Math.max(...(await Promise.all(ages)));
  return oldest >= 0 ? oldest : null;
}

async function surveyStream(link: RedisLink, name: string, nowMs: number): Promise<StreamSurvey | undefined> {
  const stream = await readStream(link, name, nowMs);
  return stream && { stream, memoryBytes: await memoryOf(link, link.keys.stream(name).events) };
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
