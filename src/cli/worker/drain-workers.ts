import { drainWorker, type RedisLink } from '../../engine/index.ts';
import { type DrainResult, drainNoun } from '../../present/nouns/drains.ts';
import { runBulk } from '../bulk.ts';
import { FailureNotes, failureOf, throwFailures } from '../failures.ts';
import type { Output } from '../output.ts';

const IN_FLIGHT = 16;

/** Asks each; one that is not there keeps none of the others from it. @throws as `throwFailures` */
export async function drainWorkers(
  link: RedisLink,
  pool: string,
  ids: readonly string[],
  output: Output,
): Promise<void> {
  const rows: DrainResult[] = [];
  const failures = new FailureNotes(output);
  const sum = await runBulk(ids, {
    act: id => drainWorker(link, pool, id),
    report: async outcome => {
      const worker = outcome.input;
      const error = outcome.done ? null : failureOf(outcome.error);
      rows.push({ worker, status: error ? 'failed' : 'draining', error });
      if (outcome.done) await output.note(`worker ${worker} drains`);
      else await failures.tell(outcome.error);
    },
    inFlight: IN_FLIGHT,
    continueOnError: true,
    stop: new AbortController(),
  });
  if (output.looks.format !== 'table') await output.list(drainNoun, rows);
  throwFailures(sum);
}
