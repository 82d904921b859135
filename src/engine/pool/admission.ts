import { ConflictError, ExistsError, FullError, QuarantineError } from '../core/errors.ts';
import type { DispatchReply } from './scripts.gen.ts';

type Refusal = Extract<DispatchReply, { status: 'EXISTS' | 'FULL' | 'CLOSED' | 'CONFLICT' | 'QUARANTINE' }>;

/**
 * The reply of a script that admits a job, when it did.
 * @throws ExistsError; FullError POOL_FULL; ConflictError POOL_CLOSED, or CONFLICT when the id was used for something else;
 * QuarantineError
 */
export function requireAdmitted<Reply extends { status: string }>(
  pool: string,
  key: string,
  id: string,
  reply: Reply | Refusal,
): Exclude<Reply, Refusal> {
  const refusal = reply as Refusal;
  switch (refusal.status) {
    case 'EXISTS':
      throw new ExistsError('job', key);
    case 'FULL':
      throw new FullError('POOL_FULL', `pool "${pool}" holds ${refusal.limit} jobs, its limit`, {
        hint: 'Wait for jobs to end, or raise the limit of the pool, which is one for each of its shards.',
      });
    case 'CLOSED':
      throw poolClosed(pool);
    case 'CONFLICT':
      throw new ConflictError(`dispatch id "${id}" was used for another key or payload`);
    case 'QUARANTINE':
      throw new QuarantineError(pool, refusal.left_ms);
  }
  return reply as Exclude<Reply, Refusal>;
}

export function poolClosed(pool: string): ConflictError {
  return new ConflictError(`pool "${pool}" is closed: it takes no jobs`, {
    code: 'POOL_CLOSED',
    hint: `"ponos pool open ${pool}" lets it take jobs again.`,
  });
}
