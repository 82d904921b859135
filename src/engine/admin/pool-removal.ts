import { NotFoundError } from '../core/errors.ts';
import { showPool } from '../inspect/pools.ts';
import { listSchedules } from '../inspect/schedules.ts';
import { isBeingRemoved, poolInUse } from '../pool/removal.ts';
import type { RedisLink } from '../redis/link.ts';
import { listRoutes } from './pools.ts';

export { type RemovePoolOptions, removePool } from '../pool/removal.ts';

/** What goes with a pool. */
export interface PoolRemovalPlan {
  deadCount: number;
  /** Tickers included. */
  scheduleCount: number;
  routeCount: number;
  /** An earlier removal was interrupted: what is left of it is not counted here. */
  interrupted: boolean;
}

/**
 * What `removePool` would remove; as far as it can be told from outside, which moves no clock.
 * @throws as `removePool`
 */
export async function planPoolRemoval(link: RedisLink, pool: string): Promise<PoolRemovalPlan> {
  try {
    const { workerCount, jobCount, deadCount } = await showPool(link, pool);
    if (workerCount > 0 || jobCount > 0) throw poolInUse(pool, workerCount, jobCount);
    const [schedules, routes] = await Promise.all([listSchedules(link, pool), listRoutes(link, pool)]);
    return { deadCount, scheduleCount: schedules.length, routeCount: routes.length, interrupted: false };
  } catch (error) {
    if (!(error instanceof NotFoundError) || !(await isBeingRemoved(link, pool))) throw error;
    return { deadCount: 0, scheduleCount: 0, routeCount: 0, interrupted: true };
  }
}
