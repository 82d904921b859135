export interface BackoffOptions {
  /** Delay before the first retry, in ms. */
  baseMs: number;
  /** Longest delay, in ms. */
  maxMs: number;
  /** Random number in [0, 1); injected for tests. */
  random?: () => number;
}

/**
 * Delay before retry `attempt` (1 is the first): exponential with "equal jitter", half fixed and half random.
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const random = options.random ?? Math.random;
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.max(0, Math.min(attempt - 1, 30)));
  return ceiling / 2 + (random() * ceiling) / 2;
}
