/**
 * The engine's only door: what is not exported here is not API.
 *
 * Everything is made on a link: `const link = await RedisLink.connect({ url })`, then maps, streams and pools by name.
 */

export { type BackoffOptions, backoffMs } from './core/backoff.ts';
export type { Bytes } from './core/bytes.ts';
export { type Clock, sleep, systemClock, type Timer } from './core/clock.ts';
export type { Emitter } from './core/emitter.ts';
export {
  ArgumentError,
  ClosedError,
  ConflictError,
  describeError,
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
export { newId } from './core/ids.ts';
export type { Option, OptionInput, OptionTable } from './core/options.ts';
export { decodeText, encodeText } from './core/text.ts';
export { inspectServer } from './inspect/server.ts';
export type * from './inspect/snapshots.ts';
export type { Access } from './redis/access.ts';
export type { TlsOptions } from './redis/client.ts';
export { linkOptions, RedisLink, type RedisLinkOptions } from './redis/link.ts';
export { DEFAULT_REDIS_URL, parseRedisUrl, redactUrl } from './redis/url.ts';
