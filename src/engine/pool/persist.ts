import { backoffMs } from '../core/backoff.ts';
import { type Clock, sleep } from '../core/clock.ts';

export interface PersistOptions {
  clock: Clock;
  signal: AbortSignal;
  onError: (error: unknown) => void;
}

const RETRY = { baseMs: 50, maxMs: 2000 };

/**
 * Calls until it succeeds, with back-off: for steps that must be recorded and that the script recognises when they come
 * twice. Gives undefined once `signal` aborts.
 */
export async function persist<T>(options: PersistOptions, call: () => Promise<T>): Promise<T | undefined> {
  const aborted = new Promise<undefined>(resolve => {
    options.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  for (let attempt = 1; !options.signal.aborted; attempt++) {
    try {
      return await Promise.race([call(), aborted]);
    } catch (error) {
      options.onError(error);
      await sleep(options.clock, backoffMs(attempt, RETRY), options.signal);
    }
  }
  return undefined;
}
