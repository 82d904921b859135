/**
 * A survey of the fleet as Prometheus metrics. Names and units by its conventions: base units (seconds, bytes), `_total` for
 * what only grows. What Redis cannot know is left out and never 0. Labels are names of pools, groups, streams, sinks, maps,
 * and workers if asked for: nothing that grows with jobs or events.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { PoolSurvey, SinkSnapshot, Survey, WorkerSnapshot } from '../engine/index.ts';

export interface MetricsOptions {
  /** Version of this program. */
  readonly version: string;
  /** Series for each worker, beside those of the pool. */
  readonly perWorker: boolean;
  /** What the survey took. */
  readonly tookMs: number;
}

/** Values of the labels in their order, then the value; null is left out. */
type Sample = readonly [...labels: string[], value: number | null];

const PARTS = ['server', 'pools', 'streams', 'sinks', 'maps'] as const;
const KINDS = ['pools', 'streams', 'maps'] as const;
const WORKER_STATES = ['ALIVE', 'DRAINING', 'STALE'] as const;

const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);

export function toMetrics(survey: Survey, { version, perWorker, tookMs }: MetricsOptions): Registry {
  const board = new Board();
  board.gauge(
    'ponos_up',
    '1 when all of this part could be read',
    ['part'],
    PARTS.map(part => [part, survey.gaps.has(part) ? 0 : 1]),
  );
  board.gauge('ponos_build_info', 'Version of the program that tells this', ['version'], [[version, 1]]);
  board.gauge('ponos_scrape_duration_seconds', 'What reading all of this took', [], [[tookMs / 1000]]);
  const leftOut = KINDS.map(
    (kind): Sample => [kind, survey.gaps.get(kind)?.count === null ? null : survey.leftOut[kind]],
  );
  board.gauge('ponos_left_out', 'How many are not shown because there are more than --max', ['kind'], leftOut);
  const unreadable = KINDS.map((kind): Sample => [kind, (survey.gaps.get(kind) ?? { count: 0 }).count]);
  board.gauge(
    'ponos_unreadable',
    'How many are not shown because they could not be read; absent when not even their names could',
    ['kind'],
    unreadable,
  );
  board.gauge(
    'ponos_broken',
    '1 for each that is there and not shown because a key of it holds a value of another type',
    ['kind', 'name'],
    survey.broken.map(({ kind, name }) => [kind, name, 1]),
  );
  server(board, survey);
  pools(board, survey.pools);
  if (perWorker)
    workers(
      board,
      survey.pools.flatMap(pool => pool.workers),
    );
  streams(board, survey);
  sinks(board, survey.sinks);
  maps(board, survey);
  return board.registry;
}

function server(board: Board, { server, health }: Survey): void {
  if (server) {
    const { version, mode, role, persistence, evictionPolicy } = server;
    const labels = ['version', 'mode', 'role', 'persistence', 'eviction_policy'];
    board.gauge('ponos_redis_info', 'The Redis server', labels, [
      [version, mode, role, persistence, evictionPolicy, 1],
    ]);
    board.gauge('ponos_redis_memory_used_bytes', 'Memory in use', [], [[server.usedMemoryBytes]]);
    board.gauge(
      'ponos_redis_memory_max_bytes',
      'Memory it may use; absent without a limit',
      [],
      [[server.maxMemoryBytes]],
    );
    board.gauge('ponos_redis_clients', 'Connections of clients', [], [[server.clientCount]]);
    board.gauge('ponos_redis_uptime_seconds', 'Since it was started', [], [[seconds(server.uptimeMs)]]);
    board.gauge('ponos_redis_round_trip_seconds', 'There and back, once', [], [[seconds(server.roundTripMs)]]);
  }
  const found = [...Map.groupBy(health, ({ code }) => code).values()].map(
    (all): Sample => [all[0]?.code ?? '', all[0]?.severity ?? '', all.length],
  );
  board.gauge('ponos_redis_findings', 'What is wrong with the server, by code', ['code', 'severity'], found);
}

