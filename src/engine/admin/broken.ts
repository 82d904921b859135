/**
 * Removes a map or a stream of which a key holds a value of another type, or a map whose record holds a count that is none.
 * Such a value is nobody's work of ours, and every script refuses it; so it goes first, and the rest in the ordinary way,
 * which tells those who still use it.
 */
import { NotFoundError } from '../core/errors.ts';
import { DamagedMapError, readStatus } from '../maps/reading.ts';
import { removePartitionedStream } from '../partitions/description.ts';
import { partitionNames } from '../partitions/names.ts';
import type { RedisLink } from '../redis/link.ts';
import { partitionCount } from '../streams/partitioned.ts';
import { removeStream } from '../streams/whole-stream.ts';
import { destroyMap } from './maps.ts';

/** @throws ArgumentError on a bad name, RedisUnavailableError. */
export async function destroyBrokenMap(link: RedisLink, name: string): Promise<void> {
  const keys = link.keys.map(name);
  for (const key of [keys.data, keys.meta, keys.restorer, keys.stage]) await unlinkUnless(link, key, 'hash');
  const isDamaged = await readStatus(link, keys).then(
    () => false,
    error => error instanceof DamagedMapError,
  );
  if (isDamaged) await link.commands.call('UNLINK', keys.meta);
  await unlessGone(destroyMap(link, name));
}

/** With its partitions, if it has any. @throws ArgumentError on a bad name, RedisUnavailableError. */
export async function removeBrokenStream(link: RedisLink, name: string): Promise<void> {
  const { events, meta, sinks, partitions } = link.keys.stream(name);
  await unlinkUnless(link, events, 'stream');
  for (const key of [meta, sinks, partitions]) await unlinkUnless(link, key, 'hash');
  const count = await partitionCount(link, name);
  if (count === undefined) {
    await unlessGone(removeStream(link, name));
    // When nothing else was left there is nothing that could be removed.
    return link.registry.remove('streams', name);
  }
  for (const partition of partitionNames(name, count)) await removeBrokenStream(link, partition);
  await unlessGone(removePartitionedStream(link, name));
}

async function unlinkUnless(link: RedisLink, key: string, type: string): Promise<void> {
  const found = String(await link.commands.call('TYPE', key));
  if (found !== type && found !== 'none') await link.commands.call('UNLINK', key);
}

async function unlessGone(removal: Promise<void>): Promise<void> {
  await removal.catch((error: unknown) => {
    if (!(error instanceof NotFoundError)) throw error;
  });
}
