import { NotFoundError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import { namesOf, readEach } from './broken.ts';
import { readGroups } from './groups.ts';
import { type MemberReading, type PoolReading, readPool, requirePool } from './pool-reading.ts';
import type { GroupWait, NodeSnapshot, PoolSnapshot, PoolState, WorkerSnapshot, WorkerState } from './snapshots.ts';

/** Every pool in the registry that is there, by name; also those that are broken. */
export async function listPools(link: RedisLink): Promise<PoolSnapshot[]> {
  const read = async (name: string) => {
    const reading = await readPool(link, name);
    return reading && poolSnapshotOf(link, reading);
  };
  return readEach(await namesOf(link, 'pools'), read, brokenPool);
}

/** @throws NotFoundError, ArgumentError on a bad name. */
export async function showPool(link: RedisLink, pool: string): Promise<PoolSnapshot> {
  return poolSnapshotOf(link, await requirePool(link, pool));
}

/** Members by id, those whose lease is over and that nobody has reaped yet included. @throws NotFoundError */
export async function listWorkers(
  link: RedisLink,
  pool: string,
  filter: { group?: string | undefined } = {},
): Promise<WorkerSnapshot[]> {
  const { members, shardCount } = await requirePool(link, pool);
  const chosen = members.filter(({ info }) => filter.group === undefined || info.group === filter.group);
  const counts = await Promise.all(chosen.map(({ id }) => countOwned(link, pool, shardCount, id)));
  return chosen.map((member, index) => workerSnapshotOf(pool, member, counts[index] ?? 0));
}

/** Jobs recorded to a worker, in all shards. */
export async function countOwned(link: RedisLink, pool: string, shardCount: number, id: string): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: shardCount }, (_, shard) =>
      link.commands.call('SCARD', link.keys.pool(pool, shard).owned(id)),
    ),
  );
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}

/** @throws NotFoundError */
export async function showWorker(link: RedisLink, pool: string, id: string): Promise<WorkerSnapshot> {
  const worker = (await listWorkers(link, pool)).find(candidate => candidate.id === id);
  if (!worker) {
    throw new NotFoundError('worker', id, { hint: `"ponos worker list --pool ${pool}" shows those that exist.` });
  }
  return worker;
}

/** The processes that host workers. @throws NotFoundError */
export async function listNodes(link: RedisLink, pool: string): Promise<NodeSnapshot[]> {
  const byNode = Map.groupBy(await listWorkers(link, pool), worker => worker.node);
  return [...byNode].map(([id, workers]) => {
    const [first] = workers as [WorkerSnapshot];
    return {
      id,
      pool,
      host: first.host,
      pid: first.pid,
      version: first.version,
      workerCount: workers.length,
      jobCount: workers.reduce((sum, { jobCount }) => sum + jobCount, 0),
      state: worstState(workers.map(({ state }) => state)),
      startedAtMs: first.startedAtMs,
    };
  });
}

/** @throws NotFoundError */
export async function showNode(link: RedisLink, pool: string, id: string): Promise<NodeSnapshot> {
  const node = (await listNodes(link, pool)).find(candidate => candidate.id === id);
  if (!node)
    throw new NotFoundError('node', id, {
      hint: `"ponos worker list --pool ${pool} -o wide" names those that host workers.`,
    });
  return node;
}

function worstState(states: WorkerState[]): WorkerState {
  if (states.includes('STALE')) return 'STALE';
  return states.every(state => state === 'DRAINING') ? 'DRAINING' : 'ALIVE';
}

export function workerSnapshotOf(pool: string, member: MemberReading, jobCount: number): WorkerSnapshot {
  const { id, state, leaseLeftMs, incarnation, info, health } = member;
  const { node, group, capacity, weight, host, pid, version, startedAtMs } = info;
  return {
    id,
    pool,
    node,
    group,
    state,
    jobCount,
    capacity,
    weight,
    leaseLeftMs,
    incarnation,
    zombieCount: health.zombieCount,
    lagMs: health.lagMs,
    lagging: health.lagging,
    host,
    pid,
    version,
    startedAtMs,
  };
}

export async function poolSnapshotOf(link: RedisLink, reading: PoolReading): Promise<PoolSnapshot> {
  const { name, shardCount, jobCount, queuedCount, deadCount, limit, closedAtMs, epoch } = reading;
  const { dispatchedTotal, startedTotal, endedTotal, failedTotal } = reading;
  const live = reading.members.filter(({ state }) => state !== 'STALE');
  const { groups, unserved } = await readGroups(link, reading);
  return {
    name,
    state: stateOf(reading, live.length, unserved),
    broken: null,
    shardCount,
    nodeCount: new Set(live.map(({ info }) => info.node)).size,
    workerCount: live.length,
    jobCount,
    queuedCount,
    deadCount,
    limit,
    closedAtMs,
    epoch,
    groups,
    unserved,
    dispatchedTotal,
    startedTotal,
    endedTotal,
    failedTotal,
  };
}

export function brokenPool(name: string, reason: string): PoolSnapshot {
  return {
    name,
    state: 'BROKEN',
    broken: reason,
    shardCount: 0,
    nodeCount: 0,
    workerCount: 0,
    jobCount: 0,
    queuedCount: 0,
    deadCount: 0,
    limit: 0,
    closedAtMs: null,
    epoch: 0,
    groups: [],
    unserved: [],
    dispatchedTotal: 0,
    startedTotal: 0,
    endedTotal: 0,
    failedTotal: 0,
  };
}

function stateOf(reading: PoolReading, liveCount: number, unserved: readonly GroupWait[]): PoolState {
  if (reading.closedAtMs !== null) return 'CLOSED';
  if (liveCount === 0) return reading.jobCount === 0 ? 'IDLE' : 'NO WORKERS';
  if (reading.quarantineLeftMs > 0) return 'QUARANTINE';
  if (reading.members.length > liveCount || unserved.length > 0) return 'DEGRADED';
  return reading.jobCount === 0 ? 'IDLE' : 'OK';
}
