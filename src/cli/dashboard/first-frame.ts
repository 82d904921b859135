import {
  type FleetFocus,
  type FleetObserver,
  type FleetSnapshot,
  NotFoundError,
  RedisCommandError,
  RedisUnavailableError,
} from '../../engine/index.ts';

export interface FirstFrameOptions {
  view: string;
  pool?: string | undefined;
  /** Rows of things that will be shown. */
  rows: number;
}

/** Two readings make a rate: so long is waited for them once there is something to show. */
const RATES_MS = 2500;
const LIMIT_MS = 15_000;
const LOOK_EVERY_MS = 100;

/**
 * What an observer holds once everything that a view shows was read, with rates.
 * @throws NotFoundError for a pool that does not exist, RedisUnavailableError when nothing comes, RedisCommandError when Redis
 *   refuses a part of it, the reason of `signal`.
 */
export async function firstFrame(
  observer: FleetObserver,
  { view, pool, rows }: FirstFrameOptions,
  signal: AbortSignal,
): Promise<FleetSnapshot> {
  const start = performance.now();
  const see = async (parts: readonly string[], isRead: (fleet: FleetSnapshot) => boolean): Promise<FleetSnapshot> => {
    for (;;) {
      const snapshot = observer.getSnapshot();
      if (isRead(snapshot)) return snapshot;
      const problem = [...snapshot.problems].find(([part]) => parts.includes(part));
      if (problem) throw new RedisCommandError(`cannot read ${problem[0]}: ${problem[1]}`);
      if (performance.now() - start > LIMIT_MS) {
        throw new RedisUnavailableError(snapshot.connection.error ?? 'Redis does not answer');
      }
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS));
      signal.throwIfAborted();
    }
  };
  observer.attend();
  const { pools } = await see(
    ['pools', 'server', 'streams'],
    fleet => fleet.pools !== null && fleet.server !== null && fleet.streams !== null,
  );
  const names = (pools ?? []).map(({ name }) => name);
  if (pool !== undefined && !names.includes(pool)) {
    throw new NotFoundError('pool', pool, { hint: '"ponos pool list" shows those that exist.' });
  }
  const focus = focusOf(view, pool ?? names[0]);
  observer.setFocus(focus);
  if (focus.view === 'jobs') {
    const { jobs } = await see([`jobs:${focus.pool}`], fleet => fleet.jobs !== null);
    observer.setFocus({ ...focus, visible: (jobs?.keys ?? []).slice(0, rows).map(({ key }) => key) });
  }
  const parts = 'pool' in focus ? [`${focus.view}:${focus.pool}`, 'records'] : [focus.view];
  await see(parts, fleet => isRead(fleet, focus, rows));
  const read = performance.now();
  return see([], fleet => hasRates(fleet, focus) || performance.now() - read > RATES_MS);
}

function focusOf(view: string, pool: string | undefined): FleetFocus {
  if (view === 'streams' || view === 'maps') return { view };
  if (pool === undefined) return { view: 'overview' };
  if (view === 'jobs') return { view, pool, visible: [] };
  return view === 'nodes' || view === 'workers' || view === 'events' ? { view, pool } : { view: 'overview' };
}

function isRead(fleet: FleetSnapshot, focus: FleetFocus, rows: number): boolean {
  switch (focus.view) {
    case 'maps':
      return fleet.maps !== null;
    case 'nodes':
      return fleet.nodes.has(focus.pool);
    case 'workers':
      return fleet.workers.has(focus.pool);
    case 'jobs':
      return fleet.jobs?.keys.slice(0, rows).every(({ key }) => fleet.jobs?.records.has(key)) ?? false;
    case 'events':
      return fleet.events !== null;
    default:
      return true;
  }
}

function hasRates({ rates }: FleetSnapshot, focus: FleetFocus): boolean {
  const showsRates = focus.view === 'overview' || focus.view === 'streams';
  const kind = focus.view === 'streams' ? 'stream:' : '';
  return !showsRates || [...rates].every(([name, { perSecond }]) => perSecond !== null || !name.startsWith(kind));
}
