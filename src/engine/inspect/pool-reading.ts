/** What the snapshots of a pool are made of, in a handful of commands. */
import { NotFoundError } from '../core/errors.ts';
import { checkName } from '../core/names.ts';
import { storedCount, storedFields } from '../core/stored.ts';
import { parseHealth, type WorkerHealth } from '../pool/health.ts';
import { UNKNOWN_WORKER, type WorkerInfo } from '../pool/membership.ts';
import { shardCountOf } from '../pool/options.ts';
import type { RedisLink } from '../redis/link.ts';
import type { WorkerState } from './snapshots.ts';

export interface PoolReading {
  name: string;
  shardCount: number;
  /** The logical clock of each shard now, in µs. */
  clocksUs: readonly number[];
  /** The same to a person looking on: they go on while nobody is left to run a script. */
  seenUs: readonly number[];
  /** Wall time of Redis. */
  timeMs: number;
  /** How long nothing is admitted or moved because Redis lost something; 0 outside of a quarantine. */
  quarantineLeftMs: number;
  epoch: number;
  jobCount: number;
  queuedCount: number;
  deadCount: number;
  /** Of all shards together. */
  limit: number;
  closedAtMs: number | null;
  dispatchedTotal: number;
  startedTotal: number;
  endedTotal: number;
  failedTotal: number;
  /** Groups whose jobs ever waited. */
  groups: string[];
  members: MemberReading[];
}

export interface MemberReading {
  id: string;
  state: WorkerState;
  leaseLeftMs: number;
  incarnation: number;
  info: WorkerInfo;
  health: WorkerHealth;
}

const FIELDS = [
  'generation',
  'shards',
  'clock',
  'last-time',
  'clamp-ms',
  'quarantine-until',
  'epoch',
  'count',
  'queued',
  'limit',
  'dispatched',
  'started',
  'ended',
  'failed',
  'closed-at',
] as const;

/** undefined when there is no such pool. */
export async function readPool(link: RedisLink, name: string): Promise<PoolReading | undefined> {
  const first = await readShard(link, name, 0);
  if (!first || first.shardCount === 1) return first;
  const others = Array.from({ length: first.shardCount - 1 }, (_, at) => readShard(link, name, at + 1));
  const shards = [first, ...(await Promise.all(others))];
  const found = shards.filter(shard => shard !== undefined);
  const sum = (value: (shard: PoolReading) => number) => found.reduce((total, shard) => total + value(shard), 0);
  return {
    name,
    shardCount: first.shardCount,
    clocksUs: shards.map(shard => shard?.clocksUs[0] ?? 0),
    seenUs: shards.map(shard => shard?.seenUs[0] ?? 0),
    timeMs: first.timeMs,
    quarantineLeftMs: Math.max(...found.map(shard => shard.quarantineLeftMs)),
    epoch: Math.max(...found.map(shard => shard.epoch)),
    jobCount: sum(shard => shard.jobCount),
    queuedCount: sum(shard => shard.queuedCount),
    deadCount: sum(shard => shard.deadCount),
    limit: sum(shard => shard.limit),
    closedAtMs: first.closedAtMs,
    dispatchedTotal: sum(shard => shard.dispatchedTotal),
    startedTotal: sum(shard => shard.startedTotal),
    endedTotal: sum(shard => shard.endedTotal),
    failedTotal: sum(shard => shard.failedTotal),
    groups: [...new Set(found.flatMap(shard => shard.groups))],
    members: mergeMembers(found.flatMap(shard => shard.members)),
  };
}

