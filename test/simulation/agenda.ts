/**
 * Simulated time: what is to happen, in the order in which it is due. Nothing happens between two entries, and after each
 * everything that follows from it by promises alone has happened too. A run of hours takes as long as its entries.
 */
import type { Timer } from '../../src/engine/core/clock.ts';

interface Entry {
  atMs: number;
  order: number;
  act: () => Promise<void> | void;
  cancelled: boolean;
}

export class Agenda {
  readonly #heap: Entry[] = [];
  #nowMs = 0;
  #count = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, act: () => Promise<void> | void): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#count++, act, cancelled: false };
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  /** Lets `ms` pass. `afterEach` is called whenever something has happened. */
  async pass(ms: number, afterEach: () => Promise<void> | void): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (let entry = this.#heap[0]; entry && entry.atMs <= endMs; entry = this.#heap[0]) {
      this.#removeFirst();
      if (entry.cancelled) continue;
      this.#nowMs = entry.atMs;
      await entry.act();
      // Promises and ticks that follow from it are all done before this one.
      await new Promise(resolve => setImmediate(resolve));
      await afterEach();
    }
    this.#nowMs = endMs;
  }

  #removeFirst(): void {
    const last = this.#heap.pop() as Entry;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#before(child, least)) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #before(left: number, right: number): boolean {
    const a = this.#heap[left] as Entry;
    const b = this.#heap[right] as Entry;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swap(left: number, right: number): void {
    const entry = this.#heap[left] as Entry;
    this.#heap[left] = this.#heap[right] as Entry;
    this.#heap[right] = entry;
  }
}
