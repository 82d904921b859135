/**
 * What streams know of partitioned ones: that a name may be of one. Then it has no events of its own; its partitions,
 * which are ordinary streams, have them. Whoever opens such a name as an ordinary stream would make another one beside them.
 */
import { ConflictError } from '../core/errors.ts';
import { storedCount } from '../core/stored.ts';
import type { RedisLink } from '../redis/link.ts';

/** More than any release makes. */
const MOST = 10_000;

/** Name of the ordinary stream that is partition `index`. */
export function partitionName(stream: string, index: number): string {
  return `${stream}.${index}`;
}

/** Number of partitions; undefined when the name is of no partitioned stream. A read. */
export async function partitionCount(link: RedisLink, name: string): Promise<number | undefined> {
  const found = (await link.commands.call('HMGET', link.keys.stream(name).partitions, 'count', 'state')) as unknown[];
  const [count, state] = found.map(value => (value === null ? '' : String(value)));
  // What somebody damaged is partitioned all the same: another stream must not be made beside its events.
  return count && state !== 'removed' ? Math.min(Math.max(1, storedCount(count, 1)), MOST) : undefined;
}

/** The partitioned stream of which a name is a partition; undefined when it is none. */
export async function wholeOf(link: RedisLink, name: string): Promise<string | undefined> {
  const [whole, index] = split(name) ?? [];
  if (whole === undefined || index === undefined) return undefined;
  const count = await partitionCount(link, whole);
  return count !== undefined && index < count ? whole : undefined;
}

/** Whether a partition could have that name. */
export function mayBePartition(name: string): boolean {
  return split(name) !== undefined;
}

function split(name: string): [whole: string, index: number] | undefined {
  const [, whole, index] = /^(.+)\.(\d+)$/.exec(name) ?? [];
  if (whole === undefined || partitionName(whole, Number(index)) !== name) return undefined;
  return [whole, Number(index)];
}

/**
 * A partition is not removed by itself: the next event makes it anew, without its limits.
 * @throws ConflictError `PARTITION` when the name is of a partition; RedisUnavailableError
 */
export async function refusePartition(link: RedisLink, name: string): Promise<void> {
  const whole = await wholeOf(link, name);
  if (whole === undefined) return;
  throw new ConflictError(`stream "${name}" is a partition of "${whole}", and is not removed by itself`, {
    code: 'PARTITION',
    hint: `"ponos stream remove ${whole}" removes it with all its partitions; "ponos stream trim ${name} --max-length 0" only its events.`,
  });
}

/** @throws ConflictError `PARTITIONED` */
export async function refusePartitioned(link: RedisLink, name: string): Promise<void> {
  const count = await partitionCount(link, name);
  if (count !== undefined) throw partitionedError(name, count);
}

/** `then` is what there is to do beside naming a partition. */
export function partitionedError(
  name: string,
  count: number,
  then = 'to publish, give a key (--key, PartitionedStream)',
): ConflictError {
  const [first, last] = [partitionName(name, 0), partitionName(name, count - 1)];
  return new ConflictError(`stream "${name}" is partitioned, and has no events of its own`, {
    code: 'PARTITIONED',
    hint: `Name one of its partitions, ${count === 1 ? `"${first}"` : `"${first}" to "${last}"`}; ${then}.`,
  });
}
