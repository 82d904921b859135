/**
 * One base class, a class per kind of failure, grouped by who must act. Branch on `code`, never on the message.
 * A message names the resource, what happened, what was seen and what was allowed; `hint` says what to do next.
 */

/** Who must act on a failure. */
export type ErrorKind = 'caller' | 'outcome' | 'holder' | 'environment' | 'handler' | 'invariant';

export interface ErrorDetails {
  /** What to do next, in one sentence. */
  hint?: string;
  cause?: unknown;
}

export abstract class PonosError extends Error {
  /** Stable upper-case word to branch on. */
  readonly code: string;
  abstract readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
  }
}

// The caller must act: the request itself is wrong.

/** A number out of its bounds: for who shows it by another name, or in other units. */
export interface OptionBounds {
  /** Whose option it is: `dispatch`. */
  readonly owner: string;
  /** `backoffMs`. */
  readonly name: string;
  readonly kind: 'ms' | 'bytes' | 'count' | 'ratio';
  readonly given: number;
  readonly min: number;
  readonly max: number;
}

export class OptionError extends PonosError {
  readonly kind = 'caller';
  readonly bounds: OptionBounds | undefined;
  constructor(message: string, details?: ErrorDetails & { bounds?: OptionBounds }) {
    super('INVALID_OPTION', message, details);
    this.bounds = details?.bounds;
  }
}

export class ArgumentError extends PonosError {
  readonly kind = 'caller';
  constructor(message: string, details?: ErrorDetails & { code?: string }) {
    super(details?.code ?? 'INVALID_ARGUMENT', message, details);
  }
}

/** A key, value, payload or name over its limit. Nothing was written. */
export class TooLargeError extends PonosError {
  readonly kind = 'caller';
  constructor(
    what: 'KEY' | 'VALUE' | 'PAYLOAD' | 'NAME',
    sizeBytes: number,
    limitBytes: number,
    details?: ErrorDetails,
  ) {
    super(
      `${what}_TOO_LARGE`,
      `${what.toLowerCase()} of ${sizeBytes} bytes is over the limit of ${limitBytes} bytes`,
      details,
    );
  }
}

/** The object was closed, or is closing. */
export class ClosedError extends PonosError {
  readonly kind = 'caller';
  constructor(what: string, details?: ErrorDetails) {
    super('CLOSED', `${what} is closed`, details);
  }
}

/** A write through a read-only link. Nothing was sent. */
export class ReadOnlyError extends PonosError {
  readonly kind = 'caller';
  constructor(what: string, details?: ErrorDetails) {
    super('READ_ONLY', `${what} refused: this connection is read-only`, details);
  }
}

// Expected outcomes.

export class NotFoundError extends PonosError {
  readonly kind = 'outcome';
  /** What kind of thing is missing: `pool`. */
  readonly resource: string;
  /** `details.of` says of what it is: `stream "orders"`. */
  constructor(resource: string, name: string, details?: ErrorDetails & { of?: string }) {
    const whole = details?.of ? ` of ${details.of}` : '';
    super('NOT_FOUND', `${resource} "${name}"${whole} does not exist`, details);
    this.resource = resource;
  }
}

export class ExistsError extends PonosError {
  readonly kind = 'outcome';
  constructor(resource: string, name: string, details?: ErrorDetails) {
    super('EXISTS', `${resource} "${name}" exists already`, details);
  }
}

/** The state seen is not the state the caller required: compare-and-set failed, an id was reused with other content. */
export class ConflictError extends PonosError {
  readonly kind = 'outcome';
  constructor(message: string, details?: ErrorDetails & { code?: string }) {
    super(details?.code ?? 'CONFLICT', message, details);
  }
}

/** A limit of a pool, map or stream is reached. Nothing was written. */
export class FullError extends PonosError {
  readonly kind = 'outcome';
  constructor(code: string, message: string, details?: ErrorDetails) {
    super(code, message, details);
  }
}

// The holder of a lease must act.

/** The lease is over, or the job belongs to somebody else now: stop work on it. */
export class LeaseLostError extends PonosError {
  readonly kind = 'holder';
  constructor(message: string, details?: ErrorDetails) {
    super('LEASE_LOST', message, details);
  }
}

/** Why a job's signal aborted while its lease stands: stop work on it in good order. */
export class StopRequestedError extends PonosError {
  readonly kind = 'holder';
  constructor(code: 'JOB_STOPPED' | 'JOB_MOVED' | 'JOB_DRAINED', message: string, details?: ErrorDetails) {
    super(code, message, details);
  }
}

