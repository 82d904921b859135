import type { Clock, Timer } from '../core/clock.ts';

export interface Timed {
  readonly isSettled: boolean;
  /** Its time is over. False: it waits for the answer to what is on its way, for as long again. */
  expire(): boolean;
}

interface Entry {
  command: Timed;
  atMs: number;
  limitMs: number;
}

/**
 * The time limits of the commands of one connection, with one timer for all: the client's own sets and clears a timer
 * for each command, which is a fifth of what a command costs. All have the same limit, so they end in the order they
 * were sent.
 */
export class Deadlines {
  readonly #clock: Clock;
  /** Before the head there is nothing any more. */
  #waiting: (Entry | undefined)[] = [];
  #head = 0;
  #timer: Timer | undefined;
  #nowMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(command: Timed, limitMs: number): void {
    this.#dropSettled();
    const atMs = this.#now() + limitMs;
    this.#waiting.push({ command, atMs, limitMs });
    this.#timer ??= this.#clock.after(limitMs, () => this.#expire(), { ref: false });
  }

  /** Read once in a turn of the loop, in which a thousand commands may be sent. */
  #now(): number {
    if (this.#nowMs === undefined) {
      this.#nowMs = this.#clock.monotonicMs();
      process.nextTick(() => {
        this.#nowMs = undefined;
      });
    }
    return this.#nowMs;
  }

  /** Settled commands are forgotten by the next one that is sent: payloads are not kept until the time is over. */
  #dropSettled(): void {
    while (this.#waiting[this.#head]?.command.isSettled) this.#waiting[this.#head++] = undefined;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    const again: { command: Timed; limitMs: number }[] = [];
    for (; this.#head < this.#waiting.length; this.#head++) {
      const { command, atMs, limitMs } = this.#waiting[this.#head] as Entry;
      if (command.isSettled) continue;
      if (atMs > nowMs) {
        this.#timer = this.#clock.after(Math.ceil(atMs - nowMs), () => this.#expire(), { ref: false });
        break;
      }
      if (!command.expire()) again.push({ command, limitMs });
    }
    this.#dropSettled();
    for (const { command, limitMs } of again) this.add(command, limitMs);
  }
}
