/** What belongs to a partitioned stream, by name: its partitions, which are ordinary streams, and the pool of each sink. */
import { ArgumentError } from '../core/errors.ts';
import { checkName } from '../core/names.ts';
import { encodeText } from '../core/text.ts';
import { hash64, shardIndex } from '../pool/hash.ts';
import { partitionName } from '../streams/partitioned.ts';

export const MAX_PARTITIONS = 256;

/** Header that carries the key of an event. */
export const KEY_HEADER = 'partition-key';

/** Two dots stand nowhere else, so the name of a pool says which stream and which sink it is of. */
const POOL_SEPARATOR = '..';

/**
 * The partition of a key, the same in every process and for good.
 * @throws ArgumentError when the key is no text.
 */
export function partitionOf(key: string, count: number): number {
  if (typeof key !== 'string') throw new ArgumentError('the key of an event is a text');
  return shardIndex(hash64(key.isWellFormed() ? key : encodeText(key)), count);
}

/** Names of all partitions. */
export function partitionNames(stream: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => partitionName(stream, index));
}

/** @throws ArgumentError when the name leaves no room for those of partitions, or has dots where a pool's name needs them. */
export function checkPartitionedName(name: string): string {
  checkName('stream', partitionName(checkName('stream', name), MAX_PARTITIONS - 1));
  return checkDots('stream', name);
}

/**
 * Name of the pool whose jobs are the partitions of a stream for one sink.
 * @throws ArgumentError
 */
export function partitionPool(stream: string, sink: string): string {
  return checkName('pool', checkDots('stream', stream) + POOL_SEPARATOR + checkDots('sink', checkName('sink', sink)));
}

/** The sink whose pool that is, if it is one of that stream. */
export function sinkOfPool(stream: string, pool: string): string | undefined {
  const prefix = stream + POOL_SEPARATOR;
  return pool.startsWith(prefix) ? pool.slice(prefix.length) : undefined;
}

/** The stream that one is a partition of, if it is a partition: as far as its name tells. */
export function wholeOf(stream: string): string | undefined {
  return /^(.+)\.\d{1,3}$/.exec(stream)?.[1];
}

function checkDots(kind: 'stream' | 'sink', name: string): string {
  if (/^\.|\.\.|\.$/.test(name)) {
    throw new ArgumentError(`${kind} name "${name}" is not allowed with partitions`, {
      hint: 'It neither begins nor ends with a dot, and has no two dots in a row.',
    });
  }
  return name;
}
