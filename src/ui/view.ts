/** What a view is: it lists things a person can select, and draws them. Pure: the same scene gives the same lines. */
import type { Offer } from './act.ts';
import type { FleetFocus, FleetSnapshot } from './model.ts';
import type { Glyphs } from './paint/glyphs.ts';
import type { Line } from './paint/line.ts';
import type { Cursor } from './table/selection.ts';

export type ViewId =
  | 'overview'
  | 'nodes'
  | 'workers'
  | 'jobs'
  | 'job'
  | 'streams'
  | 'sinks'
  | 'pending'
  | 'tail'
  | 'maps'
  | 'entries'
  | 'value'
  | 'events';

/** Where the person is: a view and what it is about. */
export interface Location {
  view: ViewId;
  /** Empty while no pool is known. */
  pool?: string;
  node?: string;
  worker?: string;
  key?: string;
  stream?: string;
  sink?: string;
  map?: string;
}

export interface Sort {
  column: string;
  descending: boolean;
}

/** One level of the way in: restored exactly when the person comes back to it. */
export interface Place {
  at: Location;
  cursor: Cursor;
  filter: string;
  problemsOnly: boolean;
  sort: Sort | null;
}

/** Everything a view draws from. */
export interface Scene {
  snapshot: FleetSnapshot;
  /** Wall time; ages are counted to it. */
  nowMs: number;
  glyphs: Glyphs;
  ascii: boolean;
}

/** Something selected. */
export interface Item {
  /** What kind of thing, for messages. */
  noun: string;
  /** Its name or key as it is, to copy. */
  name: string;
  /** Where enter goes. */
  open?: Location;
  /** Where `t` goes: its newest events. */
  tail?: Location;
  /** The command line that shows the same. */
  command: string;
  offers: readonly Offer[];
  /** More about it, said at the foot of the screen. */
  note?: string;
}

export interface Listing {
  /** Identities in the order shown; null while nothing was read yet. */
  ids: readonly string[] | null;
  /** How many there are without filter. */
  total: number;
  item(index: number): Item | undefined;
}

export interface Area {
  width: number;
  height: number;
}

export interface View {
  id: ViewId;
  /** Last crumb: what this level shows. */
  crumb(at: Location): string;
  list(scene: Scene, place: Place): Listing;
  /** Exactly `area.height` lines of `area.width` cells. */
  draw(scene: Scene, place: Place, area: Area): Line[];
  /** Rows of things that fit, for paging and for what is looked at. */
  pageRows(area: Area): number;
  /** Command line that lists the same. */
  command(at: Location): string;
  focus(place: Place, visible: readonly string[]): FleetFocus;
  /** Columns to sort by, in order; empty when the order is fixed. */
  sorts: readonly string[];
  defaultSort: Sort | null;
  /** How many lines there are to scroll through, for a view without things to select. */
  pageLength?(scene: Scene, place: Place, area: Area): number;
}
