/** From settings to a link. Loaded only by commands that talk to Redis: it brings the client library. */
import type { ConnectionSettings } from '../config/connection.ts';
import { type Access, linkOptions, RedisLink } from '../engine/index.ts';

export interface ConnectOptions {
  access?: Access;
  /** Shown by CLIENT LIST, so that operators can tell who is connected. */
  clientName?: string;
  /** Longest wait for an answer of Redis, where `--timeout` is that of something else. */
  timeoutMs?: number;
}

/** @throws RedisUnavailableError, RedisDeniedError, OptionError, UnsafeServerError */
export function openLink(settings: ConnectionSettings, options: ConnectOptions = {}): Promise<RedisLink> {
  const timeoutMs = options.timeoutMs ?? settings.timeoutMs?.value;
  return RedisLink.connect({
    url: settings.url.value,
    username: settings.username?.value,
    password: settings.password?.value,
    tls: settings.tls,
    prefix: settings.prefix?.value,
    clientName: options.clientName,
    access: settings.readOnly?.value ? 'read-only' : options.access,
    ...(timeoutMs === undefined
      ? {}
      : { commandTimeoutMs: timeoutMs, connectTimeoutMs: Math.min(timeoutMs, linkOptions.connectTimeoutMs.default) }),
  });
}