/** A worker has a lease in each shard: it is as well as in the worst of them. */
function mergeMembers(members: readonly MemberReading[]): MemberReading[] {
  const order: readonly WorkerState[] = ['STALE', 'DRAINING', 'ALIVE'];
  return [...Map.groupBy(members, ({ id }) => id).values()]
    .map(parts => {
      const [first] = parts as [MemberReading, ...MemberReading[]];
      return {
        ...first,
        state: order.find(state => parts.some(part => part.state === state)) ?? first.state,
        leaseLeftMs: Math.min(...parts.map(part => part.leaseLeftMs)),
        incarnation: Math.max(...parts.map(part => part.incarnation)),
        health: {
          zombieCount: parts.reduce((total, part) => total + part.health.zombieCount, 0),
          lagMs: Math.max(...parts.map(part => part.health.lagMs)),
          lagging: parts.some(part => part.health.lagging),
        },
      };
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** undefined when there is no such shard. */
async function readShard(link: RedisLink, name: string, shard: number): Promise<PoolReading | undefined> {
  const keys = link.keys.pool(checkName('pool', name), shard);
  const connection = link.commands;
  const [fields, time, members, infos, groups, deadCount] = (await Promise.all([
    connection.call('HMGET', keys.config, ...FIELDS),
    connection.call('TIME'),
    connection.call('ZRANGE', keys.members, 0, -1, 'WITHSCORES'),
    connection.call('HGETALL', keys.memberInfo),
    connection.call('SMEMBERS', keys.groups),
    connection.call('ZCARD', keys.dead),
  ])) as [(Buffer | null)[], [Buffer, Buffer], Buffer[], HashReply, Buffer[], number];
  if (fields[0] === null) return undefined;
  const [
    ,
    ,
    clock,
    last,
    clampMs,
    quarantineEnd,
    epoch,
    count,
    queued,
    limit,
    dispatched,
    started,
    ended,
    failed,
    closedAt,
  ] = fields.map(field => storedCount(field, 0));
  const timeUs = Number(time[0]) * 1_000_000 + Number(time[1]);
  const passedUs = Math.max(0, timeUs - (last ?? 0));
  const nowUs = (clock ?? 0) + Math.min(passedUs, (clampMs ?? 0) * 1000);
  // The logical clock stands still when nobody is left to run a script, and leases with it. To a person looking on they
  // are over when nobody renewed them for so long.
  const seenUs = (clock ?? 0) + passedUs;
  return {
    name,
    shardCount: shardCountOf(fields[1]),
    clocksUs: [nowUs],
    seenUs: [seenUs],
    timeMs: timeUs / 1000,
    quarantineLeftMs: Math.max(0, ((quarantineEnd ?? 0) - nowUs) / 1000),
    epoch: epoch ?? 0,
    jobCount: count ?? 0,
    queuedCount: queued ?? 0,
    deadCount,
    limit: limit ?? 0,
    closedAtMs: closedAt || null,
    dispatchedTotal: dispatched ?? 0,
    startedTotal: started ?? 0,
    endedTotal: ended ?? 0,
    failedTotal: failed ?? 0,
    groups: groups.map(String),
    members: readMembers(members, infos, seenUs),
  };
}

/** @throws NotFoundError */
export async function requirePool(link: RedisLink, name: string): Promise<PoolReading> {
  const reading = await readPool(link, name);
  if (!reading) throw new NotFoundError('pool', name, { hint: '"ponos pool list" shows those that exist.' });
  return reading;
}

/** HGETALL, as the client gives it: fields and values by name. */
type HashReply = Readonly<Record<string, Buffer>>;

function readMembers(members: Buffer[], infos: HashReply, nowUs: number): MemberReading[] {
  const fields = new Map(Object.entries(infos).map(([name, value]) => [name, String(value)]));
  const readings: MemberReading[] = [];
  for (let i = 0; i < members.length; i += 2) {
    const id = String(members[i]);
    const leaseLeftMs = Math.round((Number(String(members[i + 1])) - nowUs) / 1000);
    const live = fields.has(`draining:${id}`) ? 'DRAINING' : 'ALIVE';
    readings.push({
      id,
      state: leaseLeftMs <= 0 ? 'STALE' : live,
      leaseLeftMs,
      // Behind it stands the node.
      incarnation: storedCount(fields.get(`incarnation:${id}`)?.split(' ')[0], 0),
      info: { ...UNKNOWN_WORKER, ...storedFields(fields.get(`info:${id}`), UNKNOWN_WORKER) },
      health: parseHealth(fields.get(`health:${id}`)),
    });
  }
  return readings.sort((a, b) => (a.id < b.id ? -1 : 1));
}
