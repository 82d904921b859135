export type MapChangeKind = 'set' | 'delete' | 'reset';

/**
 * Why all entries went at once: `reset` and `expired` as written, `destroyed` with the map, `lost` when Redis lost the map,
 * `replaced` when another map took its name, `behind` when a watcher fell too far behind and starts over.
 */
export type ResetCause = 'reset' | 'expired' | 'destroyed' | 'lost' | 'replaced' | 'behind';

/** One change of a replica, or several of one key in one when the watcher was slow. */
export interface MapChange {
  kind: MapChangeKind;
  /** Absent for a reset. */
  key?: string;
  /** The value now; of a `set` only. */
  value?: string;
  /** What this replica held before; absent when there was no entry. */
  previous?: string;
  /** Revision of the map this change belongs to. */
  revision: number;
  /** Of a reset only. */
  cause?: ResetCause;
}
