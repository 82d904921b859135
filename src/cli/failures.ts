import { describeError, type ErrorDetails, NotReplicatedError, PonosError } from '../engine/index.ts';
import type { BulkSum } from './bulk.ts';
import { PartlyFailedError } from './errors.ts';

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

/** @throws PartlyFailedError when some of many failed; when all did, the error of the first. Nothing failed: nothing. */
export function throwFailures({ doneCount, failedCount, firstError }: BulkSum, details?: ErrorDetails): void {
  if (failedCount === 0) return;
  if (doneCount === 0) throw firstError;
  const hint = `The first: ${failureOf(firstError).message}. ${details?.hint ?? ''}`.trimEnd();
  throw new PartlyFailedError(failedCount, doneCount + failedCount, { hint });
}
