/**
 * The pool by which the processes of a sink share the partitions of a stream. Its jobs only stand for partitions, so it goes
 * with the sink, and with the stream, whatever is in it. One in which a process still works stays: that one has been told,
 * and removes it when it closes.
 */
import { ArgumentError, ConflictError, NotFoundError, RedisCommandError } from '../core/errors.ts';
import { removePool } from '../pool/removal.ts';
import type { RedisLink } from '../redis/link.ts';
import { parseInfo } from '../streams/facts.ts';
import { partitionNames, partitionPool, sinkOfPool } from './names.ts';

/** @throws QuarantineError; ConflictError PROTOCOL_MISMATCH; RedisUnavailableError */
export async function removeSinkPool(
  link: RedisLink,
  stream: string,
  sink: string,
  options: { timeoutMs?: number | undefined } = {},
): Promise<void> {
  try {
    await removePool(link, partitionPool(stream, sink), { ...options, jobs: true });
  } catch (error) {
    const inUse = error instanceof ConflictError && error.code === 'POOL_IN_USE';
    // An ordinary sink of partitions has no pool, and perhaps a name that gives none.
    if (!inUse && !(error instanceof NotFoundError || error instanceof ArgumentError)) throw error;
  }
}

/** Those of all sinks that the stream ever had. @throws as `removeSinkPool` */
export async function removeSinkPools(link: RedisLink, stream: string): Promise<void> {
  const pools = await link.registry.list('pools');
  const sinks = pools.map(pool => sinkOfPool(stream, pool)).filter(sink => sink !== undefined);
  await Promise.all(sinks.map(sink => removeSinkPool(link, stream, sink)));
}

/** Whether a partition has the sink: a group of that name. */
export async function isSinkThere(link: RedisLink, stream: string, count: number, sink: string): Promise<boolean> {
  const groups = await Promise.all(partitionNames(stream, count).map(partition => groupsOf(link, partition)));
  return groups.flat().includes(sink);
}

async function groupsOf(link: RedisLink, stream: string): Promise<string[]> {
  try {
    const groups = await link.commands.call('XINFO', 'GROUPS', link.keys.stream(stream).events);
    return (groups as unknown[]).map(group => String(parseInfo(group).get('name')));
  } catch (error) {
    // There is no stream.
    if (error instanceof RedisCommandError) return [];
    throw error;
  }
}
