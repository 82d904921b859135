import type { FleetFocus, FleetSnapshot } from '../../src/engine/index.ts';
import type { FleetSource } from '../../src/ui/source.ts';

/** A source whose data a test sets, and which remembers what it was told. */
export class SettableSource implements FleetSource {
  readonly focuses: FleetFocus[] = [];
  readonly pauses: boolean[] = [];
  refreshes = 0;
  readonly #listeners = new Set<() => void>();
  #snapshot: FleetSnapshot;

  constructor(snapshot: FleetSnapshot) {
    this.#snapshot = snapshot;
  }

  set(snapshot: FleetSnapshot): void {
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener();
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  getSnapshot(): FleetSnapshot {
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setFocus(focus: FleetFocus): void {
    this.focuses.push(focus);
  }

  attend(): void {}

  refresh(): void {
    this.refreshes++;
  }

  setPaused(paused: boolean): void {
    this.pauses.push(paused);
  }
}
