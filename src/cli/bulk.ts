/**
 * Many inputs, one after the other, many of them in flight: each is acted on as soon as there is room, and reported in the
 * order of the input as soon as all before it are. Room is bounded, so neither a slow Redis nor a slow reader of the
 * reports makes the process grow.
 */
import { setTimeout as pause } from 'node:timers/promises';

export type Outcome<Input, Result> =
  | { input: Input; done: true; result: Result }
  | { input: Input; done: false; error: unknown };

export interface BulkOptions<Input, Result> {
  act: (input: Input) => Promise<Result>;
  report: (outcome: Outcome<Input, Result>) => Promise<void>;
  /** Most inputs acted on and not yet reported. */
  inFlight: number;
  /** Most inputs a second; undefined: as fast as it goes. */
  perSecond?: number | undefined;
  /** False: the first failure ends the reading; what is in flight is still reported. */
  continueOnError: boolean;
  /** Ends the reading. */
  stop: AbortController;
}

export interface BulkSum {
  doneCount: number;
  failedCount: number;
  /** Of the first that failed. */
  firstError: unknown;
}

/** Rejects with what `inputs` or `report` throws, after all that is in flight has settled. */
export async function runBulk<Input, Result>(
  inputs: AsyncIterable<Input> | Iterable<Input>,
  options: BulkOptions<Input, Result>,
): Promise<BulkSum> {
  const { act, report, inFlight, continueOnError, stop } = options;
  const sum: BulkSum = { doneCount: 0, failedCount: 0, firstError: undefined };
  const turn = pacer(options.perSecond, stop.signal);
  const reported: Promise<void>[] = [];
  let last: Promise<void> = Promise.resolve();
  const note = async (outcome: Outcome<Input, Result>) => {
    if (outcome.done) sum.doneCount++;
    else {
      if (sum.failedCount++ === 0) sum.firstError = outcome.error;
      if (!continueOnError) stop.abort();
    }
    await report(outcome);
  };
  try {
    for await (const input of inputs) {
      await turn();
      if (stop.signal.aborted) break;
      const outcome = attempt(input, act);
      last = last.then(async () => note(await outcome));
      // The input may be silent for long: a report that fails must end the reading now.
      last.catch(() => stop.abort());
      reported.push(last);
      if (reported.length >= inFlight) await reported.shift();
    }
  } finally {
    await last;
  }
  return sum;
}

async function attempt<Input, Result>(
  input: Input,
  act: (input: Input) => Promise<Result>,
): Promise<Outcome<Input, Result>> {
  try {
    return { input, done: true, result: await act(input) };
  } catch (error) {
    return { input, done: false, error };
  }
}

/** Waits until the next one is due. What was missed while something else took long is not caught up. */
function pacer(perSecond: number | undefined, signal: AbortSignal): () => Promise<void> {
  if (perSecond === undefined) return async () => {};
  const everyMs = 1000 / perSecond;
  let dueMs = performance.now();
  return async () => {
    const waitMs = dueMs - performance.now();
    dueMs = Math.max(dueMs, performance.now() - TIMER_STEP_MS) + everyMs;
    if (waitMs >= 1) await pause(waitMs, undefined, { signal }).catch(() => undefined);
  };
}

/** Timers come this late now and then; so much is caught up. */
const TIMER_STEP_MS = 20;
