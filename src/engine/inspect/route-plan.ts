import type { RedisLink } from '../redis/link.ts';
import { eachJob } from './jobs.ts';
import { readRoutes } from './place.ts';
import type { JobState } from './snapshots.ts';

/** A job whose group by the routes of now is another than the one recorded. */
export interface Regrouping {
  key: string;
  state: JobState;
  worker: string | null;
  from: string;
  to: string;
}

/** Jobs that would change their group if the routes were applied. @throws NotFoundError */
export async function planRoutes(link: RedisLink, pool: string): Promise<Regrouping[]> {
  const routes = await readRoutes(link, pool);
  const plan: Regrouping[] = [];
  for await (const { key, state, worker, group: from } of eachJob(link, pool, {})) {
    const to = routes.groupOf(key);
    // One that is to stop ends where it is.
    if (to !== from && state !== 'STOPPING') plan.push({ key, state, worker, from, to });
  }
  return plan;
}
