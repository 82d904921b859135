import { ArgumentError } from '../core/errors.ts';
import type { EventContents, StreamEvent } from './event.ts';

/**
 * An event in the hands of a handler. What is said of it first counts: a handler that returns has acknowledged it, one
 * that throws has refused it, unless it said something else before.
 */
export interface SinkEvent extends StreamEvent {
  /** 1 for the first. Deliveries to consumers that died count. */
  readonly deliveryCount: number;
  /** Aborts when the event went to another consumer, or the sink closes without waiting any longer. */
  readonly signal: AbortSignal;
  /** Done. */
  ack(): void;
  /** Not done: to be delivered again after `delayMs`, or a growing delay. At the last delivery it is a dead letter. */
  nack(delayMs?: number): void;
  /** Never to be delivered again: goes to the dead letters. */
  deadLetter(reason: string): void;
}

export type Outcome =
  | { kind: 'ack' }
  | { kind: 'nack'; delayMs: number | undefined; error: unknown }
  | { kind: 'dead'; reason: string };

/** `lost`: it went to another consumer. */
export type DeliveryOutcome = Outcome['kind'] | 'lost';

/** What deliveries are settled with. */
export interface Settler {
  settle(delivery: Delivery, outcome: Outcome): void;
  /** No other consumer can have claimed it by now. If one may have, that is found out, and the runner pumped again. */
  owns(delivery: Delivery, nowMs: number): boolean;
}

const MAX_REASON_CHARS = 1024;

export class Delivery implements SinkEvent {
  readonly id: string;
  readonly stream: string;
  readonly name: string;
  readonly payload: Buffer;
  readonly topic: string | undefined;
  readonly headers: ReadonlyMap<string, string>;
  readonly deliveryCount: number;
  /** A moment, on the monotonic clock, at which Redis had it with us: given to us after it, or confirmed since. */
  oursAtMs: number;
  /** Deliveries of one lane are handled one at a time, in the order of their events. */
  lane: string | undefined;
  readonly #settler: Settler;
  #state: 'waiting' | 'running' | 'settled' = 'waiting';
  #controller: AbortController | undefined;
  #abortReason: unknown;
  #outcome: DeliveryOutcome | undefined;

  constructor(
    settler: Settler,
    stream: string,
    id: string,
    contents: EventContents,
    deliveryCount: number,
    oursAtMs: number,
  ) {
    this.#settler = settler;
    this.id = id;
    this.stream = stream;
    this.name = contents.name;
    this.payload = contents.payload;
    this.topic = contents.topic;
    this.headers = contents.headers;
    this.deliveryCount = deliveryCount;
    this.oursAtMs = oursAtMs;
    this.lane = undefined;
  }

  get atMs(): number {
    return Number(this.id.slice(0, this.id.indexOf('-')));
  }

  /** Made when first asked for: few handlers do, and it costs more than the rest of a delivery. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  get settler(): Settler {
    return this.#settler;
  }

  get settled(): boolean {
    return this.#state === 'settled';
  }

  /** What was said of it so far. */
  get outcome(): DeliveryOutcome | undefined {
    return this.#outcome;
  }

  get waiting(): boolean {
    return this.#state === 'waiting';
  }

  /** Worked on or waiting to be: others must be told that it is not idle. */
  get needsBeat(): boolean {
    return this.#state !== 'settled';
  }

  ack(): void {
    this.#settle({ kind: 'ack' });
  }

  nack(delayMs?: number): void {
    if (delayMs !== undefined && !(Number.isFinite(delayMs) && delayMs >= 0)) {
      throw new ArgumentError(`delayMs is ${delayMs}, allowed: a number from 0`);
    }
    this.#settle({ kind: 'nack', delayMs, error: undefined });
  }

  deadLetter(reason: string): void {
    this.#settle({ kind: 'dead', reason: String(reason).slice(0, MAX_REASON_CHARS) });
  }

  /** The handler threw. */
  refuse(error: unknown): void {
    this.#settle({ kind: 'nack', delayMs: undefined, error });
  }

  /** A handler is about to get it. */
  start(): void {
    if (this.#state === 'waiting') this.#state = 'running';
  }

  /** It is no longer ours: whatever is said of it from here on has no effect. */
  abandon(reason: unknown): void {
    this.#state = 'settled';
    this.#outcome ??= 'lost';
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  /** Tells the handler to stop; what it says still counts. */
  abort(reason: unknown): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  #settle(outcome: Outcome): void {
    if (this.#state === 'settled') return;
    this.#state = 'settled';
    this.#outcome = outcome.kind;
    this.#settler.settle(this, outcome);
  }
}
