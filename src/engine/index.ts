/**
 * The engine's only door: what is not exported here is not API.
 *
 * Everything is made on a link: `const link = await RedisLink.connect({ url })`, then maps, streams and pools by name.
 */

export { destroyBrokenMap, removeBrokenStream } from './admin/broken.ts';
export { checkDispatch, checkJob, checkPurge, checkRetry } from './admin/checks.ts';
export { purgeJobs, retryJobs } from './admin/dead-jobs.ts';
export { type DeadReplay, purgeDead, REPLAY_HEADER, type ReplayDeadOptions, replayDead } from './admin/dead-letters.ts';
export { drainWorkersOf, rebalancePool, type WaitForOptions, workersOf } from './admin/fleet.ts';
export {
  type AppliedDifferences,
  applyDifferences,
  diffEntries,
  type ImportOptions,
  importEntries,
  type MapDifference,
  readMap,
} from './admin/map-entries.ts';
export { destroyMap, resetMap } from './admin/maps.ts';
export {
  type PoolRemovalPlan,
  planPoolRemoval,
  type RemovePoolOptions,
  removePool,
} from './admin/pool-removal.ts';
export { addRoute, drainWorker, listRoutes, removeRoute } from './admin/pools.ts';
export { type BrokenPolicy, type RepairOptions, type RepairReport, repairPool } from './admin/repair.ts';
export { type ApplyRoutesOptions, applyRoutes, type RegroupProgress } from './admin/routes.ts';
export {
  type AddOutcome,
  addSchedule,
  checkSchedule,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
} from './admin/schedules.ts';
export { openPool, shutDownPool } from './admin/shutdown.ts';
export {
  planSinkRemoval,
  removeSink,
  type SinkRemovalOptions,
  type SinkRemovalPlan,
} from './admin/sink-removal.ts';
export {
  listClaimable,
  planReset,
  type ReleaseOptions,
  type ResetOptions,
  type ResetPlan,
  releaseEntries,
  resetSink,
} from './admin/sinks.ts';
export {
  createStream,
  planRetention,
  type Retention,
  type RetentionChange,
  type RetentionInput,
  type RetentionPlan,
  removeStream,
  retentionOptions,
  setRetention,
  type TrimLimit,
  type TrimResult,
  trimStream,
} from './admin/streams.ts';
export { type PoolUpgrade, type UpgradeOptions, upgradePool } from './admin/upgrade.ts';
export { type BackoffOptions, backoffMs } from './core/backoff.ts';
export type { Bytes } from './core/bytes.ts';
export { type Clock, sleep, systemClock, type Timer } from './core/clock.ts';
export type { Emitter } from './core/emitter.ts';
export {
  ArgumentError,
  ClosedError,
  ConflictError,
  describeError,
  type ErrorDetails,
  type ErrorKind,
  ExistsError,
  FullError,
  HandlerError,
  InvariantError,
  LeaseLostError,
  NotFoundError,
  NotReplicatedError,
  type OptionBounds,
  OptionError,
  OutOfMemoryError,
  PonosError,
  QuarantineError,
  ReadOnlyError,
  RedisCommandError,
  RedisDeniedError,
  RedisUnavailableError,
  StopRequestedError,
  TimeoutError,
  TooLargeError,
  UncertainPublishError,
  UnsafeServerError,
  WrongTypeError,
} from './core/errors.ts';
export { globMatcher } from './core/glob.ts';
export { newId } from './core/ids.ts';
export type { Option, OptionInput, OptionTable } from './core/options.ts';
export type { Span, SpanAttributes, SpanKind, SpanStart, Telemetry } from './core/telemetry.ts';
export { decodeText, encodeText } from './core/text.ts';
export { readTraceContext, type TraceContext, traceHeaders } from './core/trace-context.ts';
export { type BrokenKind, type BrokenThing, remedyFor } from './inspect/broken.ts';
export { type Diagnosis, type DiagnosisOptions, diagnose } from './inspect/diagnosis.ts';
export { type DeadFilter, listDead, listDeadIds, listEvents, showDead, showEvent } from './inspect/events.ts';
export type * from './inspect/fleet.ts';
export { checkInvariants, type InvariantOptions, type InvariantReport } from './inspect/invariants/invariants.ts';
export {
  describeViolation,
  REMEDIES,
  type Remedy,
  type Violation,
  type ViolationCode,
} from './inspect/invariants/violation.ts';
export { type JobFilter, listJobKeys, listJobs, readJobs, showJob } from './inspect/jobs.ts';
export { type LedgerOptions, listLedger } from './inspect/ledger.ts';
export { findMap, listMapEntries, listMaps, showMap } from './inspect/maps.ts';
export { FleetObserver, type FleetObserverOptions, fleetObserverOptions } from './inspect/observer.ts';
export { locateJob } from './inspect/place.ts';
export { listNodes, listPools, listWorkers, showNode, showPool, showWorker } from './inspect/pools.ts';
export { planRebalance, type RebalancePlan, type WorkerBalance } from './inspect/rebalance-plan.ts';
export { redisCli } from './inspect/redis-cli.ts';
export { planRoutes, type Regrouping } from './inspect/route-plan.ts';
export { listSchedules, showSchedule } from './inspect/schedules.ts';
export { inspectServer } from './inspect/server.ts';
export type * from './inspect/snapshots.ts';
export {
  findStream,
  listPartitionedStreams,
  listPending,
  listSinks,
  listStreams,
  showSink,
  showStream,
} from './inspect/streams.ts';
export {
  type PoolSurvey,
  type StreamSurvey,
  type Survey,
  type SurveyGap,
  type SurveyPart,
  surveyFleet,
} from './inspect/survey.ts';
export type { MapChange, MapChangeKind, ResetCause } from './maps/changes.ts';
export { MapClient, type MapClientOptions } from './maps/map-client.ts';
export type {
  ConditionalReset,
  ConditionalWrite,
  EditWrite,
  EntryEdit,
  EntryWrite,
  Expected,
  IncrementWrite,
  ListWrite,
  ManyWrite,
  MapWrite,
} from './maps/map-writer.ts';
export { integerOf, listOf } from './maps/map-writer.ts';
export { mapOptions, replicaOptions } from './maps/options.ts';
export {
  ReplicatedMap,
  type ReplicatedMapEvents,
  type ReplicatedMapOptions,
  type WaitOptions,
} from './maps/replicated-map.ts';
export {
  type Codec,
  type StandardSchema,
  type TypedChange,
  TypedMap,
  type TypedMapOptions,
  typedMap,
} from './maps/typed-map.ts';
export type { WatchFilter } from './maps/watcher.ts';
export { notPartitioned, partitionOptions, removePartitionedStream } from './partitions/description.ts';
export { KEY_HEADER, partitionNames } from './partitions/names.ts';
export type { PartitionContext, PartitionHandler } from './partitions/owned-partition.ts';
export {
  PartitionedSink,
  type PartitionedSinkEvents,
  type PartitionedSinkOptions,
  partitionedSinkOptions,
} from './partitions/partitioned-sink.ts';
export {
  type KeyedEvent,
  PartitionedStream,
  type PartitionedStreamEvents,
  type PartitionedStreamOptions,
  type PublishedEvent,
} from './partitions/partitioned-stream.ts';
export {
  createPartitionedStream,
  planPartitionedRetention,
  setPartitionedRetention,
  trimPartitionedStream,
} from './partitions/whole.ts';
export {
  type DispatchOptions,
  type DispatchResult,
  type JobLocation,
  type NotifyOptions,
  PoolClient,
  type PoolClientEvents,
  type StopOptions,
  type StopResult,
  type WaitLevel,
} from './pool/client.ts';
export { type DurabilityOption, durabilityOptions } from './pool/durability.ts';
export type { ExecOutput } from './pool/exec/child-job.ts';
export { createExecHandler, type ExecHandlerOptions, execOptions } from './pool/exec/handler.ts';
export {
  isTaskHandler,
  type Job,
  type JobHandler,
  type ServiceHandler,
  type StopReason,
  type TaskHandler,
  type WorkerLease,
} from './pool/handler.ts';
export { loadHandlerModule } from './pool/handler-module.ts';
export { createIsolatedHandler, type IsolatedHandlerOptions } from './pool/isolate/handler.ts';
export { type AddWorkerOptions, PoolNode } from './pool/node.ts';
export {
  clientOptions as poolClientOptions,
  dispatchOptions,
  type LeaseOption,
  type LeasePreset,
  type LeaseTerms,
  leasePresets,
  nodeOptions as poolNodeOptions,
  type PoolClientOptions,
  type PoolNodeOptions,
  workerOptions,
} from './pool/options.ts';
export type { Move } from './pool/placement.ts';
export { DEFAULT_GROUP, type Route } from './pool/routes.ts';
export type { MisfirePolicy } from './pool/schedules/misfire.ts';
export { scheduleOptions, tickerOptions } from './pool/schedules/options.ts';
export type { Schedule, TickerInput } from './pool/schedules/record.ts';
export type { Tick, TickCallback, Ticker, TickerEvents } from './pool/schedules/ticker.ts';
export type { CronTiming, IntervalTiming, Timing } from './pool/schedules/ticks.ts';
export { Worker } from './pool/worker.ts';
export { type WorkerEvents, workerEventNames } from './pool/worker-events.ts';
export type { Access } from './redis/access.ts';
export type { TlsOptions } from './redis/client.ts';
export { linkOptions, RedisLink, type RedisLinkOptions } from './redis/link.ts';
export { DEFAULT_REDIS_URL, parseRedisUrl, redactUrl } from './redis/url.ts';
export type { SinkEvent } from './streams/delivery.ts';
export { compareEntryIds, entryTimeMs, FIRST_ID, parseEntryId } from './streams/entry-id.ts';
export type { Headers, StreamEvent } from './streams/event.ts';
export type { Gap } from './streams/gap.ts';
export type { PublishedOnce } from './streams/once.ts';
export { partitionCount, partitionedError, partitionName, refusePartition } from './streams/partitioned.ts';
export { redisTimeMs, type Start, startOfLast } from './streams/position.ts';
export { Reader, type ReaderOptions, readerOptions } from './streams/reader.ts';
export type { ReaderEvents } from './streams/reader-events.ts';
export { Replay, type ReplayOptions, type ReplayResult, type ReplayTo, replayOptions } from './streams/replay.ts';
export type { SinkHandler } from './streams/runner.ts';
export { Sink } from './streams/sink.ts';
export type { SinkCounters, SinkEvents, SinkStats } from './streams/sink-events.ts';
export { type LaneBy, type SinkOptions, sinkOptions } from './streams/sink-options.ts';
export {
  EventStream,
  type EventStreamEvents,
  type EventStreamOptions,
  eventStreamOptions,
  type NewEvent,
  type PublishOptions,
} from './streams/stream.ts';
export type { TopicPattern } from './streams/topic.ts';
