/** `job dispatch - --ndjson`: records in, records out. */
import type { Readable } from 'node:stream';
import type { DispatchOptions, PoolClient } from '../../engine/index.ts';
import { formatCount, formatDuration } from '../../present/human.ts';
import { bulkResultNoun } from '../../present/nouns/dispatches.ts';
import { runBulk } from '../bulk.ts';
import { OutputClosedError } from '../errors.ts';
import { failureOf, throwFailures } from '../failures.ts';
import type { Output } from '../output.ts';
import { readBulkJobs } from './bulk-records.ts';

export interface BulkDispatch {
  client: PoolClient;
  output: Output;
  options: DispatchOptions;
  perSecond: number | undefined;
  continueOnError: boolean;
  /** Ends the reading; what was sent is still reported. */
  stop: AbortController;
}

const IN_FLIGHT = 256;

/** @throws as `throwFailures` */
export async function dispatchBulk(input: Readable, bulk: BulkDispatch): Promise<void> {
  const { client, output, options, stop } = bulk;
  if (!output.looks.formatGiven) output.looks.format = 'ndjson';
  const results = output.stream(bulkResultNoun);
  const startMs = performance.now();
  const sum = await runBulk(readBulkJobs(input, stop.signal), {
    act: async ({ key, payload, id, error }) => {
      if (error || key === null) throw error;
      return client.dispatch(key, payload, { ...options, id });
    },
    report: async outcome => {
      const { line, key } = outcome.input;
      const dispatch = outcome.done ? outcome.result : null;
      const error = outcome.done ? null : failureOf(outcome.error);
      await results.write('dispatch', { line, key, dispatch, error }).catch(unlessClosed);
    },
    inFlight: IN_FLIGHT,
    perSecond: bulk.perSecond,
    continueOnError: bulk.continueOnError,
    stop,
  });
  const tookMs = performance.now() - startMs;
  await output.note(
    `dispatched ${formatCount(sum.doneCount, 'job')}, ${sum.failedCount} failed, in ${formatDuration(tookMs)}`,
  );
  throwFailures(sum, bulk.continueOnError ? {} : { hint: 'What followed was not sent; --continue-on-error goes on.' });
}

/** What a dispatch of the input would try. */
export async function countBulkJobs(
  input: Readable,
  signal: AbortSignal,
): Promise<{ jobCount: number; badCount: number }> {
  const sum = { jobCount: 0, badCount: 0 };
  for await (const { error } of readBulkJobs(input, signal)) {
    if (error) sum.badCount++;
    else sum.jobCount++;
  }
  return sum;
}

/** That nobody reads the answers is no reason to leave jobs out. */
function unlessClosed(error: unknown): void {
  if (!(error instanceof OutputClosedError)) throw error;
}
