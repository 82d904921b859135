import type { PonosError } from '../core/errors.ts';

/** What happens to a sink beside the handling of events. */
export interface SinkEvents {
  /** A handler threw. The event is delivered again, or becomes a dead letter. */
  failed: { stream: string; id: string; deliveryCount: number; error: unknown };
  deadLetter: { stream: string; id: string; deadId: string; deliveryCount: number; reason: string };
  /** Events were removed from the stream while they were pending. */
  lost: { stream: string; count: number };
  /** The stream or the group was gone and is made anew; reading goes on after `cursor`. */
  dataLoss: { stream: string; cursor: string; reason: 'stream' | 'group' };
  /** Another consumer has the event now, because this one was silent for too long. */
  moved: { stream: string; id: string };
  /** The stream, or this sink of it, was removed on purpose; the sink reads the others. */
  removed: { stream: string };
  /** The connection is lost and being opened again. */
  disconnected: PonosError;
  /** Something did not work and is tried again. */
  error: { stream: string | undefined; error: unknown };
}

/** Counted in this process since the sink was opened. */
export interface SinkCounters {
  received: number;
  acked: number;
  filtered: number;
  /** Received with a delivery count over 1. */
  redelivered: number;
  /** Refused and put off. */
  retried: number;
  deadLettered: number;
  claimed: number;
  lost: number;
}

export interface SinkStats extends Readonly<SinkCounters> {
  readonly running: number;
  readonly waiting: number;
  /** Refused and waiting for their next delivery. */
  readonly delayed: number;
}
