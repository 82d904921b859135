/**
 * The engine's only door: what is not exported here is not API.
 *
 * Everything is made on a link: `const link = await RedisLink.connect({ url })`, then maps, streams and pools by name.
 */

export { destroyMap, resetMap } from './admin/maps.ts';
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
  OptionError,
  OutOfMemoryError,
  PonosError,
  ReadOnlyError,
  RedisCommandError,
  RedisDeniedError,
  RedisUnavailableError,
  TimeoutError,
  TooLargeError,
  UncertainPublishError,
  UnsafeServerError,
  WrongTypeError,
} from './core/errors.ts';
export { globMatcher } from './core/glob.ts';
export { newId } from './core/ids.ts';
export type { Option, OptionInput, OptionTable } from './core/options.ts';
export { decodeText, encodeText } from './core/text.ts';
export type * from './inspect/fleet.ts';
export { listMapEntries, listMaps, showMap } from './inspect/maps.ts';
export { FleetObserver, type FleetObserverOptions, fleetObserverOptions } from './inspect/observer.ts';
export { inspectServer } from './inspect/server.ts';
export type * from './inspect/snapshots.ts';
export type { MapChange, MapChangeKind, ResetCause } from './maps/changes.ts';
export { MapClient, type MapClientOptions } from './maps/map-client.ts';
export type {
  ConditionalReset,
  ConditionalWrite,
  EntryWrite,
  Expected,
  IncrementWrite,
  ListWrite,
  ManyWrite,
  MapWrite,
} from './maps/map-writer.ts';
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
export type { Access } from './redis/access.ts';
export type { TlsOptions } from './redis/client.ts';
export { linkOptions, RedisLink, type RedisLinkOptions } from './redis/link.ts';
export { DEFAULT_REDIS_URL, parseRedisUrl, redactUrl } from './redis/url.ts';
