/**
 * Publishes events as they are read, many in flight, and says what became of each: ids on stdout in the order of the
 * input, each behind its partition if there are any, failures on stderr. Events that are in the stream stay there whoever
 * stops reading the ids.
 */
import { PonosError, type PublishedEvent } from '../../engine/index.ts';
import { type PublishOutcome, publishOutcomeNoun } from '../../present/nouns/events.ts';
import { type BulkSum, type Outcome, runBulk } from '../bulk.ts';
import { OutputClosedError } from '../errors.ts';
import type { Output, RecordStream } from '../output.ts';
import { ByteCredits } from './byte-credits.ts';
import type { EventInput } from './event-input.ts';
import { LineBatch } from './line-batch.ts';
import type { PublishTarget } from './publish-target.ts';

export interface BulkPublishOptions {
  perSecond: number | undefined;
  continueOnError: boolean;
  stop: AbortController;
}

/** Events sent and not yet told of: enough to fill the socket; more was measured not to help. */
const IN_FLIGHT = 500;
const IN_FLIGHT_BYTES = 16 * 1024 * 1024;
/** Further failures are only counted. */
const TOLD_FAILURES = 10;

export async function publishAll(
  target: PublishTarget,
  stream: string,
  inputs: AsyncIterable<EventInput>,
  output: Output,
  options: BulkPublishOptions,
): Promise<BulkSum> {
  const credits = new ByteCredits(IN_FLIGHT_BYTES);
  const report = new PublishReport(stream, target.partitioned, output);
  const sum = await runBulk(credits.admit(inputs), {
    ...options,
    inFlight: IN_FLIGHT,
    act: async ({ event, payload, topic, headers, key, error, sizeBytes }) => {
      try {
        if (error) throw error;
        return await target.publish({ event, topic, headers, key }, payload);
      } finally {
        credits.give(sizeBytes);
      }
    },
    report: outcome => report.tell(outcome),
  });
  await report.end();
  return sum;
}

class PublishReport {
  readonly #stream: string;
  readonly #partitioned: boolean;
  readonly #output: Output;
  readonly #lines: LineBatch;
  readonly #records: RecordStream<PublishOutcome> | undefined;
  #failedCount = 0;

  constructor(stream: string, partitioned: boolean, output: Output) {
    this.#stream = stream;
    this.#partitioned = partitioned;
    this.#output = output;
    this.#lines = new LineBatch(output.stdout);
    const { format } = output.looks;
    const plain = format === 'table' || format === 'wide' || format === 'name' || format === 'raw';
    this.#records = plain ? undefined : output.stream(publishOutcomeNoun);
  }

  async tell(outcome: Outcome<EventInput, PublishedEvent>): Promise<void> {
    const { line, event } = outcome.input;
    const { stream, id } = outcome.done ? outcome.result : { stream: this.#stream, id: null };
    const error = outcome.done ? null : failureOf(outcome.error);
    if (error && this.#failedCount++ < TOLD_FAILURES) await this.#output.warn(`line ${line}: ${error.message}`);
    if (this.#output.looks.quiet) return;
    if (this.#records) {
      const row = { line, stream, event, id, error };
      await untilClosed(this.#records.write(error ? 'failed' : 'published', row));
    } else if (id !== null) await untilClosed(this.#lines.add(this.#partitioned ? `${stream} ${id}` : id));
  }

  async end(): Promise<void> {
    await untilClosed(this.#lines.flush());
    const untold = this.#failedCount - TOLD_FAILURES;
    if (untold > 0) await this.#output.warn(`${untold} more failed`);
  }
}

function failureOf(error: unknown): { code: string; message: string } {
  const code = error instanceof PonosError ? error.code : 'UNEXPECTED';
  return { code, message: error instanceof Error ? error.message : String(error) };
}

/** That nobody reads the ids is no reason to leave events out. */
async function untilClosed(writing: Promise<void>): Promise<void> {
  try {
    await writing;
  } catch (error) {
    if (!(error instanceof OutputClosedError)) throw error;
  }
}
