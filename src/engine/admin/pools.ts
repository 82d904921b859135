/** Acts on pools for an operator, from any process. */
import { NotFoundError, QuarantineError } from '../core/errors.ts';
import { checkName } from '../core/names.ts';
import { MapClient } from '../maps/map-client.ts';
import * as routeMap from '../pool/route-map.ts';
import type { Route } from '../pool/routes.ts';
import { Shard } from '../pool/shard.ts';
import type { RedisLink } from '../redis/link.ts';

/**
 * Tells a worker to leave in good order. Resolves when that is recorded and nobody sends it jobs any more; it leaves when
 * its last job has moved or ended.
 * @throws NotFoundError when there is no such pool or worker; QuarantineError when Redis lost something and it may still be
 * there.
 */
export async function drainWorker(link: RedisLink, pool: string, worker: string): Promise<void> {
  const shards = await Shard.findAll(link, checkName('pool', pool));
  const replies = await Promise.all(shards.map(shard => shard.drain(checkName('worker', worker))));
  if (replies.some(({ status }) => status === 'DRAINING')) return;
  for (const reply of replies) if (reply.status === 'QUARANTINE') throw new QuarantineError(pool, reply.left_ms);
  throw new NotFoundError('worker', worker);
}

/** Rules of a pool in the order in which they are tried. */
export function listRoutes(link: RedisLink, pool: string): Promise<Route[]> {
  return withRoutes(link, pool, async map => routeMap.parseRoutes(await map.getFresh(pool)));
}

/**
 * Inserts a rule before the one at `position` (0 is the first), or at the end; one with the same pattern is replaced. It
 * holds for dispatches from then on.
 * @throws ArgumentError, ConflictError TOO_MANY_ROUTES.
 */
export async function addRoute(link: RedisLink, pool: string, route: Route, position?: number): Promise<void> {
  await withRoutes(link, pool, map => routeMap.addRoute(map, pool, route, position));
}

/** @throws NotFoundError when no rule has that pattern. */
export async function removeRoute(link: RedisLink, pool: string, glob: string): Promise<void> {
  await withRoutes(link, pool, map => routeMap.removeRoute(map, pool, glob));
}

async function withRoutes<T>(link: RedisLink, pool: string, act: (map: MapClient) => Promise<T>): Promise<T> {
  checkName('pool', pool);
  const map = await MapClient.open(link, routeMap.ROUTES_MAP);
  try {
    return await act(map);
  } finally {
    await map.close();
  }
}
