import type { ResetCause } from './changes.ts';
import type { MapMessage } from './message.ts';

/** The entry was set to a value the message did not carry. */
export const UNKNOWN: unique symbol = Symbol('value to be fetched');
export type SegmentValue = string | undefined | typeof UNKNOWN;

/** Deleted entries a run may name, beyond as many as it holds entries. */
const MOST_GONE = 10_000;

/**
 * An unbroken run of messages, reduced to the last value of each key: applying it to the state at `from`, or to any state read
 * between `from` and `to`, gives the state at `to`. Beside the entries of the map it holds the names of those deleted, because
 * a state read in between may have them still; not after a reset, which ends all of them. A run of which too much is gone is
 * `overgrown`: worth less than a new snapshot.
 */
export class Segment {
  readonly generation: string;
  readonly from: number;
  to: number;
  expiresAtMs = 0;
  /** All entries before this run are gone. */
  cleared: ResetCause | undefined;
  readonly values = new Map<string, SegmentValue>();
  readonly unknown = new Set<string>();
  #goneCount = 0;

  constructor(first: MapMessage) {
    this.generation = first.generation;
    this.from = first.previous;
    this.to = first.previous;
    this.append(first);
  }

  get overgrown(): boolean {
    return this.#goneCount > MOST_GONE + (this.values.size - this.#goneCount);
  }

  follows(message: MapMessage): boolean {
    return message.generation === this.generation && message.previous === this.to;
  }

  append(message: MapMessage): void {
    this.to = message.revision;
    this.expiresAtMs = message.expiresAtMs;
    switch (message.kind) {
      case 'set':
        this.#settle(message.key, message.value);
        break;
      case 'delete':
        this.#settle(message.key, undefined);
        break;
      case 'fetch':
        for (const key of message.keys) {
          this.#put(key, UNKNOWN);
          this.unknown.add(key);
        }
        break;
      case 'batch':
        for (const [key, value] of message.entries) this.#settle(key, value);
        break;
      case 'restored':
        break;
      default:
        this.cleared = message.kind;
        this.values.clear();
        this.unknown.clear();
        this.#goneCount = 0;
    }
  }

  #settle(key: string, value: string | undefined): void {
    this.#put(key, value);
    if (this.unknown.size > 0) this.unknown.delete(key);
  }

  #put(key: string, value: SegmentValue): void {
    if (this.#goneCount > 0 && this.values.has(key) && this.values.get(key) === undefined) this.#goneCount--;
    if (value !== undefined) this.values.set(key, value);
    else if (this.cleared) this.values.delete(key);
    else {
      this.values.set(key, undefined);
      this.#goneCount++;
    }
  }
}
