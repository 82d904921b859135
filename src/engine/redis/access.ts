/**
 * Commands a read-only link may send: an allow-list, below everything that decides what to do, so that a dashboard or a
 * `--read-only` command cannot write whatever its author got wrong. Scripts are not on it: they may write.
 */
const READ_COMMANDS = new Set([
  'ASKING', // by itself it changes nothing
  'CLIENT', // SETNAME and SETINFO of the handshake
  'CLUSTER',
  'EXISTS',
  'HEXISTS',
  'HGET',
  'HGETALL',
  'HLEN',
  'HMGET',
  'HSCAN',
  'HSTRLEN',
  'INFO',
  'LLEN',
  'MEMORY',
  'PING',
  'PUBSUB',
  'SCAN',
  'SCARD',
  'SISMEMBER',
  'SMISMEMBER',
  'SMEMBERS',
  'SSCAN',
  'SSUBSCRIBE',
  'STRLEN',
  'SUNSUBSCRIBE',
  'TIME',
  'TYPE',
  'XINFO',
  'XLEN',
  'XPENDING',
  'XRANGE',
  'XREAD',
  'XREVRANGE',
  'ZCARD',
  'ZCOUNT',
  'ZRANGE',
  'ZSCAN',
  'ZSCORE',
]);

export type Access = 'read-write' | 'read-only';

export function isReadCommand(command: string): boolean {
  return READ_COMMANDS.has(command.toUpperCase());
}
