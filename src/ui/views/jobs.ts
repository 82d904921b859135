import type { Offer } from '../act.ts';
import { cliCommand } from '../cli-command.ts';
import type { FleetSnapshot, JobKey, JobSnapshot, WorkerSnapshot } from '../model.ts';
import { tableView } from '../table/table.ts';
import { formatBytes, formatDuration } from '../text/format.ts';
import type { Scene } from '../view.ts';
import { emptyWhenRead } from './nodes.ts';
import { showState, stateRole } from './states.ts';

/** Only rows on screen have a record; a job without one shows what its key alone tells. */
export const jobsView = tableView<JobKey>({
  id: 'jobs',
  noun: 'job',
  crumb: at => `jobs(${at.worker ?? (at.pool || 'no pool')})`,
  rows: (snapshot, at) => {
    if (!at.pool) return emptyWhenRead(snapshot.pools);
    if (snapshot.jobs?.pool !== at.pool) return null;
    const { keys } = snapshot.jobs;
    return at.worker === undefined ? keys : keys.filter(job => job.worker === at.worker);
  },
  identity: job => job.key,
  empty: 'no job; dispatch one with: ponos job dispatch KEY',
  sort: { column: 'KEY', descending: false },
  columns: [
    {
      title: 'KEY',
      min: 22,
      ideal: 28,
      grow: 2,
      priority: 99,
      cut: 'middle',
      text: job => job.key,
      order: job => job.key,
    },
    {
      title: 'STATE',
      min: 10,
      ideal: 10,
      priority: 95,
      text: (job, scene) => {
        const state = jobState(job, scene.snapshot);
        return state === null ? scene.glyphs.ellipsis : showState(state, scene);
      },
      role: (job, scene) => {
        const state = jobState(job, scene.snapshot);
        return state === null ? 'muted' : ORPHANED.has(state) ? 'bad' : stateRole(state);
      },
    },
    {
      title: 'WORKER',
      min: 16,
      ideal: 18,
      grow: 1,
      priority: 80,
      cut: 'middle',
      text: (job, { glyphs }) => job.worker ?? glyphs.none,
      order: job => job.worker ?? '',
    },
    { ...column('TOKEN', 8, 16, 40, job => String(job.token)), cut: 'start' },
    column('AGE', 6, 6, 85, (job, { nowMs }) => formatDuration(nowMs - job.dispatchedAtMs)),
    column('TRY', 5, 5, 70, job => (job.maxAttempts > 0 ? `${job.attempt}/${job.maxAttempts}` : String(job.attempt))),
    column('DUE', 6, 6, 45, (job, { glyphs }) => (job.delayLeftMs > 0 ? formatDuration(job.delayLeftMs) : glyphs.none)),
    column('SIZE', 6, 6, 50, job => formatBytes(job.payloadBytes)),
    {
      title: 'GROUP',
      min: 7,
      ideal: 10,
      priority: 30,
      text: (job, { snapshot }) => recordOf(job, snapshot)?.group ?? '',
    },
    {
      title: 'ERROR',
      min: 12,
      ideal: 24,
      grow: 1,
      priority: 20,
      text: (job, { snapshot }) => recordOf(job, snapshot)?.error ?? '',
      role: () => 'bad',
    },
  ],
  isProblem: (job, { snapshot }) => {
    const state = jobState(job, snapshot);
    return state !== null && state !== 'RUNNING';
  },
  item: (job, { snapshot }, at) => {
    const pool = at.pool ?? '';
    const state = jobState(job, snapshot);
    return {
      noun: 'job',
      name: job.key,
      open: { view: 'job', pool, key: job.key },
      command: cliCommand('job', 'show', [job.key], { pool }),
      ...(state !== null && ORPHANED.has(state)
        ? { note: `its worker ${job.worker} is ${state === 'ORPHAN' ? 'gone' : 'stale'}` }
        : {}),
      offers: jobOffers(pool, job.key),
    };
  },
  command: at => cliCommand('job', 'list', [], { pool: at.pool ?? '', ...(at.worker ? { worker: at.worker } : {}) }),
  focus: ({ at }, visible) => (at.pool ? { view: 'jobs', pool: at.pool, visible } : { view: 'overview' }),
});

export function jobOffers(pool: string, key: string): Offer[] {
  return [
    { key: 'D', begin: { act: { kind: 'stop-job', pool, key } } },
    {
      key: 'N',
      begin: {
        prompt: 'payload of the notification',
        initial: '',
        make: (payload: string) => ({ kind: 'notify-job', pool, key, payload }),
      },
    },
  ];
}

const ORPHANED = new Set(['ORPHAN', 'STALE']);

/** ORPHAN: recorded to a worker that is gone; STALE: to one whose lease is over. null: not read yet. */
function jobState(job: JobKey, snapshot: FleetSnapshot): string | null {
  const record = recordOf(job, snapshot);
  if (job.worker !== null) {
    const workers = workersById(snapshot.workers.get(snapshot.jobs?.pool ?? ''));
    const owner = workers?.get(job.worker);
    if (workers && !owner) return 'ORPHAN';
    if (owner?.state === 'STALE') return 'STALE';
  }
  if (record) return record.state;
  return job.worker === null ? 'PENDING' : null;
}

function recordOf(job: JobKey, snapshot: FleetSnapshot): JobSnapshot | undefined {
  return snapshot.jobs?.records.get(job.key);
}

function column(
  title: string,
  min: number,
  ideal: number,
  priority: number,
  text: (job: JobSnapshot, scene: Scene) => string,
) {
  return {
    title,
    min,
    ideal,
    priority,
    align: 'right' as const,
    text: (job: JobKey, scene: Scene) => {
      const record = recordOf(job, scene.snapshot);
      return record ? text(record, scene) : '';
    },
  };
}

const byId = new WeakMap<readonly WorkerSnapshot[], ReadonlyMap<string, WorkerSnapshot>>();

function workersById(workers: readonly WorkerSnapshot[] | undefined): ReadonlyMap<string, WorkerSnapshot> | undefined {
  if (!workers) return undefined;
  let map = byId.get(workers);
  if (!map) {
    map = new Map(workers.map(worker => [worker.id, worker]));
    byId.set(workers, map);
  }
  return map;
}
