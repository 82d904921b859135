/** Streams and their sinks as Redis has them: nothing is joined, nothing is written. */
import { NotFoundError, type PonosError, RedisUnavailableError } from '../core/errors.ts';
import { checkName, isName } from '../core/names.ts';
import { storedCount } from '../core/stored.ts';
import { decodeText } from '../core/text.ts';
import { partitionNames } from '../partitions/names.ts';
import type { RedisLink } from '../redis/link.ts';
import { REPLAY_CONSUMER } from '../streams/dead-entry.ts';
import { entryTimeMs, FIRST_ID } from '../streams/entry-id.ts';
import { parseInfo, parseStreamInfo } from '../streams/facts.ts';
import { partitionCount, partitionedError } from '../streams/partitioned.ts';
import { redisTimeMs } from '../streams/position.ts';
import { decodeRetention, RETENTION_FIELDS, type Retention } from '../streams/retention.ts';
import { namesOf, readEach } from './broken.ts';
import { lagOf, maxLag } from './lag.ts';
import type { PendingSnapshot, SinkSnapshot, StreamSnapshot } from './snapshots.ts';

type StreamKeys = ReturnType<RedisLink['keys']['stream']>;
type StreamInfo = ReturnType<typeof parseStreamInfo>;

/** A sink without its consumers, which cost two commands more. */
type SinkCore = Omit<SinkSnapshot, 'consumers' | 'consumerCount'>;

interface StreamCore {
  info: StreamInfo;
  sinks: SinkCore[];
  retention: Retention | null;
  expiresAtMs: number | null;
}

const EMPTY: StreamInfo = { length: 0, addedTotal: 0, firstId: null, lastId: null, lastGeneratedId: FIRST_ID };
const MOST_PENDING = 100;
/** Longer than a holiday or an outage lasts. */
const ABANDONED_MS = 7 * 86_400_000;

/** Every stream in the registry that is there, by name, or only those `named`; also those that are broken. A few commands for each. */
export async function listStreams(link: RedisLink, named?: readonly string[]): Promise<StreamSnapshot[]> {
  const [names, nowMs] = await Promise.all([named ?? namesOf(link, 'streams'), redisTimeMs(link.commands)]);
  return readEach(names, name => readStream(link, name, nowMs), brokenStream);
}

/** The partitioned streams there are, by name, each as the sum of its partitions. One that is broken is, as a whole. */
export async function listPartitionedStreams(link: RedisLink): Promise<StreamSnapshot[]> {
  const [names, nowMs] = await Promise.all([namesOf(link, 'streams'), redisTimeMs(link.commands)]);
  return readEach(names, name => readPartitioned(link, name, nowMs), brokenStream);
}

/**
 * One stream; a partitioned one as the sum of its partitions.
 * @throws NotFoundError, ArgumentError on a bad name, WrongTypeError.
 */
export async function showStream(link: RedisLink, name: string): Promise<StreamSnapshot> {
  const nowMs = await redisTimeMs(link.commands);
  const stream =
    (await readStream(link, checkName('stream', name), nowMs)) ?? (await readPartitioned(link, name, nowMs));
  if (!stream) throw noStream(name);
  return stream;
}

/**
 * The same, also of a stream that is broken.
 * @throws NotFoundError, ArgumentError on a bad name.
 */
export async function findStream(link: RedisLink, name: string): Promise<StreamSnapshot> {
  const [stream] = await readEach([name], each => showStream(link, each), brokenStream);
  return stream as StreamSnapshot;
}

/**
 * One stream that has events of its own.
 * @throws ConflictError PARTITIONED; else as `showStream`.
 */
export async function showOrdinaryStream(link: RedisLink, name: string): Promise<StreamSnapshot> {
  const stream = await readStream(link, checkName('stream', name), await redisTimeMs(link.commands));
  if (!stream) throw await notOrdinary(link, name);
  return stream;
}

/**
 * The sinks of one stream, which for a partitioned one are those of its partitions; of those of a list that exist; or of all.
 * With `onBroken` a stream that is broken is told of, and the others are read.
 * @throws NotFoundError when the one stream that is asked for does not exist; WrongTypeError without `onBroken`.
 */
