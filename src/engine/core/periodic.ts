import type { Clock, Timer } from './clock.ts';

export interface PeriodicOptions {
  /** Time between the end of one run and the start of the next, in ms; read before each. */
  readonly intervalMs: number;
  /** Share of the interval that is random, 0 to 1: 0.1 is ± 10 %. */
  jitter?: number;
  random?: () => number;
}

/**
 * One background task, never twice at once: run on a timer, or at once when poked. A poke during a run causes one more
 * run after it. The timer is re-armed whatever the run did; what a run throws goes to `onError`.
 * start before stop, double start, double stop and restart are legal.
 */
export class PeriodicTask {
  readonly #clock: Clock;
  readonly #options: PeriodicOptions;
  readonly #task: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #dirty = false;
  #started = false;

  constructor(clock: Clock, options: PeriodicOptions, task: () => Promise<void>, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#options = options;
    this.#task = task;
    this.#onError = onError;
  }

  /** Arms the timer; the first run is one interval away unless poked. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#arm();
  }

  /** Runs now, or once more after the present run. Does nothing when stopped. */
  poke(): void {
    if (!this.#started) return;
    if (this.#running) this.#dirty = true;
    else this.#launch();
  }

  /** Ends the timer and waits for a run under way. */
  async stop(): Promise<void> {
    this.#started = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
  }

  #launch(): void {
    this.#timer?.cancel();
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    do {
      this.#dirty = false;
      try {
        await this.#task();
      } catch (error) {
        this.#onError(error);
      }
    } while (this.#dirty && this.#started);
    this.#running = undefined;
    if (this.#started) this.#arm();
  }

  #arm(): void {
    const { intervalMs, jitter = 0, random = Math.random } = this.#options;
    const delayMs = intervalMs * (1 + jitter * (2 * random() - 1));
    this.#timer = this.#clock.after(delayMs, () => this.#launch());
  }
}
