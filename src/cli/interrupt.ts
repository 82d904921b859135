/**
 * Signals, for a command as a whole. By default the first INT, TERM or HUP cleans up and ends it at once. A command that
 * runs until it is told to stop asks for `graceful`: then the first signal aborts what it works on, and the second ends it,
 * after a bounded last act of its choice. Any further one ends it on the spot.
 */
import { signalExitCode } from './exit-codes.ts';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** What cleaning up may take after a signal before the process goes anyway. */
const CLEAN_UP_MS = 1000;
/** What the last act of a command may take after the second signal. */
const LAST_ACT_MS = 5000;

export interface GracefulOptions {
  /** Told on the first signal: what is left, and how to end at once. */
  first?: (signal: NodeJS.Signals) => void;
  /** On the second signal, before the process ends: release what would otherwise stay taken. */
  second?: (signal: NodeJS.Signals) => Promise<void> | void;
}

export interface InterruptOptions {
  /** Ends what the command opened. */
  cleanUp: () => Promise<void>;
  exit?: (code: number) => void;
}

export class Interrupt {
  readonly #options: InterruptOptions;
  readonly #exit: (code: number) => void;
  readonly #controller = new AbortController();
  readonly #handler = (signal: NodeJS.Signals) => this.#receive(signal);
  #graceful: GracefulOptions | undefined;
  #received: NodeJS.Signals[] = [];

  constructor(options: InterruptOptions) {
    this.#options = options;
    this.#exit = options.exit ?? (code => process.exit(code));
  }

  /** The first signal that came, if any. */
  get received(): NodeJS.Signals | undefined {
    return this.#received[0];
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  install(): void {
    for (const signal of SIGNALS) process.on(signal, this.#handler);
  }

  dispose(): void {
    for (const signal of SIGNALS) process.off(signal, this.#handler);
  }

  /** From now on the first signal only aborts the returned signal; the command ends by itself. */
  graceful(options: GracefulOptions = {}): AbortSignal {
    this.#graceful = options;
    return this.#controller.signal;
  }

  #receive(signal: NodeJS.Signals): void {
    this.#received.push(signal);
    const code = signalExitCode(signal);
    const count = this.#received.length;
    if (count === 1) {
      this.#controller.abort(new Error(signal));
      if (this.#graceful) this.#graceful.first?.(signal);
      else this.#endAfter(CLEAN_UP_MS, () => this.#options.cleanUp(), code);
    } else if (count === 2 && this.#graceful?.second) {
      this.#endAfter(LAST_ACT_MS, () => this.#graceful?.second?.(signal), code);
    } else this.#exit(code);
  }

  #endAfter(limitMs: number, act: () => Promise<void> | void, code: number): void {
    const end = () => {
      clearTimeout(timer);
      this.#exit(code);
    };
    const timer = setTimeout(end, limitMs);
    Promise.resolve().then(act).then(end, end);
  }
}
