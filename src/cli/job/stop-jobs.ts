import type { PoolClient, StopOptions } from '../../engine/index.ts';
import { type KeyStop, stopNoun } from '../../present/nouns/stops.ts';
import { safeText } from '../../present/safe-text.ts';
import { runBulk } from '../bulk.ts';
import { FailureNotes, failureOf, throwFailures } from '../failures.ts';
import type { Output } from '../output.ts';

const IN_FLIGHT = 256;

/** Stops each; one that cannot be stopped keeps none of the others from it. @throws as `throwFailures` */
export async function stopJobs(
  client: PoolClient,
  keys: readonly string[],
  output: Output,
  options: StopOptions,
): Promise<void> {
  const rows: KeyStop[] = [];
  const failures = new FailureNotes(output);
  const sum = await runBulk(keys, {
    act: key => client.stop(key, options),
    report: async ({ input: key, ...outcome }) => {
      const stop = outcome.done ? outcome.result : null;
      const failure = outcome.done ? null : failureOf(outcome.error);
      rows.push({ key, stop, error: failure });
      if (!outcome.done) return failures.tell(outcome.error);
      const worker = stop?.worker ? ` on worker ${stop.worker}` : '';
      await output.note(safeText(`${outcome.result.status} "${key}"${worker}`));
    },
    inFlight: IN_FLIGHT,
    continueOnError: true,
    stop: new AbortController(),
  });
  if (output.looks.format !== 'table') await output.list(stopNoun, rows);
  throwFailures(sum);
}
