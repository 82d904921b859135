/**
 * The right to be the only consumer of a sink on a stream, which somebody else gives and takes: where order must hold from
 * one process to the next. Redis remembers the highest token and gives nothing to whoever comes with an earlier one.
 */
export interface SoleOwner {
  /** Grows with every owner. */
  readonly token: number;
  /** False once the right is over; from the local clock. No handler is started then. */
  readonly owned: boolean;
  /** Somebody came with a later token. */
  superseded(token: string): void;
}
