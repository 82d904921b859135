/**
 * What inspection returns: plain data, safe for JSON, taken from Redis alone. Times are wall-clock ms since 1970,
 * durations ms, sizes bytes. Keys and names are texts as in core/text.ts.
 */
import type { Retention } from '../streams/retention.ts';

export interface ServerSnapshot {
  address: string;
  /** How a command line of `redis-cli` for it begins; it holds no user and no password. */
  cli: string;
  version: string;
  mode: string;
  role: string;
  usedMemoryBytes: number;
  /** null: no limit. */
  maxMemoryBytes: number | null;
  evictionPolicy: string;
  persistence: 'aof' | 'rdb' | 'none';
  clientCount: number;
  uptimeMs: number;
  roundTripMs: number;
}

/**
 * Why something that is there cannot be read: a key of it holds a value of another type. Its figures say nothing then.
 * null when it can.
 */
export type BrokenReason = string | null;

/** QUARANTINE: Redis lost something, and nothing is admitted until the workers have said what they run. */
export type PoolState = 'OK' | 'DEGRADED' | 'QUARANTINE' | 'NO WORKERS' | 'IDLE' | 'CLOSED' | 'BROKEN';

export interface GroupWait {
  group: string;
  /** Jobs in the queue of the group, due or not. */
  waitingCount: number;
}

export interface PoolSnapshot {
  name: string;
  state: PoolState;
  broken: BrokenReason;
  shardCount: number;
  nodeCount: number;
  workerCount: number;
  /** Jobs of every state: queued, assigned, running, stopping. */
  jobCount: number;
  queuedCount: number;
  /** Jobs in the dead set. */
  deadCount: number;
  /** Most jobs the pool takes. */
  limit: number;
  /** When it was closed for new jobs; null: it is open. */
  closedAtMs: number | null;
  epoch: number;
  /** Those with a worker, a job that waits or a route. */
  groups: string[];
  /** Groups in which jobs wait and that no worker takes them from, while others have workers. */
  unserved: GroupWait[];
  /** Totals since the pool was created, for rates. */
  dispatchedTotal: number;
  startedTotal: number;
  endedTotal: number;
  failedTotal: number;
}

export type ScheduleState = 'ACTIVE' | 'PAUSED' | 'FAILING';

export interface ScheduleSnapshot {
  name: string;
  pool: string;
  /** What a tick does: dispatch a job, or run a callback of a node. */
  kind: 'job' | 'ticker';
  /** `FAILING`: its next tick was due and nothing could be done; it is tried again. */
  state: ScheduleState;
  /** Either this, with its time zone, or `everyMs`. */
  cron: string | null;
  timeZone: string | null;
  everyMs: number | null;
  /** The first tick of an interval. */
  startAtMs: number | null;
  /** null while it is paused. */
  nextAtMs: number | null;
  /** Of the job; null for a ticker. */
  key: string | null;
  payloadBytes: number;
  /** Of the job; 0 never gives up. */
  maxAttempts: number;
  /** What becomes of missed ticks: skip, one or all. */
  misfire: string;
  maxMisfires: number;
  toleranceMs: number;
  lastTickAtMs: number | null;
  /** Ticks that dispatched a job, or ran. */
  firedCount: number;
  /** Ticks whose job was there already. */
  occupiedCount: number;
  /** How often ticks came up too late. */
  misfireCount: number;
  /** Tries of the next tick that failed. */
  failureCount: number;
  error: string | null;
  failedAtMs: number | null;
  /** Node that runs a ticker now. */
  holder: string | null;
  createdAtMs: number;
}

export interface ScheduleDetail extends ScheduleSnapshot {
  payload: Blob;
}

export interface NodeSnapshot {
  id: string;
  pool: string;
  host: string;
  pid: number;
  version: string;
  workerCount: number;
  jobCount: number;
  state: WorkerState;
  startedAtMs: number;
}

export type WorkerState = 'ALIVE' | 'DRAINING' | 'STALE';

export interface WorkerSnapshot {
  id: string;
  pool: string;
  node: string;
  group: string;
  state: WorkerState;
  jobCount: number;
  capacity: number;
  weight: number;
  /** Negative when the lease is over. */
  leaseLeftMs: number;
  incarnation: number;
  /** Handlers that were told to stop, did not in time, and are at work all the same. */
  zombieCount: number;
  /** How late its event loop runs, 99th percentile, as far as it was told with the last renewals; 0 when idle. */
  lagMs: number;
  /** So late that it puts the lease at risk. */
  lagging: boolean;
  host: string;
  pid: number;
  version: string;
  startedAtMs: number;
}

