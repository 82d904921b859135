/** What the processes of the fleet on a cluster have in common, and what they write down. */
export const FLEET = {
  map: 'settings',
  streams: ['orders', 'clicks', 'alerts'],
  partitioned: 'accounts',
  partitions: 6,
  pool: 'work',
  shards: 6,
  /** Longer than a failover takes here: no job has to stop for it. */
  lease: 'default',
} as const;

export type FleetLine =
  | { what: 'ready' | 'quiet' }
  | { what: 'published'; stream: string; id: string; payload: string }
  | { what: 'failed'; stream: string; payload: string; code: string }
  | { what: 'handled' | 'read'; stream: string; id: string }
  | { what: 'gap'; stream: string }
  | { what: 'put'; key: string; n: number }
  | { what: 'took'; key: string; n: number; token: number }
  | { what: 'set'; key: string; n: number }
  | { what: 'unset'; key: string; n: number; code: string }
  | { what: 'start' | 'stop'; key: string; token: number }
  | { what: 'tick'; owned: [string, number][] }
  | { what: 'digest'; digest: string };

export type SeenLine = FleetLine & { atMs: number; process: number };