export async function listSinks(
  link: RedisLink,
  stream?: string | readonly string[],
  onBroken?: (stream: string, reason: string) => void,
): Promise<SinkSnapshot[]> {
  const nowMs = await redisTimeMs(link.commands);
  if (typeof stream === 'string') {
    const sinks = await readSinks(link, checkName('stream', stream), nowMs);
    if (sinks) return sinks;
    const count = await partitionCount(link, stream);
    if (count === undefined) throw noStream(stream);
    return listSinks(link, partitionNames(stream, count), onBroken);
  }
  const names = stream ?? (await namesOf(link, 'streams'));
  const read = (name: string) => readSinks(link, name, nowMs);
  if (onBroken) return (await readEach(names, read, (name, reason) => void onBroken(name, reason))).flat();
  return (await Promise.all(names.map(read))).flatMap(sinks => sinks ?? []);
}

/** @throws NotFoundError when the stream or the sink does not exist; ConflictError PARTITIONED: each partition has its own. */
export async function showSink(link: RedisLink, stream: string, sink: string): Promise<SinkSnapshot> {
  const sinks = await readSinks(link, checkName('stream', stream), await redisTimeMs(link.commands));
  if (!sinks) throw await notOrdinary(link, stream, `"ponos sink list ${stream}" shows the sinks of each`);
  const found = sinks.find(({ name }) => name === checkName('sink', sink));
  if (!found) throw noSink(stream, sink);
  return found;
}

/**
 * What is delivered and not settled, oldest first.
 * @throws as `showSink`
 */
export async function listPending(
  link: RedisLink,
  stream: string,
  sink: string,
  options: { count?: number | undefined } = {},
): Promise<PendingSnapshot[]> {
  await showSink(link, stream, sink);
  return pendingOf(link, stream, sink, { from: '-', to: '+', count: options.count ?? MOST_PENDING });
}

/** One page of the pending list of a sink that exists. */
export async function pendingOf(
  link: RedisLink,
  stream: string,
  sink: string,
  range: { from: string; to: string; count: number },
): Promise<PendingSnapshot[]> {
  const { events } = link.keys.stream(stream);
  const rows = await link.commands.call('XPENDING', events, sink, range.from, range.to, range.count);
  return (rows as [Buffer, Buffer, number, number][]).map(([id, consumer, idleMs, deliveryCount]) => ({
    id: String(id),
    consumer: String(consumer),
    idleMs,
    deliveryCount,
  }));
}

/** undefined when it does not exist, or has no events of its own. */
export async function readStream(link: RedisLink, name: string, nowMs: number): Promise<StreamSnapshot | undefined> {
  const read = await readCore(link, name, nowMs);
  if (!read) return undefined;
  const { info, sinks, retention, expiresAtMs } = read;
  const oldest = sinks.map(sink => sink.oldestPendingMs).filter(age => age !== null);
  return {
    name,
    broken: null,
    partitions: null,
    length: info.length,
    addedTotal: info.addedTotal,
    firstId: info.firstId,
    lastId: info.lastId,
    lastAtMs: info.lastId === null ? null : entryTimeMs(info.lastId),
    sinkCount: sinks.length,
    maxLag: maxLag(sinks.map(sink => sink.lag)),
    maxPendingCount: Math.max(0, ...sinks.map(sink => sink.pendingCount)),
    oldestPendingMs: oldest.length > 0 ? Math.max(...oldest) : null,
    deadCount: sinks.reduce((sum, sink) => sum + sink.deadCount, 0),
    abandoned: sinks.flatMap(sink =>
      isAbandoned(sink, nowMs) ? { sink: sink.name, attendedAtMs: sink.attendedAtMs } : [],
    ),
    retention,
    mixedRetention: false,
    expiresAtMs,
  };
}

function brokenStream(name: string, reason: string): StreamSnapshot {
  return {
    name,
    broken: reason,
    partitions: null,
    length: 0,
    addedTotal: 0,
    firstId: null,
    lastId: null,
    lastAtMs: null,
    sinkCount: 0,
    maxLag: { count: null, exact: false },
    maxPendingCount: 0,
    oldestPendingMs: null,
    deadCount: 0,
    abandoned: [],
    retention: null,
    mixedRetention: false,
    expiresAtMs: null,
  };
}

function isAbandoned<S extends SinkCore>(sink: S, nowMs: number): sink is S & { attendedAtMs: number } {
  if (sink.attendedAtMs === null || nowMs - sink.attendedAtMs < ABANDONED_MS) return false;
  return sink.pendingCount > 0 || sink.lag.count !== 0;
}

