/**
 * Addresses of Redis: `redis://`, `rediss://` (TLS), `unix:///path`, `redis+sentinel://a,b/master`, `redis+cluster://a,b`,
 * and `rediss+sentinel://`, `rediss+cluster://`. User and password stand before `@`, percent-encoded.
 */
import { OptionError } from '../core/errors.ts';

export interface RedisNode {
  host: string;
  port: number;
}

export interface RedisTarget {
  kind: 'standalone' | 'unix' | 'sentinel' | 'cluster';
  nodes: RedisNode[];
  path: string | undefined;
  /** Name of the master the sentinels watch. */
  masterName: string | undefined;
  db: number;
  tls: boolean;
  username: string | undefined;
  password: string | undefined;
  /** Credentials for the sentinels themselves, when they differ. */
  sentinelUsername: string | undefined;
  sentinelPassword: string | undefined;
}

export const DEFAULT_REDIS_URL = 'redis://127.0.0.1:6379';

const SHAPE = /^(redis|rediss|unix|rediss?\+(?:sentinel|cluster)):\/\/(?:([^@/]*)@)?([^/?]*)(\/[^?]*)?(?:\?(.*))?$/;
const HINT =
  'Use redis://host:port/db, rediss://host:port (TLS), unix:///path/to.sock, redis+sentinel://host:26379,host:26379/master or redis+cluster://host:port,host:port.';

/**
 * @throws OptionError when `url` has none of the accepted forms. The message never holds the user or the password.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = SHAPE.exec(url.trim());
  if (!match) throw new OptionError(`"${redactUrl(url)}" is not an address of a Redis`, { hint: HINT });
  const [, scheme = '', userInfo, hosts = '', path = '', query = ''] = match;
  const [, variant] = scheme.split('+');
  const kind = scheme === 'unix' ? 'unix' : variant === undefined ? 'standalone' : (variant as 'sentinel' | 'cluster');
  const parameters = new URLSearchParams(query);
  const target: RedisTarget = {
    kind,
    nodes: kind === 'unix' ? [] : parseNodes(url, hosts, kind === 'sentinel' ? 26379 : 6379),
    path: kind === 'unix' ? decodeURIComponent(path) : undefined,
    masterName: undefined,
    db: 0,
    tls: scheme.startsWith('rediss'),
    ...parseUserInfo(userInfo),
    sentinelUsername: parameters.get('sentinelUsername') ?? undefined,
    sentinelPassword: parameters.get('sentinelPassword') ?? undefined,
  };
  let db = parameters.get('db') ?? '';
  if (kind === 'unix') {
    if (!target.path || target.path === '/')
      throw new OptionError('a unix:// address needs the path of a socket', { hint: HINT });
  } else if (kind === 'sentinel') {
    const [masterName = '', pathDb = ''] = path.slice(1).split('/');
    if (!masterName) throw new OptionError('a sentinel address needs the name of the master', { hint: HINT });
    target.masterName = decodeURIComponent(masterName);
    db ||= pathDb;
  } else db ||= path.slice(1);
  if (db && !/^\d{1,5}$/.test(db))
    throw new OptionError(`"${db}" is not the number of a Redis database`, { hint: HINT });
  if (db && Number(db) > 0 && kind === 'cluster') throw new OptionError('Redis Cluster has database 0 only');
  target.db = Number(db || 0);
  return target;
}

function parseUserInfo(userInfo: string | undefined): { username: string | undefined; password: string | undefined } {
  if (!userInfo) return { username: undefined, password: undefined };
  const colon = userInfo.indexOf(':');
  const decode = (text: string) => {
    try {
      return decodeURIComponent(text) || undefined;
    } catch {
      throw new OptionError('user or password in the Redis address is not percent-encoded correctly');
    }
  };
  if (colon < 0) return { username: decode(userInfo), password: undefined };
  return { username: decode(userInfo.slice(0, colon)), password: decode(userInfo.slice(colon + 1)) };
}

function parseNodes(url: string, hosts: string, defaultPort: number): RedisNode[] {
  return hosts.split(',').map(node => {
    const match = /^(\[[^\]]+\]|[^:]*)(?::(\d{1,5}))?$/.exec(node);
    const host = match?.[1]?.replace(/^\[|\]$/g, '') || (hosts.includes(',') ? '' : '127.0.0.1');
    const port = Number(match?.[2] ?? defaultPort);
    if (!match || !host || port < 1 || port > 65535) {
      throw new OptionError(`"${redactUrl(url)}": "${node}" is not a host and port`, { hint: HINT });
    }
    return { host, port };
  });
}

/** The address without user and password, for people. Works on text that is no valid address too. */
export function redactUrl(url: string): string {
  return url.replace(/\/\/.*@/, '//***@').replace(/(password|sentinelPassword)=[^&]*/gi, '$1=***');
}
