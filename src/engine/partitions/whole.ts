/** What an operator does to a partitioned stream: the same to each of its partitions. */
import { ExistsError, NotFoundError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import {
  addLost,
  encodeRetention,
  planRetention,
  type RetentionChange,
  type RetentionInput,
  type RetentionPlan,
  setRetention,
} from '../streams/retention.ts';
import { openStream, type TrimLimit, type TrimResult, trimStream } from '../streams/whole-stream.ts';
import { describePartitions } from './description.ts';
import { partitionNames } from './names.ts';

/**
 * Makes a partitioned stream that does not exist, each partition with the limits given. One of which a part is missing,
 * because its maker died, is completed.
 * @throws ExistsError, also of a stream that has the name of a partition; ConflictError PARTITIONS_MISMATCH; ArgumentError, OptionError, WrongTypeError, RedisUnavailableError.
 */
export async function createPartitionedStream(
  link: RedisLink,
  name: string,
  partitions: number,
  retention: RetentionInput = {},
): Promise<void> {
  // Refused before anything is made.
  encodeRetention(retention);
  const { count, created } = await describePartitions(link, name, partitions, 'refused');
  const opened = await Promise.all(partitionNames(name, count).map(each => openStream(link, each, retention, true)));
  if (created || opened.some(partition => partition.created)) return;
  throw new ExistsError('stream', name, { hint: '"ponos stream set" changes what is kept of it.' });
}

/**
 * Changes what is kept of each partition; see `setRetention`.
 * @returns the limits of each, and what was removed of all.
 * @throws OptionError; NotFoundError, WrongTypeError, RedisUnavailableError: other partitions may be changed.
 */
export async function setPartitionedRetention(
  link: RedisLink,
  name: string,
  changes: RetentionInput,
): Promise<RetentionChange> {
  encodeRetention(changes);
  const results = await eachPartition(link, name, partition => setRetention(link, partition, changes));
  return { retention: results[0]?.retention, ...sumOf(results) };
}

/**
 * What `setPartitionedRetention` would do to each partition that is there; see `planRetention`.
 * @throws OptionError; NotFoundError, WrongTypeError, RedisUnavailableError
 */
export async function planPartitionedRetention(
  link: RedisLink,
  name: string,
  changes: RetentionInput,
): Promise<RetentionPlan[]> {
  encodeRetention(changes);
  return eachPartition(link, name, partition => planRetention(link, partition, changes));
}

/**
 * Removes old events of each partition: all but its newest `maxLength`, or those before `beforeId`.
 * @returns what was removed of all.
 * @throws NotFoundError, ArgumentError, WrongTypeError, RedisUnavailableError: other partitions may be trimmed.
 */
export async function trimPartitionedStream(link: RedisLink, name: string, limit: TrimLimit): Promise<TrimResult> {
  return sumOf(await eachPartition(link, name, partition => trimStream(link, partition, limit)));
}

/** A partition that went with the data of Redis, and is made anew when it is published to, is passed over. */
async function eachPartition<Result>(
  link: RedisLink,
  name: string,
  act: (partition: string) => Promise<Result>,
): Promise<Result[]> {
  const { count } = await describePartitions(link, name);
  const settled = await Promise.allSettled(partitionNames(name, count).map(act));
  const failure = settled.find(result => result.status === 'rejected' && !(result.reason instanceof NotFoundError));
  if (failure) throw (failure as PromiseRejectedResult).reason;
  return settled.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
}

function sumOf(results: readonly TrimResult[]): TrimResult {
  const sum: TrimResult = { removedCount: 0, lost: new Map() };
  for (const { removedCount, lost } of results) {
    sum.removedCount += removedCount;
    addLost(sum.lost, [...lost].flat());
  }
  return sum;
}
