/** What the person has done so far: where they are, what they are typing, what they are asked. Plain data. */
import type { Act, ActText } from './act.ts';
import type { Field } from './field.ts';
import type { FleetSnapshot } from './model.ts';
import type { Role, ThemeName } from './paint/theme.ts';
import { START } from './table/selection.ts';
import type { Location, Place, ViewId } from './view.ts';
import { tabs } from './views/index.ts';

export type Mode =
  | { kind: 'view' }
  /** `before` is what esc brings back. */
  | { kind: 'filter'; field: Field; before: Pick<Place, 'filter' | 'cursor'> }
  | { kind: 'palette'; field: Field }
  | { kind: 'prompt'; field: Field; label: string; make: (text: string) => Act }
  | { kind: 'confirm'; act: Act; text: ActText; choice: 'cancel' | 'act'; openedAtMs: number }
  | { kind: 'command'; command: string }
  | { kind: 'help'; offset: number };

export interface Flash {
  text: string;
  role: Role;
  /** Monotonic time at which it disappears. */
  untilMs: number;
}

export interface Ui {
  tab: number;
  /** The way in of each tab; the last is shown. */
  stacks: readonly (readonly Place[])[];
  /** The pool chosen; null: the first there is. */
  pool: string | null;
  mode: Mode;
  paused: boolean;
  theme: ThemeName;
  flash: Flash | null;
}

export function startUi(options: { view?: ViewId; pool?: string | null; theme?: ThemeName } = {}): Ui {
  const tab = tabs.findIndex(({ view }) => view === options.view);
  return {
    tab: Math.max(0, tab),
    stacks: tabs.map(({ view }) => [placeAt({ view })]),
    pool: options.pool ?? null,
    mode: { kind: 'view' },
    paused: false,
    theme: options.theme ?? 'default',
    flash: null,
  };
}

export function placeAt(at: Location): Place {
  return { at, cursor: START, filter: '', problemsOnly: false, sort: null };
}

export function poolShown(ui: Ui, snapshot: FleetSnapshot): string {
  const names = (snapshot.pools ?? []).map(pool => pool.name);
  if (ui.pool !== null && (snapshot.pools === null || names.includes(ui.pool))) return ui.pool;
  return names[0] ?? '';
}

/** The place on screen, its pool filled in. */
export function placeShown(ui: Ui, snapshot: FleetSnapshot): Place {
  return withPool(stackShown(ui).at(-1) as Place, ui, snapshot);
}

/** The top of a tab shows the pool chosen; deeper places say their own. */
export function withPool(place: Place, ui: Ui, snapshot: FleetSnapshot): Place {
  const isOfPool = tabs.some(tab => tab.view === place.at.view && tab.ofPool);
  return isOfPool && place.at.pool === undefined
    ? { ...place, at: { ...place.at, pool: poolShown(ui, snapshot) } }
    : place;
}

export function stackShown(ui: Ui): readonly Place[] {
  return ui.stacks[ui.tab] as readonly Place[];
}

export function withStack(ui: Ui, stack: readonly Place[]): Ui {
  return { ...ui, stacks: ui.stacks.map((old, index) => (index === ui.tab ? stack : old)) };
}

/** Changes the place on screen. */
export function withPlace(ui: Ui, changes: Partial<Omit<Place, 'at'>>): Ui {
  const stack = stackShown(ui);
  return withStack(ui, [...stack.slice(0, -1), { ...(stack.at(-1) as Place), ...changes }]);
}

export function push(ui: Ui, at: Location): Ui {
  const pool = at.pool ? at.pool : ui.pool;
  return withStack({ ...ui, pool }, [...stackShown(ui), placeAt(at)]);
}
