/** One table from what went wrong to what the shell sees. A contract: scripts branch on it. */
import {
  ArgumentError,
  ConflictError,
  ExistsError,
  FullError,
  LeaseLostError,
  NotFoundError,
  NotReplicatedError,
  OptionError,
  OutOfMemoryError,
  QuarantineError,
  ReadOnlyError,
  RedisDeniedError,
  RedisUnavailableError,
  TimeoutError,
  TooLargeError,
  UncertainPublishError,
} from '../engine/index.ts';
import { NotConfirmedError, OutputClosedError, PartlyFailedError, UsageError } from './errors.ts';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  denied: 6,
  timeout: 7,
  refused: 8,
  partial: 9,
  capacity: 10,
} as const;

type ErrorClass = abstract new (...args: never[]) => Error;

const CODES: readonly (readonly [ErrorClass, number])[] = [
  [OutputClosedError, EXIT.ok],
  [UsageError, EXIT.usage],
  [OptionError, EXIT.usage],
  [ArgumentError, EXIT.usage],
  [TooLargeError, EXIT.usage],
  [NotFoundError, EXIT.notFound],
  [ExistsError, EXIT.conflict],
  [ConflictError, EXIT.conflict],
  [LeaseLostError, EXIT.conflict],
  [RedisUnavailableError, EXIT.unavailable],
  [UncertainPublishError, EXIT.unavailable],
  [NotReplicatedError, EXIT.unavailable],
  [QuarantineError, EXIT.unavailable],
  [RedisDeniedError, EXIT.denied],
  [TimeoutError, EXIT.timeout],
  [ReadOnlyError, EXIT.refused],
  [NotConfirmedError, EXIT.refused],
  [PartlyFailedError, EXIT.partial],
  [FullError, EXIT.capacity],
  [OutOfMemoryError, EXIT.capacity],
];

export function exitCodeOf(error: unknown): number {
  return CODES.find(([type]) => error instanceof type)?.[1] ?? EXIT.failed;
}

export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGHUP' ? 1 : 15);
}
