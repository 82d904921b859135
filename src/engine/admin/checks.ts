/**
 * Whether something could be done, as far as reading tells: for dry runs. Each throws what doing it would; what only shows
 * when it is done, such as a full pool, is not seen.
 */
import { ExistsError, NotFoundError } from '../core/errors.ts';
import { readJobs, readRecords } from '../inspect/jobs.ts';
import { requirePool } from '../inspect/pool-reading.ts';
import { poolClosed } from '../pool/admission.ts';
import { jobKeyForm } from '../pool/job-key.ts';
import type { RedisLink } from '../redis/link.ts';

/**
 * Whether a job may be dispatched. `again` when it may have been, under the same id: then one that is there may be it.
 * @throws NotFoundError when there is no such pool; ConflictError POOL_CLOSED; ExistsError.
 */
export async function checkDispatch(
  link: RedisLink,
  pool: string,
  key: string,
  { again = false }: { again?: boolean } = {},
): Promise<void> {
  jobKeyForm(key);
  const { closedAtMs } = await requirePool(link, pool);
  if (again) return;
  if (closedAtMs !== null) throw poolClosed(pool);
  if ((await readJobs(link, pool, [key])).length > 0) throw new ExistsError('job', key);
}

/** Whether there is a job to stop or to notify. @throws NotFoundError */
export async function checkJob(link: RedisLink, pool: string, key: string): Promise<void> {
  jobKeyForm(key);
  if ((await readJobs(link, pool, [key])).length === 0) throw new NotFoundError('job', key);
}

/** Whether there is a dead job to purge. @throws NotFoundError */
export async function checkPurge(link: RedisLink, pool: string, key: string): Promise<void> {
  jobKeyForm(key);
  const { clocksUs } = await requirePool(link, pool);
  const found = await readRecords(link, pool, [key], clocksUs, 'dead');
  if (found.length === 0) throw new NotFoundError('dead job', key);
}

/** Whether there is a dead job that could wait again. @throws NotFoundError; as `checkDispatch` */
export async function checkRetry(link: RedisLink, pool: string, key: string): Promise<void> {
  await checkPurge(link, pool, key);
  await checkDispatch(link, pool, key);
}
