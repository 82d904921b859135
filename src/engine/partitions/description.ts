/**
 * What Redis knows of a partitioned stream beside its partitions: how many they are. It is fixed when the stream is made,
 * because with another number keys would change their partition, and with it lose their order.
 */

import { ConflictError, ExistsError, NotFoundError } from '../core/errors.ts';
import { type OptionTable, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import { removeStream } from '../streams/whole-stream.ts';
import { checkPartitionedName, MAX_PARTITIONS, partitionNames } from './names.ts';
import { describePartitionsScript, removePartitionsScript } from './scripts.gen.ts';

export const partitionOptions = {
  partitions: {
    kind: 'count',
    default: 8,
    min: 1,
    max: MAX_PARTITIONS,
    doc: 'Partitions of a stream that is made, for good: several times as many as there will be processes.',
  },
} as const satisfies OptionTable;

/** How long the mark of a removed stream stays. */
const REMOVED_MARK_S = 86_400;

/**
 * Number of partitions of a stream, which is made partitioned when `count` is given: then `created` says whether by this.
 * @throws NotFoundError without `count` when there is none; ConflictError PARTITIONS_MISMATCH when it has another number;
 *   ExistsError when it is an ordinary stream, without `count` ConflictError NOT_PARTITIONED; ArgumentError, WrongTypeError,
 *   RedisUnavailableError.
 */
export async function describePartitions(
  link: RedisLink,
  name: string,
  count?: number,
): Promise<{ count: number; created: boolean }> {
  if (count !== undefined) resolveOptions('PartitionedStream', partitionOptions, { partitions: count });
  const reply = await describe(link, name, count ?? 0, false);
  switch (reply.status) {
    case 'OK':
      await link.registry.add('streams', name);
      return { count: reply.count, created: reply.created === 1 };
    case 'MISMATCH':
      throw new ConflictError(`stream "${name}" has ${reply.count} partitions, not ${count}`, {
        code: 'PARTITIONS_MISMATCH',
        hint: 'The number is fixed when the stream is made: leave it out, or make another stream.',
      });
    case 'TAKEN':
      if (count === undefined) throw notPartitioned(name);
      throw new ExistsError('stream', name, { hint: 'It is an ordinary stream, without partitions.' });
    default:
      throw new NotFoundError('partitioned stream', name, {
        hint: 'Only who makes it says how many partitions it has: "ponos stream create NAME --partitions N", or PartitionedStream.open.',
      });
  }
}

/** Puts back what went with the data of Redis. Whether the stream stands: false when it was removed on purpose. */
export async function restorePartitions(link: RedisLink, name: string, count: number): Promise<boolean> {
  const reply = await describe(link, name, count, true);
  if (reply.status !== 'OK') return false;
  await link.registry.add('streams', name);
  return true;
}

/**
 * Removes a partitioned stream: its partitions with their sinks, then itself.
 * @throws NotFoundError, ArgumentError, WrongTypeError, RedisUnavailableError
 */
export async function removePartitionedStream(link: RedisLink, name: string): Promise<void> {
  const { partitions } = link.keys.stream(checkPartitionedName(name));
  const { count } = await describePartitions(link, name);
  await Promise.all(
    partitionNames(name, count).map(partition =>
      removeStream(link, partition).catch((error: unknown) => {
        if (!(error instanceof NotFoundError)) throw error;
      }),
    ),
  );
  // Last, so that what a crash leaves can be removed by another try.
  await link.commands.run(removePartitionsScript, { description: partitions }, { keep_s: REMOVED_MARK_S });
  await link.registry.remove('streams', name);
}

function notPartitioned(name: string): ConflictError {
  return new ConflictError(`stream "${name}" has no partitions`, {
    code: 'NOT_PARTITIONED',
    hint: 'It is an ordinary stream: events go to it without a key.',
  });
}

function describe(link: RedisLink, name: string, count: number, restore: boolean) {
  const { partitions, events, meta } = link.keys.stream(checkPartitionedName(name));
  return link.commands.run(
    describePartitionsScript,
    { description: partitions, events, meta },
    { count, restore: restore ? 1 : 0 },
  );
}