async function readPartitioned(link: RedisLink, name: string, nowMs: number): Promise<StreamSnapshot | undefined> {
  const count = await partitionCount(link, name);
  if (count === undefined) return undefined;
  const read = await Promise.all(partitionNames(name, count).map(each => readStream(link, each, nowMs)));
  const partitions = read.filter(partition => partition !== undefined);
  const sum = (of: (partition: StreamSnapshot) => number) => partitions.reduce((total, each) => total + of(each), 0);
  const mixed = new Set(partitions.map(({ retention }) => JSON.stringify(retention))).size > 1;
  const most = (of: (partition: StreamSnapshot) => number | null) => {
    const known = partitions.map(of).filter(value => value !== null);
    return known.length > 0 ? Math.max(...known) : null;
  };
  return {
    name,
    broken: null,
    partitions: count,
    length: sum(({ length }) => length),
    addedTotal: sum(({ addedTotal }) => addedTotal),
    // Ids of different partitions say nothing about each other.
    firstId: null,
    lastId: null,
    lastAtMs: most(({ lastAtMs }) => lastAtMs),
    sinkCount: most(({ sinkCount }) => sinkCount) ?? 0,
    maxLag: maxLag(partitions.map(partition => partition.maxLag)),
    maxPendingCount: most(({ maxPendingCount }) => maxPendingCount) ?? 0,
    oldestPendingMs: most(({ oldestPendingMs }) => oldestPendingMs),
    deadCount: sum(({ deadCount }) => deadCount),
    abandoned: [...new Map(partitions.flatMap(({ abandoned }) => abandoned).map(each => [each.sink, each])).values()],
    // Of each of them: they are made alike, but each may be given its own.
    retention: mixed ? null : (partitions[0]?.retention ?? null),
    mixedRetention: mixed,
    expiresAtMs: most(({ expiresAtMs }) => expiresAtMs),
  };
}

/** undefined when the stream does not exist, or has no events of its own. */
export async function readSinks(link: RedisLink, stream: string, nowMs: number): Promise<SinkSnapshot[] | undefined> {
  const read = await readCore(link, stream, nowMs);
  if (!read) return undefined;
  const keys = link.keys.stream(stream);
  return Promise.all(
    read.sinks.map(async sink => {
      const consumers = await readConsumers(link, keys, sink.name, nowMs);
      return { ...sink, consumerCount: consumers.filter(({ alive }) => alive).length, consumers };
    }),
  );
}

async function readCore(link: RedisLink, stream: string, nowMs: number): Promise<StreamCore | undefined> {
  const keys = link.keys.stream(stream);
  const [info, groups, counters, state] = await link.commands.callMany([
    ['XINFO', 'STREAM', keys.events],
    ['XINFO', 'GROUPS', keys.events],
    ['HGETALL', keys.sinks],
    ['HMGET', keys.meta, 'generation', 'state', 'expireAtMs', ...RETENTION_FIELDS],
  ]);
  if (info?.status !== 'fulfilled' || groups?.status !== 'fulfilled') {
    const failure = info?.status === 'rejected' ? info.reason : (groups as PromiseRejectedResult).reason;
    if (failure instanceof RedisUnavailableError) throw failure;
    if ((await link.commands.call('EXISTS', keys.events)) === 1) throw failure;
    if (state?.status !== 'fulfilled') throw state?.reason ?? failure;
    const [generation, mark] = state.value as (Buffer | null)[];
    const { expiresAtMs } = limitsOf(state.value);
    const isOver = String(mark) === 'removed' || (expiresAtMs !== null && expiresAtMs <= nowMs);
    return generation && !isOver ? { info: EMPTY, sinks: [], ...limitsOf(state.value) } : undefined;
  }
  if (counters?.status !== 'fulfilled') throw counters?.reason;
  if (state?.status !== 'fulfilled') throw state?.reason;
  const parsed = parseStreamInfo(info.value);
  const totals = parseHash(counters.value);
  const sinks = await Promise.all(
    (groups.value as unknown[]).map(group => readSink(link, stream, keys, parsed, parseInfo(group), totals, nowMs)),
  );
  return { info: parsed, sinks: sinks.sort((a, b) => (a.name < b.name ? -1 : 1)), ...limitsOf(state.value) };
}

