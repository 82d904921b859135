import { NotFoundError } from '../core/errors.ts';
import { MapClient } from '../maps/map-client.ts';
import type { RedisLink } from '../redis/link.ts';

/**
 * Removes a map: every replica empties, and clients that knew it can write to it no more.
 * @throws NotFoundError, ArgumentError on a bad name, WrongTypeError.
 */
export async function destroyMap(link: RedisLink, name: string): Promise<void> {
  const map = await MapClient.open(link, name);
  const { changed } = await map.destroy();
  if (!changed) throw new NotFoundError('map', name, { hint: '"ponos map list" shows those that exist.' });
}

/**
 * Removes all entries of a map; it stays.
 * @throws NotFoundError when there is none, WrongTypeError.
 */
export async function resetMap(link: RedisLink, name: string): Promise<void> {
  const map = await MapClient.open(link, name);
  const { generation } = await map.reset();
  if (generation === '') throw new NotFoundError('map', name, { hint: '"ponos map list" shows those that exist.' });
}
