import { RedisUnavailableError, UnsafeServerError } from '../core/errors.ts';
import type { Connection } from './connection.ts';
import { nodeName } from './slot-map.ts';
import type { RedisNode } from './url.ts';

/**
 * Redis with an eviction policy drops keys when its memory is full: a job, a lease, an entry, without a trace. Every master
 * of a cluster is asked, because a slot may be with any of them and go to another; one that does not answer says nothing.
 * @throws UnsafeServerError with code UNSAFE_EVICTION_POLICY when a policy is known and not `noeviction`;
 * RedisUnavailableError when none answers.
 */
export async function requireNoEviction(connection: Connection, address: string): Promise<void> {
  const answers = await Promise.allSettled(connection.masters().map(node => evictionOf(connection, node)));
  const policies = answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []));
  const failure = answers.find(answer => answer.status === 'rejected')?.reason;
  if (failure && !(failure instanceof RedisUnavailableError)) throw failure;
  const unsafe = policies.find(({ policy }) => policy !== undefined && policy !== 'noeviction');
  if (unsafe) {
    const at = unsafe.node ? `${nodeName(unsafe.node)}, a master of ${address},` : address;
    throw new UnsafeServerError(
      'UNSAFE_EVICTION_POLICY',
      `Redis at ${at} may evict keys: maxmemory-policy ${unsafe.policy}`,
      {
        hint: 'Set maxmemory-policy to noeviction, or allow it (allowUnsafeEviction) and accept lost jobs.',
      },
    );
  }
  if (policies.length === 0) throw failure ?? new RedisUnavailableError(`no server of ${address} is known`);
}

async function evictionOf(
  connection: Connection,
  node: RedisNode | undefined,
): Promise<{ node: RedisNode | undefined; policy: string | undefined }> {
  const info = String(await connection.callAt(node, 'INFO', 'memory'));
  return { node, policy: /^maxmemory_policy:(\S+)/m.exec(info)?.[1] };
}
