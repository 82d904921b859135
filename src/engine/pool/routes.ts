/**
 * Which worker group a job key belongs to: an ordered list of rules `glob over job keys -> group`, the first match wins.
 * Every dispatcher holds the list, so that routing costs no round trip.
 */
import { ArgumentError } from '../core/errors.ts';
import { globMatcher } from '../core/glob.ts';
import { checkName } from '../core/names.ts';

export interface Route {
  readonly glob: string;
  readonly group: string;
}

export const DEFAULT_GROUP = 'default';
/** Every dispatch may look at every rule. */
export const MAX_ROUTES = 1000;
const MAX_GLOB_CHARS = 1024;

/** Where a dispatcher finds the rules that hold now. */
export interface RouteSource {
  /** Group of a job key. Synchronous: it stands in the path of every dispatch. */
  groupOf(key: string): string;
  list(): readonly Route[];
}

/** One version of the rules. */
export class RouteTable implements RouteSource {
  readonly #routes: readonly Route[];
  readonly #matchers: readonly { group: string; matches: (key: string) => boolean }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes;
    this.#matchers = routes.map(({ glob, group }) => ({ group, matches: globMatcher(glob) }));
  }

  groupOf(key: string): string {
    for (const { group, matches } of this.#matchers) if (matches(key)) return group;
    return DEFAULT_GROUP;
  }

  list(): readonly Route[] {
    return this.#routes;
  }
}

/** @throws ArgumentError when the glob is empty or too long, or the group's name is not allowed. */
export function checkRoute(route: Route): Route {
  if (typeof route.glob !== 'string' || route.glob === '' || route.glob.length > MAX_GLOB_CHARS) {
    throw new ArgumentError(`a route needs a pattern of 1 to ${MAX_GLOB_CHARS} characters`);
  }
  return { glob: route.glob, group: checkName('group', route.group) };
}
