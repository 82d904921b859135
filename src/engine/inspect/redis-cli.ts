/** Command lines of `redis-cli` for a person to type. User and password are theirs to give (`--user`, `REDISCLI_AUTH`). */
import { nodeName } from '../redis/slot-map.ts';
import { parseRedisUrl, type RedisNode } from '../redis/url.ts';

/** How one begins that goes to the server of a link, or to that node of its cluster. */
export function redisCli(address: string, node?: RedisNode): string {
  const { kind, nodes, path, tls } = parseRedisUrl(address);
  const words = ['redis-cli'];
  if (kind === 'unix')
    words.push('-s', /^[\w./@%+:,-]+$/.test(path ?? '') ? `${path}` : `'${path?.replaceAll("'", "'\\''")}'`);
  else {
    // Where the master of a sentinel's address is only the sentinels know.
    const at = node ?? (kind === 'standalone' ? nodes[0] : undefined);
    words.push('-h', at?.host ?? 'HOST', '-p', String(at?.port ?? 'PORT'));
  }
  if (tls) words.push('--tls');
  return words.join(' ');
}

/** One that compares what the nodes of a cluster know of it; any of them will do. */
export function checkCluster(address: string, node: RedisNode | undefined): string {
  const tls = parseRedisUrl(address).tls ? ' --tls' : '';
  return `redis-cli --cluster check ${node ? nodeName(node) : 'HOST:PORT'}${tls}`;
}
