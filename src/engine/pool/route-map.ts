/**
 * The routes of all pools in one replicated map, one entry a pool: its rules in order, as JSON. Every dispatcher has a
 * copy. An edit is a compare-and-set of the entry, so that two at once lose nothing.
 */
import { ConflictError, InvariantError, NotFoundError } from '../core/errors.ts';
import { MapClient } from '../maps/map-client.ts';
import type { MapWriter } from '../maps/map-writer.ts';
import { ReplicatedMap } from '../maps/replicated-map.ts';
import type { RedisLink } from '../redis/link.ts';
import { checkRoute, MAX_ROUTES, type Route, type RouteSource, RouteTable } from './routes.ts';

/** Name of the replicated map. */
export const ROUTES_MAP = 'pool-routes';
const MAX_EDITS = 20;

export class RouteMap implements RouteSource {
  readonly #map: ReplicatedMap;
  readonly #pool: string;
  readonly #off: () => void;
  #text: string | undefined;
  #table = new RouteTable([]);

  private constructor(map: ReplicatedMap, pool: string) {
    this.#map = map;
    this.#pool = pool;
    this.#load();
    this.#off = map.events.on('change', () => this.#load());
  }

  static async open(link: RedisLink, pool: string): Promise<RouteMap> {
    return new RouteMap(await ReplicatedMap.join(link, ROUTES_MAP), pool);
  }

  groupOf(key: string): string {
    return this.#table.groupOf(key);
  }

  list(): readonly Route[] {
    return this.#table.list();
  }

  /** Resolves when this copy has it. @throws as `addRoute` */
  async add(route: Route, position?: number): Promise<void> {
    await this.#map.waitFor(await addRoute(this.#map, this.#pool, route, position));
  }

  /** Resolves when this copy has it. @throws as `removeRoute` */
  async remove(glob: string): Promise<void> {
    await this.#map.waitFor(await removeRoute(this.#map, this.#pool, glob));
  }

  async close(): Promise<void> {
    this.#off();
    await this.#map.close();
  }

  #load(): void {
    const text = this.#map.get(this.#pool);
    if (text === this.#text) return;
    this.#text = text;
    this.#table = new RouteTable(parseRoutes(text));
  }
}

/** Rules of a pool; what is no rule is left out, because it may be of a later version. */
export function parseRoutes(text: string | undefined): Route[] {
  if (text === undefined) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(parsed)) return [];
  return parsed.slice(0, MAX_ROUTES).flatMap((entry: unknown) => {
    try {
      return [checkRoute(entry as Route)];
    } catch {
      return [];
    }
  });
}

/**
 * Inserts a rule before the one at `position` (0 is the first), or at the end; a rule with the same pattern is replaced.
 * Gives the revision of the map.
 * @throws ArgumentError when the rule is none; ConflictError TOO_MANY_ROUTES.
 */
export function addRoute(map: MapWriter, pool: string, route: Route, position?: number): Promise<number> {
  const checked = checkRoute(route);
  return editRoutes(map, pool, routes => {
    const others = routes.filter(({ glob }) => glob !== checked.glob);
    if (others.length >= MAX_ROUTES) {
      throw new ConflictError(`pool "${pool}" has ${MAX_ROUTES} routes, the most there may be`, {
        code: 'TOO_MANY_ROUTES',
      });
    }
    const same = routes.findIndex(({ glob }) => glob === checked.glob);
    const at = position ?? (same >= 0 ? same : others.length);
    return [...others.slice(0, at), checked, ...others.slice(at)];
  });
}

/** @throws NotFoundError when no rule has that pattern. */
export function removeRoute(map: MapWriter, pool: string, glob: string): Promise<number> {
  return editRoutes(map, pool, routes => {
    const others = routes.filter(route => route.glob !== glob);
    if (others.length === routes.length) throw new NotFoundError('route', glob);
    return others;
  });
}

/** Removes all rules of a pool. */
export async function removeRoutes(link: RedisLink, pool: string): Promise<void> {
  const map = await MapClient.open(link, ROUTES_MAP);
  try {
    // A map that is not there is not made for this.
    if ((await map.getFresh(pool)) !== undefined) await map.delete(pool);
  } finally {
    await map.close();
  }
}

async function editRoutes(map: MapWriter, pool: string, edit: (routes: Route[]) => Route[]): Promise<number> {
  for (let attempt = 0; attempt < MAX_EDITS; attempt++) {
    const before = await map.getFresh(pool);
    const after = JSON.stringify(edit(parseRoutes(before)));
    const { applied, revision } = await map.compareAndSet(pool, { value: before }, after);
    if (applied) return revision;
  }
  throw new InvariantError(`the routes of pool "${pool}" changed during each of ${MAX_EDITS} edits`);
}
