/**
 * What Redis knows of a partitioned stream beside its partitions: how many they are. It is fixed when the stream is made,
 * because with another number keys would change their partition, and with it lose their order.
 */

import { isDeepStrictEqual } from 'node:util';
import { ConflictError, ExistsError, NotFoundError } from '../core/errors.ts';
import { type OptionTable, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import { readStreamFacts } from '../streams/facts.ts';
import { decodeRetention, encodeRetention, type RetentionInput, readRetention } from '../streams/retention.ts';
import { removeStream } from '../streams/whole-stream.ts';
import { checkPartitionedName, MAX_PARTITIONS, partitionNames } from './names.ts';
import { describePartitionsScript, removePartitionsScript } from './scripts.gen.ts';
import { removeSinkPools } from './sink-pool.ts';

export const partitionOptions = {
  partitions: {
    kind: 'count',
    default: 8,
    min: 1,
    max: MAX_PARTITIONS,
    doc: 'Partitions of a stream that is made, for good: several times as many as there will be processes.',
  },
} as const satisfies OptionTable;

/**
 * Streams that have the names of the partitions of a stream that is made: refused, or taken over if they have these limits.
 * They may be partitions whose description went with the data of Redis, or have nothing to do with it.
 */
export type Taken = 'refused' | RetentionInput;

/** How long the mark of a removed stream stays. */
const REMOVED_MARK_S = 86_400;

/**
 * Number of partitions of a stream, which is made partitioned when `count` is given: then `created` says whether by this.
 * `taken` says what becomes of ordinary streams that have the names of its partitions then.
 * @throws ConflictError CONFIG_MISMATCH, ExistsError because of those; NotFoundError without `count` when there is none; ConflictError PARTITIONS_MISMATCH when it has another number;
 *   ExistsError when it is an ordinary stream, without `count` ConflictError NOT_PARTITIONED; ArgumentError, WrongTypeError,
 *   RedisUnavailableError.
 */
export async function describePartitions(
  link: RedisLink,
  name: string,
  count?: number,
  taken: Taken = {},
): Promise<{ count: number; created: boolean }> {
  if (count !== undefined) {
    resolveOptions('PartitionedStream', partitionOptions, { partitions: count });
    await checkTaken(link, name, count, taken);
  }
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
 * Removes a partitioned stream: its partitions with their sinks and the pools of these, then itself. A pool in which a
 * process still works goes when that closes its sink.
 * @throws NotFoundError, ArgumentError, WrongTypeError, QuarantineError, RedisUnavailableError: another try goes on with it.
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
  await removeSinkPools(link, name);
  // Last, so that what a crash leaves can be removed by another try.
  await link.commands.run(removePartitionsScript, { description: partitions }, { keep_s: REMOVED_MARK_S });
  await link.registry.remove('streams', name);
}

/** Only who makes a partitioned stream looks; two who make it at once are not told from each other. */
async function checkTaken(link: RedisLink, name: string, count: number, taken: Taken): Promise<void> {
  const { status } = await describe(link, name, 0, false);
  if (status === 'OK' || status === 'TAKEN') return;
  await Promise.all(
    partitionNames(name, count).map(async partition => {
      const keys = link.keys.stream(partition);
      const [{ exists }, retention] = await Promise.all([
        readStreamFacts(link.commands, keys),
        readRetention(link.commands, keys),
      ]);
      if (!exists) return;
      if (taken === 'refused') {
        throw new ExistsError('stream', partition, {
          hint: `It would be a partition of "${name}". Remove it, choose another name, or take it over with PartitionedStream.open.`,
        });
      }
      if (isDeepStrictEqual(retention, decodeRetention(encodeRetention(taken).map(text => text || null)))) return;
      throw new ConflictError(
        `stream "${partition}", which would be a partition of "${name}", is there with other limits`,
        {
          code: 'CONFIG_MISMATCH',
          hint: 'All partitions have the same limits. "ponos stream set" changes those of a stream; or choose another name.',
        },
      );
    }),
  );
}

/** Whether a partition was removed on purpose since the stream was made: then nobody who still has the stream open makes it anew. */
export async function wasRemoved(link: RedisLink, stream: string, partition: string): Promise<boolean> {
  const [[madeAtMs], [state, removedAtMs]] = (await Promise.all([
    link.commands.call('HMGET', link.keys.stream(stream).partitions, 'createdAtMs'),
    link.commands.call('HMGET', link.keys.stream(partition).meta, 'state', 'removedAtMs'),
  ])) as [[Buffer | null], [Buffer | null, Buffer | null]];
  return madeAtMs !== null && String(state) === 'removed' && Number(String(removedAtMs)) > Number(String(madeAtMs));
}

/** `NOT_PARTITIONED`. */
export function notPartitioned(name: string): ConflictError {
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
