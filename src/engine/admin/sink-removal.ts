/** Removes a sink for an operator: of a stream, or of all partitions of one. */

import { ArgumentError, NotFoundError } from '../core/errors.ts';
import { showPool } from '../inspect/pools.ts';
import type { Lag, SinkSnapshot } from '../inspect/snapshots.ts';
import { listSinks, showSink } from '../inspect/streams.ts';
import { partitionPool, wholeOf } from '../partitions/names.ts';
import { isSinkThere, removeSinkPool } from '../partitions/sink-pool.ts';
import type { RedisLink } from '../redis/link.ts';
import { partitionCount } from '../streams/partitioned.ts';
import { removeSinkScript } from '../streams/scripts.gen.ts';
import { noSink, requireIdle, sinkInUse } from './sinks.ts';

export interface SinkRemovalOptions {
  /** Also while consumers live. */
  force?: boolean | undefined;
}

/** What goes with a sink. */
export interface SinkRemovalPlan {
  /** Partitions that have it; null: it is of an ordinary stream. */
  partitionCount: number | null;
  /** Events it was not given. */
  lag: Lag;
  pendingCount: number;
  deadCount: number;
}

/**
 * What `removeSink` would remove now.
 * @throws as `removeSink`
 */
export async function planSinkRemoval(
  link: RedisLink,
  stream: string,
  sink: string,
  { force }: SinkRemovalOptions = {},
): Promise<SinkRemovalPlan> {
  const { sinks, partitioned } = await findIdle(link, stream, sink, force);
  const lags = sinks.map(({ lag }) => lag);
  const known = lags.every(({ count }) => count !== null);
  return {
    partitionCount: partitioned ? sinks.length : null,
    lag: {
      count: known ? lags.reduce((sum, { count }) => sum + (count ?? 0), 0) : null,
      exact: lags.every(({ exact }) => exact),
    },
    pendingCount: sinks.reduce((sum, { pendingCount }) => sum + pendingCount, 0),
    deadCount: sinks.reduce((sum, { deadCount }) => sum + deadCount, 0),
  };
}

/**
 * Removes a sink from a stream, with what is pending to it, its counters and its dead letters; from a partitioned one, from
 * every partition. A consumer that still runs is told by the event `removed`, and makes nothing anew. With the last
 * partition that had it goes the pool that shared them out.
 * @throws ConflictError `SINK_IN_USE` while a consumer lives, without `force`; NotFoundError, RedisUnavailableError.
 */
export async function removeSink(
  link: RedisLink,
  stream: string,
  sink: string,
  options: SinkRemovalOptions = {},
): Promise<void> {
  const { sinks, partitioned } = await findIdle(link, stream, sink, options.force);
  await Promise.all(sinks.map(each => removeFrom(link, each.stream, sink, options)));
  const whole = partitioned ? stream : wholeOf(stream);
  const count = whole === undefined ? undefined : await partitionCount(link, whole);
  if (whole === undefined || count === undefined) return;
  if (!(await isSinkThere(link, whole, count, sink))) await removeSinkPool(link, whole, sink);
}

/** The sink in each stream that has it. */
async function findIdle(
  link: RedisLink,
  stream: string,
  sink: string,
  force = false,
): Promise<{ sinks: SinkSnapshot[]; partitioned: boolean }> {
  const partitioned = (await partitionCount(link, stream)) !== undefined;
  const sinks = partitioned
    ? (await listSinks(link, stream)).filter(({ name }) => name === sink)
    : [await showSink(link, stream, sink)];
  if (sinks.length === 0) throw noSink(stream, sink);
  for (const each of sinks) requireIdle(each, force);
  if (!partitioned || force) return { sinks, partitioned };
  // A process that has no partition yet would take one, and make the sink anew.
  const processes = await countProcesses(link, stream, sink);
  if (processes > 0) throw sinkInUse(stream, sink, processes);
  return { sinks, partitioned };
}

async function countProcesses(link: RedisLink, stream: string, sink: string): Promise<number> {
  try {
    return (await showPool(link, partitionPool(stream, sink))).workerCount;
  } catch (error) {
    // An ordinary sink of partitions may have a name that gives none for a pool.
    if (error instanceof NotFoundError || error instanceof ArgumentError) return 0;
    throw error;
  }
}

async function removeFrom(link: RedisLink, stream: string, sink: string, { force }: SinkRemovalOptions): Promise<void> {
  const { events, sinks, consumers, dead } = link.keys.stream(stream);
  const reply = await link.commands.run(
    removeSinkScript,
    { events, sinks, consumers: consumers(sink), dead: dead(sink) },
    { sink, force: force ? 1 : 0 },
  );
  if (reply.status === 'MISSING') throw noSink(stream, sink);
  if (reply.status === 'LIVE') throw sinkInUse(stream, sink, reply.consumers);
}
