/** Failures that only a command line knows. */
import { type ErrorDetails, PonosError } from '../engine/index.ts';

/** The command line itself is wrong: an unknown flag, a missing argument, input that is no JSON. */
export class UsageError extends PonosError {
  readonly kind = 'caller';
  /** Command lines to try instead, each with what it does. */
  readonly suggestions: readonly (readonly [command: string, purpose: string])[];
  constructor(
    message: string,
    details: ErrorDetails & { code?: string; suggestions?: readonly (readonly [string, string])[] } = {},
  ) {
    super(details.code ?? 'USAGE', message, details);
    this.suggestions = details.suggestions ?? [];
  }
}

/** A confirmation was needed and not given. Nothing was done. */
export class NotConfirmedError extends PonosError {
  readonly kind = 'caller';
  constructor(message: string, details?: ErrorDetails) {
    super('NOT_CONFIRMED', message, details);
  }
}

/** Of many things asked for, some were done and some failed; each failure was told before. */
export class PartlyFailedError extends PonosError {
  readonly kind = 'outcome';
  constructor(failedCount: number, totalCount: number, details?: ErrorDetails & { message?: string }) {
    super('PARTLY_FAILED', details?.message ?? `${failedCount} of ${totalCount} failed`, details);
  }
}

/** The reader of our output has gone (`| head`). Ends the command quietly. */
export class OutputClosedError extends Error {
  constructor() {
    super('the output is closed');
    this.name = 'OutputClosedError';
  }
}
