/** A value and where it came from, so that an error about a wrong setting can say what to change. */

export interface Origin {
  kind: 'flag' | 'env' | 'dev' | 'default';
  /** Name of the flag or of the variable. */
  name: string;
}

export interface Sourced<T> {
  value: T;
  origin: Origin;
}

export const DEFAULT_ORIGIN: Origin = { kind: 'default', name: 'default' };

/** `flag --redis`, `env PONOS_REDIS_URL`, `the Redis of "ponos dev"`, `the default`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return `flag --${origin.name}`;
    case 'env':
      return `env ${origin.name}`;
    case 'dev':
      return 'the Redis of "ponos dev"';
    case 'default':
      return 'the default';
  }
}
