/**
 * The one place where the text of Redis and of the client is matched. Errors of the client carry the command with its
 * arguments, passwords and payloads included, so they never leave this module: each becomes one of ours, with text only.
 */
import {
  OutOfMemoryError,
  PonosError,
  RedisCommandError,
  RedisDeniedError,
  RedisUnavailableError,
  UnsafeServerError,
  WrongTypeError,
} from '../core/errors.ts';
import type { RedisNode } from './url.ts';

const DENIED = /^(NOAUTH|WRONGPASS|NOPERM)\b|^ERR (AUTH|invalid password|Client sent AUTH)/i;
const UNAVAILABLE =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|NOTREADY|MISCONF|UNBLOCKED force)\b/;
/** Keys of a script went elsewhere, or the cluster down, under a command of it: what it did before that stands. */
const CUT_SHORT =
  /^ERR Script attempted to (access a non local key|execute a (write )?command while the cluster is down)/;
/** A node is not, or not yet, the one to ask. */
const ELSEWHERE = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/;
const REDIRECTION = /^(MOVED|ASK) \d+ (\S*):(\d+)$/;
/** Each node refused it and named another, or asked to try again: nobody carried it out. */
const REDIRECTED = /Too many Cluster redirections. Last error: \S*\s*(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/;
const TLS_CODE = /^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;
const LOST =
  /Connection is closed|Stream isn't writeable|max retries per request|Command timed out|Blocking command timed out|Command aborted|Socket timeout|Too many Cluster redirections|Failed to refresh slots|None of startup nodes|All sentinels are unreachable|Cluster isn't ready/i;

/** The parser of the client: these bytes are of another protocol. */
const FOREIGN = /^Unknown RESP type/;
const NO_CLUSTER = /cluster support disabled/;
/** No sentinel named a master; the last of them that failed did it so. */
const NO_MASTER = /^All sentinels are unreachable.*?(?: Last error: (.*))?$/s;

/** Options of the client, which mean nothing to who reads the error. */
const GIVEN_UP = /max retries per request/i;

export interface ErrorContext {
  /** Where the link goes, redacted. */
  address: string;
  /** Name of the command, without arguments. */
  command?: string | undefined;
  /** The key it was about, when it was about one. */
  key?: string | undefined;
  /** True when the command was written to a socket before it failed. */
  sent?: boolean;
}

/** First word of an error reply of Redis (`NOGROUP`, `BUSYGROUP`), or undefined. */
export function redisErrorWord(error: unknown): string | undefined {
  return error instanceof RedisCommandError ? /^([A-Z]{2,})\b/.exec(error.message)?.[1] : undefined;
}

/** Where a node of a cluster, `from`, sends us: for good (the slot is there), or for this command only (its keys are). */
export function redirectedTo(
  error: unknown,
  from: RedisNode | undefined,
): { node: RedisNode; lasting: boolean } | undefined {
  const [, word, host, port] = (error instanceof RedisCommandError && REDIRECTION.exec(error.message)) || [];
  if (word === undefined) return undefined;
  // Without a host: the same machine.
  return { node: { host: host || from?.host || 'localhost', port: Number(port) }, lasting: word === 'MOVED' };
}

/** Whether a node of a cluster refused because another is the one to ask, or will be: nothing was carried out. */
export function isRedirection(error: unknown): boolean {
  return error instanceof Error && ELSEWHERE.test(error.message);
}

/** Whether the connection, or the way to one, is gone. */
export function isLost(error: unknown): boolean {
  const { message, code } = flatten(error);
  return !isTimeout(error) && (LOST.test(message) || code !== undefined);
}

/** Whether the client gave up waiting for a reply. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out';
}

/** Whether the database of the address was refused: the client takes no notice, and would work in another one. */
export function isDatabaseRefusal(error: unknown): boolean {
  return refusedDatabase(error) !== undefined;
}

/** Whether what answers speaks another protocol. */
export function isForeign(error: unknown): boolean {
  return error instanceof Error && FOREIGN.test(error.message);
}

/** Whether a server that only follows another refused a write. */
export function isReadOnlyReplica(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('READONLY');
}

/** Turns anything the client threw into one of our errors. */
export function translateError(error: unknown, context: ErrorContext): PonosError {
  if (error instanceof PonosError) return error;
  const failure = flatten(error);
  const noMaster = NO_MASTER.exec(failure.message);
  if (noMaster) return withoutMaster(noMaster[1], context);
  const { code } = failure;
  const message = GIVEN_UP.test(failure.message) ? 'the connection was lost' : failure.message;
  const at = context.address;
  if (DENIED.test(message)) {
    return new RedisDeniedError(`Redis at ${at} refused: ${message}`, {
      hint: message.startsWith('NOPERM')
        ? 'The ACL user lacks a permission this command needs.'
        : 'Check the user and password of the Redis address.',
    });
  }
  if (code && TLS_CODE.test(code)) {
    return new RedisDeniedError(`TLS with Redis at ${at} failed: ${message || code}`, {
      hint: 'Check the certificate authority, the host name and the client certificate.',
    });
  }
  if (FOREIGN.test(message)) {
    return new RedisUnavailableError(`what answers at ${at} is no Redis`, {
      uncertain: context.sent ?? false,
      hint: 'Are host and port right?',
    });
  }
  if (NO_CLUSTER.test(message)) {
    return new UnsafeServerError('NO_CLUSTER', `Redis at ${at} is no cluster`, {
      hint: 'For one server use redis://host:port, with sentinels redis+sentinel://host:port/master.',
    });
  }
  if (message.startsWith('OOM')) {
    return new OutOfMemoryError(`Redis at ${at} is out of memory and refuses writes that grow it`, {
      hint: 'Raise maxmemory or remove data; what ends or moves work goes on meanwhile.',
    });
  }
  if (message.startsWith('WRONGTYPE')) {
    // Redis itself does not say which key; our scripts do.
    const named = /^WRONGTYPE (key ".*)/s.exec(message)?.[1];
    const key = context.key === undefined ? 'a key' : `key "${context.key}"`;
    return new WrongTypeError(
      named ?? `${key} holds a value of another type, as ${context.command ?? 'a command'} found`,
      {
        hint: 'Another program writes under this key prefix, or the prefix is wrong.',
      },
    );
  }
  const database = refusedDatabase(error);
  if (database !== undefined && !UNAVAILABLE.test(message)) {
    return new UnsafeServerError('NO_SUCH_DATABASE', `Redis at ${at} has no database ${database}: ${message}`, {
      hint: 'The number is at the end of the address; its setting "databases" says how many there are, in a cluster it is one.',
    });
  }
  if (UNAVAILABLE.test(message) || CUT_SHORT.test(message) || LOST.test(failure.message) || code) {
    const uncertain = (context.sent ?? false) && !UNAVAILABLE.test(message) && !REDIRECTED.test(message);
    return new RedisUnavailableError(`Redis at ${at} does not answer: ${message || code}`, {
      uncertain,
      hint: 'Is it running and reachable?',
    });
  }
  return new RedisCommandError(message);
}

function refusedDatabase(error: unknown): string | undefined {
  const { command } = error as { command?: { name?: unknown; args?: unknown[] } };
  return command?.name === 'select' ? String(command.args?.[0]) : undefined;
}

function withoutMaster(lastError: string | undefined, { address }: ErrorContext): PonosError {
  if (lastError && DENIED.test(lastError)) {
    return new RedisDeniedError(`the sentinels of ${address} refused: ${lastError}`, {
      hint: 'Those of the sentinels are ?sentinelUsername= and ?sentinelPassword= of the address.',
    });
  }
  // The client keeps to itself why it could not connect to a sentinel.
  const silent = lastError !== undefined && LOST.test(lastError);
  const reason = silent ? 'none answers' : (lastError ?? 'they know no master of that name');
  return new RedisUnavailableError(`no sentinel of ${address} names a master: ${reason}`, {
    hint: /unknown command/i.test(reason)
      ? 'What answers is no sentinel: for a Redis itself use redis://host:port.'
      : 'Are they running and reachable, and is the name of the master right?',
  });
}

function flatten(error: unknown): { message: string; code: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: undefined };
  const nested = error as { lastNodeError?: Error; previousErrors?: Error[]; errors?: Error[] };
  const inner = nested.lastNodeError ?? nested.errors?.[0];
  if (inner && inner !== error) {
    const deep = flatten(inner);
    if (deep.message || deep.code) return deep;
  }
  const code = (error as NodeJS.ErrnoException).code;
  return { message: error.message, code: typeof code === 'string' ? code : undefined };
}
