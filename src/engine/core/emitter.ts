/** Typed events. A listener that throws never reaches the emitter's loop: what it threw goes to `onListenerError`. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #onListenerError: (error: unknown) => void;

  constructor(onListenerError: (error: unknown) => void = reportLater) {
    this.#onListenerError = onListenerError;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])] as Array<(event: Events[Name]) => void>) {
      try {
        listener(event);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }

  /** Resolves with the next event of that name. */
  once<Name extends keyof Events>(name: Name): Promise<Events[Name]> {
    return new Promise(resolve => {
      const off = this.on(name, event => {
        off();
        resolve(event);
      });
    });
  }
}

/** The listener's owner sees the error as an uncaught exception on a fresh stack, as with an event of Node's own. */
function reportLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
