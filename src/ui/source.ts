/** What the dashboard is given: where the data comes from, what a person may do, and the terminal. */
import type { Act, ActOf } from './act.ts';
import type { FleetFocus, FleetSnapshot } from './model.ts';

export interface FleetSource {
  /** The present state; another object after each change, the same object without one. */
  getSnapshot(): FleetSnapshot;
  subscribe(listener: () => void): () => void;
  /** Says what is on screen: only that is read often, and only of that are details read. */
  setFocus(focus: FleetFocus): void;
  /** Somebody pressed a key: more may be read for a while. */
  attend(): void;
  /** Reads what is on screen now. */
  refresh(): void;
  setPaused(paused: boolean): void;
}

/** Carries out an act and says in a few words what came of it. What it throws is shown. */
export type FleetActions = { readonly [Kind in Act['kind']]: (act: ActOf<Kind>) => Promise<string> };

export interface TerminalAccess {
  /** Puts text into the clipboard of the person's terminal. */
  copy(text: string): void;
  /** Hands the terminal to the shell until the job is continued. */
  suspend(): void;
  /** Draws everything anew. */
  redraw(): void;
  quit(): void;
}
