/**
 * What an observer of a whole fleet holds at one moment, and what it is asked to look at. Plain data; every change makes
 * a new snapshot that shares the parts that did not change, so that a reader compares parts by identity.
 */
import type {
  EventSnapshot,
  Finding,
  JobDetail,
  JobKey,
  JobSnapshot,
  LedgerEntry,
  MapEntry,
  MapSnapshot,
  NodeSnapshot,
  PendingSnapshot,
  PoolSnapshot,
  ServerSnapshot,
  SinkSnapshot,
  StreamSnapshot,
  WorkerSnapshot,
} from './snapshots.ts';

export interface FleetConnection {
  state: 'CONNECTING' | 'LIVE' | 'STALE';
  /** Why it is not live, in one sentence. */
  error: string | null;
  /** Failed attempts since it was last live. */
  attempts: number;
  /** Wall time of the last successful reading. */
  readAtMs: number | null;
  /** Time between two readings of what is looked at, as it turned out. */
  everyMs: number;
}

/** How fast a total grows. */
export interface Rate {
  /** null until two readings exist. */
  perSecond: number | null;
  /** One value a second, oldest first. */
  history: readonly number[];
}

/** The jobs of one pool: all keys, and the records of those that were looked at. */
export interface FleetJobs {
  pool: string;
  keys: readonly JobKey[];
  records: ReadonlyMap<string, JobSnapshot>;
  /** Wall time since when a record is known to be in its present state under its present token. */
  sinceMs: ReadonlyMap<string, number>;
}

/** What was opened; `value` is null when it does not exist (any more). */
export type FleetDetail = { kind: 'job'; pool: string; key: string; value: JobDetail | null };

export interface FleetSnapshot {
  connection: FleetConnection;
  server: ServerSnapshot | null;
  /** Each master of a cluster by itself, or the one server there is. */
  masters: readonly ServerSnapshot[];
  /** null until read for the first time. */
  pools: readonly PoolSnapshot[] | null;
  streams: readonly StreamSnapshot[] | null;
  maps: readonly MapSnapshot[] | null;
  /** Of all pools, those whose lease is over. */
  staleWorkers: readonly WorkerSnapshot[];
  /** Of all pools, live ones with handlers that do not stop, or that block. */
  unwellWorkers: readonly WorkerSnapshot[];
  /** By pool, of the pools that were looked at. */
  workers: ReadonlyMap<string, readonly WorkerSnapshot[]>;
  nodes: ReadonlyMap<string, readonly NodeSnapshot[]>;
  /** Of the pool looked at. */
  jobs: FleetJobs | null;
  /** By stream. */
  sinks: ReadonlyMap<string, readonly SinkSnapshot[]>;
  pending: { stream: string; sink: string; rows: readonly PendingSnapshot[] } | null;
  entries: { map: string; rows: readonly MapEntry[]; truncated: boolean } | null;
  /** The newest events of one stream, oldest first. */
  tail: { stream: string; rows: readonly EventSnapshot[] } | null;
  /** The ledger of one pool, oldest first. */
  events: { pool: string; rows: readonly LedgerEntry[] } | null;
  detail: FleetDetail | null;
  /** Jobs started, by `pool:<name>`; events added, by `stream:<name>`. */
  rates: ReadonlyMap<string, Rate>;
  /** Pools whose queue did not move, with the time since when (ms). */
  stalledMs: ReadonlyMap<string, number>;
  findings: readonly Finding[];
  /** What could not be read although Redis answers: part and reason. */
  problems: ReadonlyMap<string, string>;
}

/** What is on screen: it is read first and most often, and only of it are details read. */
export type FleetFocus =
  | { view: 'overview' | 'streams' | 'maps' }
  | { view: 'nodes' | 'workers' | 'events'; pool: string }
  | { view: 'jobs'; pool: string; visible: readonly string[] }
  | { view: 'job'; pool: string; key: string }
  | { view: 'sinks' | 'tail'; stream: string }
  | { view: 'pending'; stream: string; sink: string }
  | { view: 'entries'; map: string };

export const EMPTY_FLEET: FleetSnapshot = {
  connection: { state: 'CONNECTING', error: null, attempts: 0, readAtMs: null, everyMs: 1000 },
  server: null,
  masters: [],
  pools: null,
  streams: null,
  maps: null,
  staleWorkers: [],
  unwellWorkers: [],
  workers: new Map(),
  nodes: new Map(),
  jobs: null,
  sinks: new Map(),
  pending: null,
  entries: null,
  tail: null,
  events: null,
  detail: null,
  rates: new Map(),
  stalledMs: new Map(),
  findings: [],
  problems: new Map(),
};
