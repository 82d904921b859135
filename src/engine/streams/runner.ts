/**
 * Runs handlers: at most `concurrency` at once, in the order of arrival, never waiting for anything but a free place and
 * their lane. A handler that hangs keeps its place and its lane, and nothing else.
 */
import type { Clock } from '../core/clock.ts';
import type { Delivery, Settler, SinkEvent } from './delivery.ts';
import { Gate } from './gate.ts';
import { Lanes } from './lanes.ts';

export type SinkHandler = (event: SinkEvent) => Promise<void> | void;

export interface RunnerHost {
  /** A handler ended. `busyMs` is the time since the last call during which at least one was running. */
  finished(busyMs: number): void;
  /** A handler threw. */
  failed(delivery: Delivery, error: unknown): void;
}

/** Longest turn of handlers that never wait, before timers and sockets get theirs. */
const SLICE_MS = 10;

export class Runner {
  readonly #handler: SinkHandler;
  readonly #concurrency: number;
  readonly #clock: Clock;
  readonly #host: RunnerHost;
  readonly #idle = new Gate();
  readonly #running = new Set<Delivery>();
  readonly #lanes = new Lanes();
  /** What may start, in this order. */
  #queue: Delivery[] = [];
  #head = 0;
  #stopped = false;
  #pumping = false;
  #busySinceMs = 0;

  constructor(handler: SinkHandler, concurrency: number, clock: Clock, host: RunnerHost) {
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#clock = clock;
    this.#host = host;
  }

  /** Waiting and running. */
  get size(): number {
    return this.runnable + this.inLanes;
  }

  /** Running, or waiting for nothing but a free place. */
  get runnable(): number {
    return this.#queue.length - this.#head + this.#running.size;
  }

  /** Waiting for another event of their lane. */
  get inLanes(): number {
    return this.#lanes.waitingCount;
  }

  /** Payloads of those. */
  get bytesInLanes(): number {
    return this.#lanes.waitingBytes;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Returns whether it may start as soon as there is a place, without waiting for its lane. */
  enqueue(delivery: Delivery): boolean {
    const admitted = this.#lanes.admit(delivery);
    if (admitted) this.#queue.push(delivery);
    return admitted;
  }

  /** An event will not be delivered here again: its lane goes on. */
  over(event: { stream: string; id: string }): void {
    if (this.#free(this.#lanes.over(event))) this.pump();
  }

  /** Starts what can run. */
  pump(): void {
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    const startMs = this.#clock.monotonicMs();
    if (this.#running.size === 0) this.#busySinceMs = startMs;
    while (this.#running.size < this.#concurrency && this.#head < this.#queue.length && !this.#stopped) {
      const delivery = this.#lanes.turnOf(this.#queue[this.#head] as Delivery);
      this.#queue[this.#head] = delivery;
      if (!delivery.settled && !delivery.settler.owns(delivery, startMs)) break;
      this.#queue[this.#head++] = undefined as never;
      if (delivery.settled) continue;
      this.#start(delivery);
      if (this.#head < this.#queue.length && this.#clock.monotonicMs() - startMs > SLICE_MS) {
        setImmediate(() => this.pump());
        break;
      }
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#pumping = false;
  }

  /** Starts nothing more. What runs goes on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes out what waits and belongs to `settler`. */
  takeWaiting(settler: Settler): Delivery[] {
    const inLanes = this.#lanes.takeWaiting(settler);
    const waiting = this.#queue.slice(this.#head).filter(delivery => !delivery.settled);
    this.#queue = waiting.filter(delivery => delivery.settler !== settler);
    this.#head = 0;
    const taken = waiting.filter(delivery => delivery.settler === settler);
    for (const delivery of taken) this.#free(this.#lanes.over(delivery));
    return [...taken, ...inLanes];
  }

  runningOf(settler: Settler): Delivery[] {
    return [...this.#running].filter(delivery => delivery.settler === settler);
  }

  /** Resolves when nothing runs, or is going to, that belongs to `settler`, or `signal` aborts. */
  async idle(signal: AbortSignal, settler: Settler): Promise<void> {
    while (this.#busyFor(settler) && !signal.aborted) await this.#idle.wait(signal);
  }

  #busyFor(settler: Settler): boolean {
    if (this.runningOf(settler).length > 0) return true;
    if (this.#stopped) return false;
    const isWaiting = this.#queue.some(delivery => delivery?.settler === settler && !delivery.settled);
    return isWaiting || this.#lanes.waitingOf(settler).length > 0;
  }

  #free(next: Delivery | undefined): boolean {
    if (next) this.#queue.push(next);
    return next !== undefined;
  }

  #start(delivery: Delivery): void {
    delivery.start();
    this.#lanes.started(delivery);
    this.#running.add(delivery);
    let result: Promise<void> | void;
    try {
      result = this.#handler(delivery);
    } catch (error) {
      this.#end(delivery, error, true);
      return;
    }
    if (result === undefined || typeof result.then !== 'function') this.#end(delivery, undefined, false);
    else
      result.then(
        () => {
          this.#end(delivery, undefined, false);
          this.pump();
        },
        error => {
          this.#end(delivery, error, true);
          this.pump();
        },
      );
  }

  #end(delivery: Delivery, error: unknown, thrown: boolean): void {
    this.#running.delete(delivery);
    if (thrown) {
      this.#host.failed(delivery, error);
      delivery.refuse(error);
    } else delivery.ack();
    this.#free(this.#lanes.ended(delivery));
    const nowMs = this.#clock.monotonicMs();
    const busyMs = nowMs - this.#busySinceMs;
    this.#busySinceMs = nowMs;
    this.#host.finished(busyMs);
    this.#idle.open();
  }
}
