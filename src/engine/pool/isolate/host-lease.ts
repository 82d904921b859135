import type { JobLease } from '../handler.ts';
import { leftUntil, type Moment } from '../moment.ts';

/**
 * The worker's lease as its host process knows it: until a moment that the supervisor named. It ends by itself, without a
 * word from the supervisor, and a message that comes late extends nothing beyond that moment.
 */
export class HostLease implements JobLease {
  readonly #onOver: () => void;
  #deadline: Moment | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  get owned(): boolean {
    return this.leftMs() > 0;
  }

  leftMs(): number {
    return this.#deadline === undefined ? -1 : leftUntil(this.#deadline);
  }

  check(): boolean {
    return this.owned;
  }

  extend(deadline: Moment): void {
    this.#deadline = deadline;
    this.#arm(deadline);
  }

  /** Over now. */
  end(): void {
    clearTimeout(this.#timer);
    this.#deadline = undefined;
    this.#onOver();
  }

  #arm(deadline: Moment): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      // After a long stretch of work the renewal may have come and wait to be read: it is read first.
      () => setImmediate(() => this.#look(deadline)),
      Math.max(1, leftUntil(deadline)),
    );
  }

  #look(deadline: Moment): void {
    if (this.#deadline !== deadline) return;
    if (this.check()) this.#arm(deadline);
    else this.end();
  }
}