// The environment.

export class RedisUnavailableError extends PonosError {
  readonly kind = 'environment';
  /** True when the command may have been carried out although no reply came. */
  readonly uncertain: boolean;
  constructor(message: string, details?: ErrorDetails & { uncertain?: boolean }) {
    super('REDIS_UNAVAILABLE', message, details);
    this.uncertain = details?.uncertain ?? false;
  }
}

/**
 * What was asked for is done, but fewer replicas than wanted had it in time: a failover may undo it. The same with the
 * same `id` may be sent again.
 */
export class NotReplicatedError extends PonosError {
  readonly kind = 'environment';
  /** Of the request; also one that was made up for it. */
  readonly id: string;
  /** Replicas that had it in time. */
  readonly replicas: number;
  constructor(what: string, id: string, replicas: number, wanted: number, details?: ErrorDetails) {
    super(
      'NOT_REPLICATED',
      `${what} is done under id "${id}", but ${replicas} of ${wanted} replicas had it in time`,
      details,
    );
    this.id = id;
    this.replicas = replicas;
  }
}

/** Authentication, authorisation or TLS verification failed. */
export class RedisDeniedError extends PonosError {
  readonly kind = 'environment';
  constructor(message: string, details?: ErrorDetails) {
    super('REDIS_DENIED', message, details);
  }
}

/**
 * Redis may have lost something of a pool: until its workers have said what they run nothing is admitted, and what is not
 * there may exist all the same.
 */
export class QuarantineError extends PonosError {
  readonly kind = 'environment';
  constructor(pool: string, leftMs: number) {
    super('POOL_QUARANTINED', `pool "${pool}" is in quarantine for another ${Math.ceil(leftMs)} ms`, {
      hint: 'Redis was restarted, failed over or lost data; live workers assert their jobs first. Try again then.',
    });
  }
}

/** A key of ours holds another Redis type. Nothing was written. */
export class WrongTypeError extends PonosError {
  readonly kind = 'environment';
  constructor(message: string, details?: ErrorDetails) {
    super('WRONG_TYPE', message, details);
  }
}

export class OutOfMemoryError extends PonosError {
  readonly kind = 'environment';
  constructor(message: string, details?: ErrorDetails) {
    super('OUT_OF_MEMORY', message, details);
  }
}

/** Redis is set up in a way that cannot keep the promises made (eviction policy, version). */
export class UnsafeServerError extends PonosError {
  readonly kind = 'environment';
  constructor(code: string, message: string, details?: ErrorDetails) {
    super(code, message, details);
  }
}

/** Redis answered with an error that has no class of its own. */
export class RedisCommandError extends PonosError {
  readonly kind = 'environment';
  constructor(message: string, details?: ErrorDetails) {
    super('REDIS_ERROR', message, details);
  }
}

export class TimeoutError extends PonosError {
  readonly kind = 'environment';
  constructor(message: string, details?: ErrorDetails) {
    super('TIMEOUT', message, details);
  }
}

/** A publish whose reply was lost: the event may be in the stream or not. Never sent again by itself. */
export class UncertainPublishError extends PonosError {
  readonly kind = 'environment';
  /** Of a publishMany: the id of each event that is there, undefined for the others. */
  readonly ids: readonly (string | undefined)[];
  /** Of a publishMany: positions of the events that may be there or not. All others without an id are not there. */
  readonly uncertain: readonly number[];
  constructor(
    stream: string,
    details?: ErrorDetails & { ids?: readonly (string | undefined)[]; uncertain?: readonly number[] },
  ) {
    super('UNCERTAIN_PUBLISH', `publish to stream "${stream}" has no answer: the event may be there or not`, details);
    this.ids = details?.ids ?? [];
    this.uncertain = details?.uncertain ?? [];
  }
}

// The user's handler.

export class HandlerError extends PonosError {
  readonly kind = 'handler';
  constructor(message: string, details?: ErrorDetails) {
    super('HANDLER_FAILED', message, details);
  }
}

// Us.

/** A state the protocol rules out. Always a defect. */
export class InvariantError extends PonosError {
  readonly kind = 'invariant';
  constructor(message: string, details?: ErrorDetails) {
    super('INVARIANT', message, details);
  }
}

/** The message of anything thrown, capped, for records and logs. Never the stack. */
export function describeError(error: unknown, maxChars = 1024): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
}
