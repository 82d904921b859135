/**
 * Makes clients. One connection per role, because a blocking read stalls whatever shares its socket and a renewal must
 * never queue behind user traffic. The settings that differ from the client's defaults, and why:
 *
 * - nothing is sent again by itself (`autoResendUnfulfilledCommands`): a resent write may be carried out twice;
 * - every wait is bounded (`maxRetriesPerRequest` 0, `commandTimeout`): an outage is an error at once, not a hang;
 * - the client's resubscribe is off: the subscriptions do it, because whoever listens must resynchronise after it;
 * - in a cluster too, and a command that was refused by one node is sent to another for as long as it may take: while
 *   a slot moves, that is until it has moved;
 * - with sentinels, their word that there is another master ends a connection at once: the old one may live on, and
 *   what it takes from then on is lost;
 * - RESP2: RESP3 measures the same and makes setting up a connection slower.
 */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { backoffMs } from '../core/backoff.ts';
import { EngineCommand } from './command.ts';
import { corkRestOfTick } from './cork.ts';
import type { RedisTarget } from './url.ts';

export type Role = 'commands' | 'lease' | 'subscriber' | 'blocking' | 'durable';
export type Client = Redis | Cluster;

export interface TlsOptions {
  /** PEM texts. */
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  /** Name the certificate must carry; default the host. */
  serverName?: string | undefined;
  /** Accept any certificate. The traffic can then be read and changed by whoever stands in between. */
  insecure?: boolean | undefined;
}

export interface ClientSettings {
  target: RedisTarget;
  tls: TlsOptions | undefined;
  clientName: string;
  commandTimeoutMs: number;
  connectTimeoutMs: number;
  /** Attempts to connect before giving up the first time; after that a lost connection is retried for ever. */
  connectAttempts: number;
}

type RetryStrategy = (attempt: number) => number | null;

/** Half a second at most: who comes back late after a failover may find its jobs given to others. */
const RECONNECT = { baseMs: 50, maxMs: 500 };
/** How many are listened to for word of another master. */
const MAX_SENTINELS = 3;
const TRY_AGAIN_MS = 50;

export function createClient(settings: ClientSettings, role: Role): Client {
  let everReady = false;
  const retryStrategy: RetryStrategy = attempt =>
    !everReady && attempt >= settings.connectAttempts ? null : backoffMs(attempt, RECONNECT);
  const client =
    settings.target.kind === 'cluster'
      ? createCluster(settings, role, retryStrategy)
      : new Redis({ ...connectionOptions(settings, role), ...addressOptions(settings, retryStrategy), retryStrategy });
  client.on('ready', () => {
    everReady = true;
  });
  if (client instanceof Redis) corkOnConnect(client);
  else {
    client.on('+node', (node: Redis) => {
      corkOnConnect(node);
      noteHandOvers(node);
    });
  }
  return client;
}

function corkOnConnect(node: Redis): void {
  node.on('connect', () => {
    corkRestOfTick((node as unknown as { stream: Parameters<typeof corkRestOfTick>[0] }).stream);
  });
}

/** The client of a cluster does not say which node has a command, nor that one refused it: so the command is told. */
function noteHandOvers(node: Redis): void {
  const send = node.sendCommand.bind(node);
  node.sendCommand = (command, stream) => {
    if (!(command instanceof EngineCommand)) return send(command, stream);
    // Its caller was told that it failed, while it waited for the node or was on its way from another.
    if (command.isSettled) return command.promise;
    command.handedTo(node);
    return send(command, stream);
  };
}

function connectionOptions(settings: ClientSettings, role: Role): RedisOptions & { replyMapping?: 'legacy' } {
  const { target, tls } = settings;
  return {
    lazyConnect: true,
    protocol: 2,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: role === 'commands' || role === 'subscriber',
    ...(role === 'blocking' ? {} : { commandTimeout: settings.commandTimeoutMs }),
    connectTimeout: settings.connectTimeoutMs,
    keepAlive: 5000,
    noDelay: true,
    // Also armed for a socket that is gone already, so a long one would keep a process that has failed from ending.
    disconnectTimeout: 100,
    disableClientInfo: true,
    connectionName: `${settings.clientName}:${role}`,
    username: target.username,
    password: target.password,
    db: target.db,
    ...(target.tls ? { tls: tlsOptions(target, tls ?? {}) } : {}),
  };
}

function tlsOptions(target: RedisTarget, tls: TlsOptions) {
  const serverName = tls.serverName ?? (target.kind === 'standalone' ? target.nodes[0]?.host : undefined);
  return {
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: !tls.insecure,
    ...(serverName && !/^[\d.]+$|:/.test(serverName) ? { servername: serverName } : {}),
    ...(tls.ca ? { ca: tls.ca } : {}),
    ...(tls.cert ? { cert: tls.cert } : {}),
    ...(tls.key ? { key: tls.key } : {}),
  };
}

function addressOptions(
  settings: ClientSettings,
  retryStrategy: RetryStrategy,
): RedisOptions & { replyMapping?: 'legacy' } {
  const { target, connectTimeoutMs } = settings;
  if (target.kind === 'unix') return { path: target.path };
  if (target.kind === 'sentinel') {
    return {
      sentinels: target.nodes,
      name: target.masterName,
      sentinelUsername: target.sentinelUsername,
      sentinelPassword: target.sentinelPassword,
      sentinelCommandTimeout: connectTimeoutMs,
      // Left out, they are all asked over and over for ever, the first time too.
      sentinelRetryStrategy: retryStrategy,
      failoverDetector: true,
      sentinelMaxConnections: MAX_SENTINELS,
      // Left out, the client speaks plain text with both, whatever it is told of TLS.
      ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(target, settings.tls ?? {}) } : {}),
    };
  }
  return target.nodes[0] ?? {};
}

function createCluster(settings: ClientSettings, role: Role, retryStrategy: RetryStrategy): Cluster {
  const options: ClusterOptions = {
    lazyConnect: true,
    redisOptions: connectionOptions(settings, role),
    clusterRetryStrategy: retryStrategy,
    enableOfflineQueue: role === 'commands' || role === 'subscriber',
    // For as long as a command may take: each attempt is up to three, by way of a node that does not have the slot.
    maxRedirections: Math.ceil((3 * settings.commandTimeoutMs) / TRY_AGAIN_MS),
    retryDelayOnTryAgain: TRY_AGAIN_MS,
    retryDelayOnClusterDown: TRY_AGAIN_MS,
    // What was sent to a node that is gone is not sent again by itself: see above.
    retryDelayOnFailover: 0,
  };
  return new Cluster(settings.target.nodes, options);
}
