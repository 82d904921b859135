import { drainWorker, type RedisLink } from '../../engine/index.ts';
import { runBulk } from '../bulk.ts';
import { failureOf, throwFailures } from '../failures.ts';
import type { Output } from '../output.ts';

const IN_FLIGHT = 16;

/** Asks each; one that is not there keeps none of the others from it. @throws as `throwFailures` */
export async function drainWorkers(
  link: RedisLink,
  pool: string,
  ids: readonly string[],
  output: Output,
): Promise<void> {
  const sum = await runBulk(ids, {
    act: id => drainWorker(link, pool, id),
    report: outcome => output.note(outcome.done ? `worker ${outcome.input} drains` : failureOf(outcome.error).message),
    inFlight: IN_FLIGHT,
    continueOnError: true,
    stop: new AbortController(),
  });
  throwFailures(sum);
}
