import { type BulkSum, runBulk } from './bulk.ts';
import { FailureNotes } from './failures.ts';
import type { Output } from './output.ts';

const IN_FLIGHT = 64;

/** Which of many things could be acted on: `look` throws for those that could not, which are told. */
export async function lookAtEach<Thing>(
  things: readonly Thing[],
  look: (thing: Thing) => Promise<unknown>,
  output: Output,
): Promise<{ possible: Thing[]; sum: BulkSum }> {
  const possible: Thing[] = [];
  const failures = new FailureNotes(output);
  const sum = await runBulk(things, {
    act: look,
    report: async outcome => {
      if (outcome.done) possible.push(outcome.input);
      else await failures.tell(outcome.error);
    },
    inFlight: IN_FLIGHT,
    continueOnError: true,
    stop: new AbortController(),
  });
  return { possible, sum };
}
