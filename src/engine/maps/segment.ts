import type { ResetCause } from './changes.ts';
import type { MapMessage } from './message.ts';

/** The entry was set to a value the message did not carry. */
export const UNKNOWN: unique symbol = Symbol('value to be fetched');
export type SegmentValue = string | undefined | typeof UNKNOWN;

/**
 * An unbroken run of messages, reduced to the last value of each key: applying it to the state at `from`, or to any state read
 * between `from` and `to`, gives the state at `to`. It never holds more than the map does, however long the run.
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

  constructor(first: MapMessage) {
    this.generation = first.generation;
    this.from = first.previous;
    this.to = first.previous;
    this.append(first);
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
          this.values.set(key, UNKNOWN);
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
    }
  }

  #settle(key: string, value: string | undefined): void {
    this.values.set(key, value);
    if (this.unknown.size > 0) this.unknown.delete(key);
  }
}