function pools(board: Board, all: readonly PoolSurvey[]): void {
  const each = (value: (survey: PoolSurvey) => number | null) =>
    all.map((survey): Sample => [survey.pool.name, value(survey)]);
  const label = ['pool'];
  const jobs = all.flatMap(({ pool }): Sample[] => [
    [pool.name, 'pending', pool.queuedCount],
    [pool.name, 'owned', pool.jobCount - pool.queuedCount],
    [pool.name, 'dead', pool.deadCount],
  ]);
  board.gauge('ponos_pool_jobs', 'Jobs that wait, are in the hands of a worker, or are dead', ['pool', 'state'], jobs);
  const waiting = all.flatMap(({ pool, waiting }) =>
    waiting.map(({ group, waitingCount }): Sample => [pool.name, group, waitingCount]),
  );
  board.gauge('ponos_pool_group_pending_jobs', 'Jobs that wait, by group', ['pool', 'group'], waiting);
  const unserved = all.flatMap(({ pool, waiting, workers }) =>
    waiting.map(({ group, waitingCount }): Sample => {
      const isServed = workers.some(worker => worker.group === group && worker.state === 'ALIVE');
      return [pool.name, group, Number(waitingCount > 0 && !isServed)];
    }),
  );
  board.gauge('ponos_pool_group_unserved', '1 while jobs wait and no worker takes them', ['pool', 'group'], unserved);
  const oldest = each(({ oldestPendingMs }) => seconds(oldestPendingMs));
  board.gauge(
    'ponos_pool_oldest_pending_seconds',
    'How long the first waiting job is due; absent when none is',
    label,
    oldest,
  );
  board.gauge(
    'ponos_pool_job_limit',
    'Most jobs the pool takes',
    label,
    each(({ pool }) => pool.limit),
  );
  board.gauge(
    'ponos_pool_shards',
    'Shards',
    label,
    each(({ pool }) => pool.shardCount),
  );
  board.gauge(
    'ponos_pool_nodes',
    'Processes that host workers',
    label,
    each(({ pool }) => pool.nodeCount),
  );
  board.gauge(
    'ponos_pool_epoch',
    'Changes of the membership',
    label,
    each(({ pool }) => pool.epoch),
  );
  const quarantined = each(({ pool }) => Number(pool.state === 'QUARANTINE'));
  board.gauge('ponos_pool_quarantined', '1 while nothing is admitted because Redis lost something', label, quarantined);
  board.gauge(
    'ponos_pool_closed',
    '1 while it takes no new jobs',
    label,
    each(({ pool }) => Number(pool.closedAtMs !== null)),
  );
  const groups = all.flatMap(({ pool, workers }) =>
    [...Map.groupBy(workers, ({ group }) => group)].map(([group, members]) => ({ pool: pool.name, group, members })),
  );
  const states = groups.flatMap(({ pool, group, members }) =>
    WORKER_STATES.map(
      (state): Sample => [pool, group, state.toLowerCase(), members.filter(worker => worker.state === state).length],
    ),
  );
  board.gauge('ponos_pool_workers', 'Workers; stale: the lease is over', ['pool', 'group', 'state'], states);
  const capacity = groups.map(
    ({ pool, group, members }): Sample => [pool, group, members.reduce((sum, worker) => sum + worker.capacity, 0)],
  );
  board.gauge('ponos_pool_capacity_jobs', 'Jobs its workers take at once', ['pool', 'group'], capacity);
  const worst = (value: (worker: WorkerSnapshot) => number, pick: (...values: number[]) => number) =>
    each(({ workers }) => (workers.length === 0 ? null : pick(...workers.map(value))));
  const lease = worst(worker => worker.leaseLeftMs / 1000, Math.min);
  board.gauge(
    'ponos_pool_lease_left_seconds',
    'Of the worker that has the least; negative when it is over',
    label,
    lease,
  );
  const lag = worst(worker => worker.lagMs / 1000, Math.max);
  board.gauge('ponos_pool_event_loop_lag_seconds', 'How late the event loop of the worst worker runs', label, lag);
  const zombies = each(({ workers }) => workers.reduce((sum, worker) => sum + worker.zombieCount, 0));
  board.gauge('ponos_pool_zombies', 'Handlers at work although told to stop', label, zombies);
  board.counter(
    'ponos_pool_jobs_dispatched_total',
    'Jobs dispatched',
    label,
    each(({ pool }) => pool.dispatchedTotal),
  );
  board.counter(
    'ponos_pool_jobs_started_total',
    'Jobs begun',
    label,
    each(({ pool }) => pool.startedTotal),
  );
  board.counter(
    'ponos_pool_jobs_ended_total',
    'Jobs that ended',
    label,
    each(({ pool }) => pool.endedTotal),
  );
  board.counter(
    'ponos_pool_attempts_failed_total',
    'Attempts that failed',
    label,
    each(({ pool }) => pool.failedTotal),
  );
}

function workers(board: Board, all: readonly WorkerSnapshot[]): void {
  const each = (value: (worker: WorkerSnapshot) => number) =>
    all.map((worker): Sample => [worker.pool, worker.group, worker.id, value(worker)]);
  const labels = ['pool', 'group', 'worker'];
  board.gauge(
    'ponos_worker_jobs',
    'Jobs recorded to it',
    labels,
    each(worker => worker.jobCount),
  );
  board.gauge(
    'ponos_worker_capacity_jobs',
    'Jobs it takes at once',
    labels,
    each(worker => worker.capacity),
  );
  const lease = each(worker => worker.leaseLeftMs / 1000);
  board.gauge('ponos_worker_lease_left_seconds', 'Left of its lease; negative when it is over', labels, lease);
  const lag = each(worker => worker.lagMs / 1000);
  board.gauge('ponos_worker_event_loop_lag_seconds', 'How late its event loop runs', labels, lag);
  board.gauge(
    'ponos_worker_zombies',
    'Handlers at work although told to stop',
    labels,
    each(worker => worker.zombieCount),
  );
}

