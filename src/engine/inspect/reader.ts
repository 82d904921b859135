/**
 * The readings an observer takes, each of few commands, all passive. Where several of the questions a person asks have
 * the same answer in Redis, one reading answers them together.
 */
import type { RedisLink } from '../redis/link.ts';
import { namesOf, readEach } from './broken.ts';
import { listEvents } from './events.ts';
import { collectKeys, readRecords, showJob } from './jobs.ts';
import { listLedger } from './ledger.ts';
import { listMapEntries, listMaps } from './maps.ts';
import { type MemberReading, readPool, requirePool } from './pool-reading.ts';
import { brokenPool, countOwned, listNodes, listWorkers, poolSnapshotOf, workerSnapshotOf } from './pools.ts';
import { inspectServers } from './server.ts';
import type {
  EventSnapshot,
  JobDetail,
  JobKey,
  JobSnapshot,
  LedgerEntry,
  MapEntry,
  MapSnapshot,
  NodeSnapshot,
  PendingSnapshot,
  PoolSnapshot,
  ServerSnapshot,
  SinkSnapshot,
  StreamSnapshot,
  WorkerSnapshot,
} from './snapshots.ts';
import { listPending, listSinks, listStreams } from './streams.ts';

export interface PoolsReading {
  pools: PoolSnapshot[];
  /** Workers of all pools whose lease is over. */
  staleWorkers: WorkerSnapshot[];
  /** Live workers of all pools with handlers that do not stop, or that block. */
  unwellWorkers: WorkerSnapshot[];
}

export interface JobsReading {
  keys: JobKey[];
  workers: WorkerSnapshot[];
  /** The pool's logical clock. */
  clocksUs: readonly number[];
}

export interface FleetReader {
  server(): Promise<{ server: ServerSnapshot; masters: ServerSnapshot[] }>;
  pools(): Promise<PoolsReading>;
  nodes(pool: string): Promise<NodeSnapshot[]>;
  workers(pool: string): Promise<WorkerSnapshot[]>;
  /** All keys of a pool and its workers. */
  jobs(pool: string): Promise<JobsReading>;
  /** Records of the keys that still exist, in any order; one command each. */
  records(pool: string, keys: readonly string[], clocksUs: readonly number[]): Promise<JobSnapshot[]>;
  job(pool: string, key: string): Promise<JobDetail>;
  /** Entries after an id, or the newest. */
  ledger(pool: string, options: { count: number; after?: string | undefined }): Promise<LedgerEntry[]>;
  streams(): Promise<StreamSnapshot[]>;
  sinks(stream: string): Promise<SinkSnapshot[]>;
  pending(stream: string, sink: string, options: { count: number }): Promise<PendingSnapshot[]>;
  /** The newest events of a stream, oldest of them first. */
  newestEvents(stream: string, options: { count: number }): Promise<EventSnapshot[]>;
  maps(): Promise<MapSnapshot[]>;
  entries(map: string, options: { limit: number }): Promise<MapEntry[]>;
}

export function readerOf(link: RedisLink): FleetReader {
  return {
    server: () => inspectServers(link),
    pools: () => readPools(link),
    nodes: pool => listNodes(link, pool),
    workers: pool => listWorkers(link, pool),
    jobs: pool => readJobsOf(link, pool),
    records: (pool, keys, clocksUs) => readRecords(link, pool, keys, clocksUs, 'live'),
    job: (pool, key) => showJob(link, pool, key),
    ledger: (pool, options) => listLedger(link, pool, options),
    streams: () => listStreams(link),
    sinks: stream => listSinks(link, stream),
    pending: (stream, sink, options) => listPending(link, stream, sink, options),
    newestEvents: (stream, options) => listEvents(link, stream, options),
    maps: () => listMaps(link),
    entries: (map, options) => listMapEntries(link, map, options),
  };
}

/** Jobs are counted for workers in trouble alone: what the others hold is not shown where all pools are. */
async function readPools(link: RedisLink): Promise<PoolsReading> {
  const read = async (name: string) => {
    const reading = await readPool(link, name);
    if (!reading) return undefined;
    const troubled = await Promise.all(
      reading.members.filter(isTroubled).map(async member => {
        return workerSnapshotOf(name, member, await countOwned(link, name, reading.shardCount, member.id));
      }),
    );
    return { pool: await poolSnapshotOf(link, reading), troubled };
  };
  const found = await readEach(await namesOf(link, 'pools'), read, (name, reason) => ({
    pool: brokenPool(name, reason),
    troubled: [],
  }));
  const troubled = found.flatMap(each => each.troubled);
  return {
    pools: found.map(({ pool }) => pool),
    staleWorkers: troubled.filter(({ state }) => state === 'STALE'),
    unwellWorkers: troubled.filter(({ state }) => state !== 'STALE'),
  };
}

function isTroubled({ state, health }: MemberReading): boolean {
  return state === 'STALE' || health.zombieCount > 0 || health.lagging;
}

/** How many jobs each worker has follows from the keys. */
async function readJobsOf(link: RedisLink, pool: string): Promise<JobsReading> {
  const reading = await requirePool(link, pool);
  const keys = await collectKeys(link, reading, {});
  const counts = new Map<string, number>();
  for (const { worker } of keys) if (worker !== null) counts.set(worker, (counts.get(worker) ?? 0) + 1);
  const workers = reading.members.map(member => workerSnapshotOf(pool, member, counts.get(member.id) ?? 0));
  return { keys, workers, clocksUs: reading.clocksUs };
}