export type JobState = 'PENDING' | 'ASSIGNED' | 'RUNNING' | 'STOPPING' | 'DEAD';

/** What listing all jobs of a pool gives for each without reading its record. */
export interface JobKey {
  key: string;
  /** Worker it is recorded to, or null while it is queued. */
  worker: string | null;
}

export interface JobSnapshot {
  key: string;
  pool: string;
  state: JobState;
  worker: string | null;
  group: string;
  token: number;
  attempt: number;
  maxAttempts: number;
  dispatchedAtMs: number;
  startedAtMs: number | null;
  /** Of a dead job. */
  diedAtMs: number | null;
  /** What its handler made of it; null before it runs. */
  kind: 'service' | 'task' | null;
  /** Earliest start of a queued job, as the time left; 0 when due. */
  delayLeftMs: number;
  payloadBytes: number;
  error: string | null;
}

export interface Blob {
  encoding: 'utf8' | 'base64';
  data: string;
  /** Size of the whole; `data` may be cut. */
  sizeBytes: number;
}

export interface JobDetail extends JobSnapshot {
  payload: Blob;
  history: LedgerEntry[];
}

export interface LedgerEntry {
  id: string;
  atMs: number;
  pool: string;
  /** joined, left, expired, draining, dispatched, assigned, started, released, stopped, settled, failed, dead ... */
  type: string;
  key: string | null;
  worker: string | null;
  token: number | null;
  detail: string | null;
}

/** `null` when Redis cannot know; `exact` false when it is an estimate, shown as `~n`. */
export interface Lag {
  count: number | null;
  exact: boolean;
}

export interface StreamSnapshot {
  name: string;
  broken: BrokenReason;
  /** How many; it has no events then but those of its partitions, which are streams too. null for other streams. */
  partitions: number | null;
  length: number;
  /** Events ever added. */
  addedTotal: number;
  firstId: string | null;
  lastId: string | null;
  lastAtMs: number | null;
  sinkCount: number;
  /** The worst of its sinks. */
  maxLag: Lag;
  maxPendingCount: number;
  oldestPendingMs: number | null;
  deadCount: number;
  /** Sinks that have something to do and no consumer for long. */
  abandoned: { sink: string; attendedAtMs: number }[];
  /** null for a stream without limits, and where they are mixed. */
  retention: Retention | null;
  /** The partitions of a partitioned stream have not all the same limits. */
  mixedRetention: boolean;
  /** When its time to live is over. */
  expiresAtMs: number | null;
}

export interface SinkSnapshot {
  name: string;
  stream: string;
  /** Those that are alive. */
  consumerCount: number;
  pendingCount: number;
  lag: Lag;
  oldestPendingMs: number | null;
  lastDeliveredId: string;
  redeliveredTotal: number;
  deadCount: number;
  filteredTotal: number;
  lostTotal: number;
  /** When a consumer was there, to the hour; null when none was, or one of another program. */
  attendedAtMs: number | null;
  /** Also those whose lease is over, until they are forgotten. */
  consumers: { name: string; pendingCount: number; idleMs: number; alive: boolean }[];
}

export interface PendingSnapshot {
  id: string;
  consumer: string;
  idleMs: number;
  deliveryCount: number;
}

export interface EventSnapshot {
  id: string;
  stream: string;
  atMs: number;
  /** null, as topic and payload, when the entry is no event; `malformed` says why. */
  name: string | null;
  topic: string | null;
  /** In their order; a header may occur twice. */
  headers: [string, string][];
  payload: Blob | null;
  malformed: string | null;
}

/** An event a sink gave up on, with its id in the stream. */
export interface DeadSnapshot extends EventSnapshot {
  sink: string;
  /** Its id among the dead letters. */
  deadId: string;
  deadAtMs: number;
  deliveryCount: number;
  reason: string;
}

export interface MapSnapshot {
  name: string;
  broken: BrokenReason;
  keyCount: number;
  revision: number;
  generation: string;
  sizeBytes: number;
  /** Connections that listen to its changes. */
  replicaCount: number;
  expiresAtMs: number | null;
}

export interface MapEntry {
  key: string;
  value: Blob;
}

export type FindingSeverity = 'warning' | 'critical';

/** Something that is wrong, what it means, and what to do. */
export interface Finding {
  severity: FindingSeverity;
  /** Stable word, e.g. STALE_WORKER. */
  code: string;
  subject: { kind: 'pool' | 'worker' | 'job' | 'stream' | 'sink' | 'map' | 'server'; name: string; pool?: string };
  message: string;
  /** A command line that acts on it or looks closer. */
  command: string | null;
}
