/** Fleets to draw: what an observer would hold, without Redis. */
import type {
  Finding,
  FleetSnapshot,
  JobKey,
  JobSnapshot,
  PoolSnapshot,
  ServerSnapshot,
  StreamSnapshot,
  WorkerSnapshot,
} from '../../src/engine/index.ts';
import { EMPTY_FLEET } from '../../src/engine/inspect/fleet.ts';

export const NOW_MS = Date.UTC(2026, 10, 23, 12, 1, 33);

export function pool(name: string, changes: Partial<PoolSnapshot> = {}): PoolSnapshot {
  return {
    name,
    broken: null,
    shardCount: 1,
    state: 'OK',
    nodeCount: 2,
    workerCount: 4,
    jobCount: 96,
    queuedCount: 0,
    deadCount: 0,
    limit: 100_000,
    closedAtMs: null,
    epoch: 7,
    groups: ['default'],
    unserved: [],
    dispatchedTotal: 1000,
    startedTotal: 1000,
    endedTotal: 904,
    failedTotal: 0,
    ...changes,
  };
}

export function worker(id: string, changes: Partial<WorkerSnapshot> = {}): WorkerSnapshot {
  return {
    id,
    pool: 'video',
    node: 'node-a1',
    group: 'default',
    state: 'ALIVE',
    jobCount: 68,
    capacity: 200,
    weight: 1,
    leaseLeftMs: 11_000,
    incarnation: 1,
    zombieCount: 0,
    lagMs: 0,
    lagging: false,
    host: 'edge-7.example',
    pid: 4121,
    version: '0.1.0',
    startedAtMs: NOW_MS - 3_720_000,
    ...changes,
  };
}

export function jobRecord(key: string, changes: Partial<JobSnapshot> = {}): JobSnapshot {
  return {
    key,
    pool: 'video',
    state: 'RUNNING',
    worker: 'w-01',
    group: 'default',
    token: 4711,
    attempt: 1,
    maxAttempts: 0,
    dispatchedAtMs: NOW_MS - 3_720_000,
    startedAtMs: NOW_MS - 3_719_000,
    diedAtMs: null,
    kind: null,
    delayLeftMs: 0,
    payloadBytes: 338,
    error: null,
    ...changes,
  };
}

export function stream(name: string, changes: Partial<StreamSnapshot> = {}): StreamSnapshot {
  return {
    name,
    broken: null,
    partitions: null,
    length: 12_804,
    addedTotal: 50_000,
    firstId: '1763900000000-0',
    lastId: '1763900100000-0',
    lastAtMs: NOW_MS - 400,
    sinkCount: 1,
    maxLag: { count: 0, exact: true },
    maxPendingCount: 0,
    oldestPendingMs: null,
    deadCount: 0,
    abandoned: [],
    retention: null,
    mixedRetention: false,
    expiresAtMs: null,
    ...changes,
  };
}

const wave = (high: number) =>
  Array.from({ length: 60 }, (_, at) => Math.max(0, high * (0.6 + 0.4 * Math.sin(at / 4))));

const findings: Finding[] = [
  {
    severity: 'critical',
    code: 'POOL_WITHOUT_WORKERS',
    subject: { kind: 'pool', name: 'mailer' },
    message: '17 jobs and no worker: none of them runs',
    command: 'ponos worker start HANDLER --pool mailer',
  },
  {
    severity: 'critical',
    code: 'STALE_WORKER',
    subject: { kind: 'worker', name: 'w-03', pool: 'video' },
    message: 'lease over for 41 s: dead, cut off or blocked, 68 jobs not running until moved',
    command: 'ponos worker show w-03 --pool video',
  },
  {
    severity: 'warning',
    code: 'SINK_BEHIND',
    subject: { kind: 'stream', name: 'readings' },
    message: 'a sink is 1240 events behind, oldest pending 18 s: add consumers or look for a slow handler',
    command: 'ponos sink list readings',
  },
];

const workers = [
  ...Array.from({ length: 11 }, (_, at) =>
    worker(
      `w-${String(at + 1).padStart(2, '0')}`,
      at === 2 ? { state: 'STALE', leaseLeftMs: -41_000 } : { leaseLeftMs: 14_000 - at * 700 },
    ),
  ),
  worker('w-12', { state: 'DRAINING', group: 'tenant-7' }),
];

/** Keys of a pool, each recorded to one of its workers but for a few that wait. */
export function jobKeys(count: number): JobKey[] {
  return Array.from({ length: count }, (_, at) => ({
    key: `tenant-${at % 40}/transcode-${String(at).padStart(5, '0')}`,
    worker: at % 50 === 3 ? null : `w-${String((at % 11) + 1).padStart(2, '0')}`,
  }));
}

export function jobsOf(count: number, recordCount = 100): FleetSnapshot['jobs'] {
  const keys = jobKeys(count).sort((a, b) => (a.key < b.key ? -1 : 1));
  const records = new Map(
    keys.slice(0, recordCount).map(({ key, worker: owner }, at) => [
      key,
      jobRecord(key, {
        worker: owner,
        token: 4711 + at,
        state: owner === null ? 'PENDING' : at === 4 ? 'ASSIGNED' : 'RUNNING',
        dispatchedAtMs: NOW_MS - at * 61_000,
        payloadBytes: 200 + at * 37,
      }),
    ]),
  );
  return { pool: 'video', keys, records, sinceMs: new Map() };
}

