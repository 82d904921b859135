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
 * twice. Gives undefined as soon as `signal` aborts, whatever is under way.
 */
export async function persist<T>(options: PersistOptions, call: () => Promise<T>): Promise<T | undefined> {
  const { clock, signal, onError } = options;
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await unlessAborted(call(), signal);
    } catch (error) {
      onError(error);
      await sleep(clock, backoffMs(attempt, RETRY), signal);
    }
  }
  return undefined;
}

/** A step whose outcome is not known in quarantine is tried again after this long. */
export const UNSURE_RETRY_MS = 200;

/**
 * As `persist`, and again while the answer is UNKNOWN: in quarantine the worker first asserts what it holds, then the step
 * has something to act on.
 */
export async function persistSurely<T extends { status: string }>(
  options: PersistOptions,
  call: () => Promise<T>,
): Promise<T | undefined> {
  for (;;) {
    const reply = await persist(options, call);
    if (reply?.status !== 'UNKNOWN') return reply;
    await sleep(options.clock, UNSURE_RETRY_MS, options.signal);
  }
}

/** The listener goes with the call: the signal lives as long as the worker. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