/** From the description of a stream: generation, state, end, settings. */
function limitsOf(description: unknown): Pick<StreamCore, 'retention' | 'expiresAtMs'> {
  const [, , end, ...settings] = description as (Buffer | null)[];
  return { retention: decodeRetention(settings) ?? null, expiresAtMs: storedCount(end, null) };
}

async function readSink(
  link: RedisLink,
  stream: string,
  keys: StreamKeys,
  info: StreamInfo,
  group: Map<string, unknown>,
  totals: Map<string, unknown>,
  nowMs: number,
): Promise<SinkCore> {
  const name = decodeText(group.get('name') as Buffer);
  const total = (counter: string) => storedCount(totals.get(`${name}:${counter}`) as Buffer | undefined, 0);
  const pendingCount = Number(group.get('pending'));
  const lastDeliveredId = String(group.get('last-delivered-id'));
  const reported = group.get('lag');
  const [summary, deadCount] = await Promise.all([
    pendingCount > 0 ? (link.commands.call('XPENDING', keys.events, name) as Promise<unknown[]>) : undefined,
    total('dead') > 0 ? link.commands.call('XLEN', keys.dead(name)) : 0,
  ]);
  const oldestId = summary?.[1] ? String(summary[1]) : undefined;
  return {
    name,
    stream,
    pendingCount,
    lag: lagOf({ ...info, lastDeliveredId, reported: typeof reported === 'number' ? reported : null }),
    oldestPendingMs: oldestId === undefined ? null : Math.max(0, nowMs - entryTimeMs(oldestId)),
    lastDeliveredId,
    redeliveredTotal: total('redelivered'),
    deadCount: Number(deadCount),
    filteredTotal: total('filtered'),
    lostTotal: total('lost'),
    attendedAtMs: total('attendedAtMs') || null,
  };
}

async function readConsumers(
  link: RedisLink,
  keys: StreamKeys,
  sink: string,
  nowMs: number,
): Promise<SinkSnapshot['consumers']> {
  const [consumers, leases] = await link.commands.callMany([
    ['XINFO', 'CONSUMERS', keys.events, sink],
    // A group made by another program may have a name none of ours can have; its consumers have no leases.
    isName(sink) ? ['ZRANGE', keys.consumers(sink), '0', '-1', 'WITHSCORES'] : ['PING'],
  ]);
  // The group may have gone since it was listed.
  if (consumers?.status !== 'fulfilled') return [];
  const until = leases?.status === 'fulfilled' && Array.isArray(leases.value) ? parseInfo(leases.value) : new Map();
  const isAlive = (name: string) => Number(String(until.get(name) ?? 0)) >= nowMs;
  const known = (consumers.value as unknown[]).map(parseInfo).map(consumer => {
    const name = decodeText(consumer.get('name') as Buffer);
    return {
      name,
      pendingCount: Number(consumer.get('pending')),
      idleMs: Number(consumer.get('idle')),
      alive: isAlive(name),
    };
  });
  // Redis learns of a consumer when it is given its first event; its lease is there before.
  const names = new Set(known.map(({ name }) => name));
  const waiting = [...until.keys()].filter(name => isAlive(name) && !names.has(name));
  const others = known.filter(({ name, alive }) => alive || name !== REPLAY_CONSUMER);
  return [...others, ...waiting.map(name => ({ name, pendingCount: 0, idleMs: 0, alive: true }))];
}

/** The client makes an object of this one reply, and not on a cluster. */
function parseHash(reply: unknown): Map<string, unknown> {
  return Array.isArray(reply) ? parseInfo(reply) : new Map(Object.entries(reply as Record<string, unknown>));
}

async function notOrdinary(link: RedisLink, name: string, then?: string): Promise<PonosError> {
  const count = await partitionCount(link, name);
  return count === undefined ? noStream(name) : partitionedError(name, count, then);
}

function noStream(name: string): NotFoundError {
  return new NotFoundError('stream', name, { hint: '"ponos stream list" shows those that exist.' });
}

function noSink(stream: string, name: string): NotFoundError {
  return new NotFoundError('sink', name, {
    of: `stream "${stream}"`,
    hint: `"ponos sink list ${stream}" shows those that exist.`,
  });
}
