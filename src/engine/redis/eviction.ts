import { UnsafeServerError } from '../core/errors.ts';
import type { Connection } from './connection.ts';

/**
 * Redis with an eviction policy drops keys when its memory is full: a job, a lease, an entry, without a trace.
 * @throws UnsafeServerError with code UNSAFE_EVICTION_POLICY when the policy is known and not `noeviction`.
 */
export async function requireNoEviction(connection: Connection, address: string): Promise<void> {
  const info = String(await connection.call('INFO', 'memory'));
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined || policy === 'noeviction') return;
  throw new UnsafeServerError(
    'UNSAFE_EVICTION_POLICY',
    `Redis at ${address} may evict keys: maxmemory-policy ${policy}`,
    {
      hint: 'Set maxmemory-policy to noeviction, or allow it (allowUnsafeEviction) and accept lost jobs.',
    },
  );
}
