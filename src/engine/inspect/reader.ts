import type {
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

/** The readings an observer takes, each of few commands. All are passive. */
export interface FleetReader {
  server(): Promise<ServerSnapshot>;
  pools(): Promise<PoolSnapshot[]>;
  nodes(pool: string): Promise<NodeSnapshot[]>;
  workers(pool: string): Promise<WorkerSnapshot[]>;
  jobKeys(pool: string): Promise<JobKey[]>;
  /** Records of the keys that still exist, in any order. */
  jobs(pool: string, keys: string[]): Promise<JobSnapshot[]>;
  job(pool: string, key: string): Promise<JobDetail>;
  /** Entries after an id, or the newest. */
  ledger(pool: string, options: { count: number; after?: string }): Promise<LedgerEntry[]>;
  streams(): Promise<StreamSnapshot[]>;
  sinks(stream: string): Promise<SinkSnapshot[]>;
  pending(stream: string, sink: string, options: { count: number }): Promise<PendingSnapshot[]>;
  maps(): Promise<MapSnapshot[]>;
  entries(map: string, options: { limit: number }): Promise<MapEntry[]>;
}