function streams(board: Board, { streams }: Survey): void {
  const each = (value: (survey: Survey['streams'][number]) => number | null) =>
    streams.map((survey): Sample => [survey.stream.name, value(survey)]);
  const label = ['stream'];
  board.gauge(
    'ponos_stream_events',
    'Events in the stream',
    label,
    each(({ stream }) => stream.length),
  );
  board.counter(
    'ponos_stream_events_added_total',
    'Events ever added',
    label,
    each(({ stream }) => stream.addedTotal),
  );
  board.gauge(
    'ponos_stream_memory_bytes',
    'Memory of its events, from a sample',
    label,
    each(({ memoryBytes }) => memoryBytes),
  );
  const last = each(({ stream }) => seconds(stream.lastAtMs));
  board.gauge('ponos_stream_last_event_timestamp_seconds', 'When the newest event was published', label, last);
}

function sinks(board: Board, all: readonly SinkSnapshot[]): void {
  const each = (value: (sink: SinkSnapshot) => number | null) =>
    all.map((sink): Sample => [sink.stream, sink.name, value(sink)]);
  const labels = ['stream', 'sink'];
  const lag = each(sink => sink.lag.count);
  board.gauge('ponos_sink_lag_events', 'Events it was not given yet; absent when Redis cannot know', labels, lag);
  const exact = each(sink => (sink.lag.count === null ? null : Number(sink.lag.exact)));
  board.gauge('ponos_sink_lag_exact', '0 when the lag is an estimate', labels, exact);
  board.gauge(
    'ponos_sink_pending_events',
    'Events given and not acknowledged',
    labels,
    each(sink => sink.pendingCount),
  );
  const oldest = each(sink => seconds(sink.oldestPendingMs));
  board.gauge(
    'ponos_sink_oldest_pending_seconds',
    'Age of the oldest of them; absent when there is none',
    labels,
    oldest,
  );
  const consumers = all.flatMap(sink =>
    [true, false].map(
      (alive): Sample => [
        sink.stream,
        sink.name,
        alive ? 'alive' : 'gone',
        sink.consumers.filter(consumer => consumer.alive === alive).length,
      ],
    ),
  );
  board.gauge('ponos_sink_consumers', 'Consumers; gone: the lease is over', [...labels, 'state'], consumers);
  board.gauge(
    'ponos_sink_dead_events',
    'Dead letters that are kept',
    labels,
    each(sink => sink.deadCount),
  );
  board.counter(
    'ponos_sink_redelivered_total',
    'Deliveries after the first',
    labels,
    each(sink => sink.redeliveredTotal),
  );
  board.counter(
    'ponos_sink_filtered_total',
    'Events its topic filter excluded',
    labels,
    each(sink => sink.filteredTotal),
  );
  board.counter(
    'ponos_sink_lost_total',
    'Events removed before it acknowledged them',
    labels,
    each(sink => sink.lostTotal),
  );
}

function maps(board: Board, { maps }: Survey): void {
  const each = (value: (map: Survey['maps'][number]) => number | null) =>
    maps.map((map): Sample => [map.name, value(map)]);
  const label = ['map'];
  board.gauge(
    'ponos_map_entries',
    'Entries',
    label,
    each(map => map.keyCount),
  );
  board.gauge(
    'ponos_map_size_bytes',
    'Bytes of keys and values',
    label,
    each(map => map.sizeBytes),
  );
  board.gauge(
    'ponos_map_revision',
    'Revision; grows with every change',
    label,
    each(map => map.revision),
  );
  board.gauge(
    'ponos_map_replicas',
    'Connections that listen to its changes',
    label,
    each(map => map.replicaCount),
  );
  const expires = each(map => seconds(map.expiresAtMs));
  board.gauge('ponos_map_expires_timestamp_seconds', 'When it expires; absent when it does not', label, expires);
}

class Board {
  readonly registry = new Registry();

  gauge(name: string, help: string, labelNames: string[], samples: readonly Sample[]): void {
    const known = samples.filter(sample => sample.at(-1) !== null);
    // Without labels a gauge that was never set would say 0; with labels, a head and nothing under it.
    if (known.length === 0) return;
    const gauge = new Gauge({ name, help, labelNames, registers: [this.registry] });
    for (const sample of known) gauge.set(labelsOf(labelNames, sample), sample.at(-1) as number);
  }

  counter(name: string, help: string, labelNames: string[], samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    const counter = new Counter({ name, help, labelNames, registers: [this.registry] });
    for (const sample of samples) counter.inc(labelsOf(labelNames, sample), sample.at(-1) as number);
  }
}

/** Names may stand for bytes that are no text: scrapers take UTF-8 only. */
function labelsOf(names: readonly string[], sample: Sample): Record<string, string> {
  return Object.fromEntries(names.map((name, at) => [name, String(sample[at]).toWellFormed()]));
}
