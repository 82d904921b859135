import { describeError, type ErrorDetails, NotReplicatedError, PonosError } from '../engine/index.ts';
import { safeText } from '../present/safe-text.ts';
import type { BulkSum } from './bulk.ts';
import { PartlyFailedError } from './errors.ts';
import type { Output } from './output.ts';

export interface Failure {
  code: string;
  message: string;
  /** Of a request that stands and may be sent again under it. */
  id?: string;
}

/** A failure as a record tells it. */
export function failureOf(error: unknown): Failure {
  if (error instanceof NotReplicatedError) return { code: error.code, message: error.message, id: error.id };
  return error instanceof PonosError
    ? { code: error.code, message: error.message }
    : { code: 'UNEXPECTED', message: describeError(error) };
}

/** Tells failures of many things as they come, but the first: that one is told by the error in the end. */
export class FailureNotes {
  readonly #output: Output;
  #count = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  async tell(error: unknown): Promise<void> {
    if (this.#count++ > 0) await this.#output.note(safeText(failureOf(error).message));
  }
}

/** @throws PartlyFailedError when some of many failed; when all did, the error of the first. Nothing failed: nothing. */
export function throwFailures({ doneCount, failedCount, firstError }: BulkSum, details?: ErrorDetails): void {
  if (failedCount === 0) return;
  if (doneCount === 0) throw firstError;
  const hint = `The first: ${failureOf(firstError).message}. ${details?.hint ?? ''}`.trimEnd();
  throw new PartlyFailedError(failedCount, doneCount + failedCount, { hint });
}