const server: ServerSnapshot = {
  address: 'redis://127.0.0.1:6379',
  cli: 'redis-cli -h 127.0.0.1 -p 6379',
  version: '7.4.1',
  mode: 'standalone',
  role: 'master',
  usedMemoryBytes: 222_298_112,
  maxMemoryBytes: 1_073_741_824,
  evictionPolicy: 'noeviction',
  persistence: 'aof',
  clientCount: 38,
  uptimeMs: 86_400_000,
  roundTripMs: 0.4,
};

/** A fleet with everything in it, some of it wrong. */
export const fleet: FleetSnapshot = {
  ...EMPTY_FLEET,
  connection: { state: 'LIVE', error: null, attempts: 0, readAtMs: NOW_MS - 400, everyMs: 1000 },
  server,
  masters: [server],
  pools: [
    pool('billing'),
    pool('mailer', { state: 'NO WORKERS', workerCount: 0, jobCount: 17, queuedCount: 17 }),
    pool('video', { state: 'DEGRADED', nodeCount: 4, workerCount: 12, jobCount: 812, queuedCount: 3, deadCount: 2 }),
  ],
  streams: [
    stream('audit', { length: 98_112, sinkCount: 3, maxLag: { count: 45, exact: false } }),
    stream('orders', { sinkCount: 2, maxLag: { count: null, exact: false }, deadCount: 4 }),
    stream('readings', { maxLag: { count: 1240, exact: true }, oldestPendingMs: 18_000, maxPendingCount: 40 }),
  ],
  maps: [
    {
      name: 'demo-settings',
      broken: null,
      keyCount: 1,
      revision: 1_763_900_000_000_123,
      generation: 'g1',
      sizeBytes: 21,
      replicaCount: 5,
      expiresAtMs: null,
    },
    {
      name: 'totals',
      broken: null,
      keyCount: 41,
      revision: 1_763_900_100_000_456,
      generation: 'g2',
      sizeBytes: 18_204,
      replicaCount: 3,
      expiresAtMs: NOW_MS + 90_000,
    },
  ],
  staleWorkers: workers.filter(({ state }) => state === 'STALE'),
  unwellWorkers: [],
  workers: new Map([
    ['video', workers],
    ['billing', [worker('b-1', { pool: 'billing' })]],
    ['mailer', []],
  ]),
  nodes: new Map([
    [
      'video',
      [
        {
          id: 'node-a1',
          pool: 'video',
          host: 'edge-7.example',
          pid: 4121,
          version: '0.1.0',
          workerCount: 6,
          jobCount: 400,
          state: 'ALIVE',
          startedAtMs: NOW_MS - 3_720_000,
        },
        {
          id: 'node-a2',
          pool: 'video',
          host: 'edge-8.example',
          pid: 99,
          version: '0.1.0',
          workerCount: 6,
          jobCount: 412,
          state: 'DRAINING',
          startedAtMs: NOW_MS - 20_000,
        },
      ],
    ],
  ]),
  jobs: jobsOf(812),
  sinks: new Map([
    [
      'readings',
      [
        {
          name: 'fold',
          stream: 'readings',
          consumerCount: 2,
          pendingCount: 40,
          lag: { count: 1240, exact: true },
          oldestPendingMs: 18_000,
          lastDeliveredId: '1763900100000-0',
          redeliveredTotal: 3,
          deadCount: 0,
          filteredTotal: 0,
          lostTotal: 0,
          attendedAtMs: NOW_MS,
          consumers: [{ name: 'c1', pendingCount: 40, idleMs: 20, alive: true }],
        },
      ],
    ],
  ]),
  pending: {
    stream: 'readings',
    sink: 'fold',
    rows: [{ id: '1763900099000-0', consumer: 'c1', idleMs: 18_000, deliveryCount: 2 }],
  },
  entries: {
    map: 'totals',
    truncated: false,
    rows: [
      { key: 'cpu0', value: { encoding: 'utf8', data: '{"count":120,"mean":0.31}', sizeBytes: 25 } },
      { key: 'eth0', value: { encoding: 'utf8', data: 'plain', sizeBytes: 5 } },
      { key: 'raw', value: { encoding: 'base64', data: 'AAECA/8=', sizeBytes: 5 } },
    ],
  },
  tail: {
    stream: 'readings',
    rows: [
      {
        id: '1763900100000-0',
        stream: 'readings',
        atMs: NOW_MS - 400,
        name: 'reading',
        topic: 'cpu',
        headers: [],
        payload: { encoding: 'utf8', data: '{"cpu":0.31}', sizeBytes: 12 },
        malformed: null,
      },
    ],
  },
  events: {
    pool: 'video',
    rows: [
      {
        id: '1-0',
        atMs: NOW_MS - 9000,
        pool: 'video',
        type: 'joined',
        key: null,
        worker: 'w-12',
        token: null,
        detail: null,
      },
      {
        id: '2-0',
        atMs: NOW_MS - 5000,
        pool: 'video',
        type: 'expired',
        key: null,
        worker: 'w-03',
        token: null,
        detail: '68 jobs',
      },
      {
        id: '3-0',
        atMs: NOW_MS - 4000,
        pool: 'video',
        type: 'started',
        key: 'tenant-7/transcode-00007',
        worker: 'w-05',
        token: 4712,
        detail: null,
      },
    ],
  },
  rates: new Map([
    ['pool:video', { perSecond: 14.2, history: wave(14) }],
    ['pool:billing', { perSecond: 0.8, history: wave(0.8) }],
    ['pool:mailer', { perSecond: 0, history: wave(0) }],
    ['stream:readings', { perSecond: 41, history: wave(41) }],
    ['stream:orders', { perSecond: 12.3, history: wave(12) }],
    ['stream:audit', { perSecond: 1200, history: wave(1200) }],
  ]),
  findings,
};
