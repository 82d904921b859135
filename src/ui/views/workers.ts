import { cliCommand } from '../cli-command.ts';
import type { WorkerSnapshot } from '../model.ts';
import { tableView } from '../table/table.ts';
import { formatCount, formatDuration } from '../text/format.ts';
import { emptyWhenRead } from './nodes.ts';
import { showState, stateRole } from './states.ts';

export const workersView = tableView<WorkerSnapshot>({
  id: 'workers',
  noun: 'worker',
  crumb: at => `workers(${at.node ?? (at.pool || 'no pool')})`,
  rows: (snapshot, at) => {
    if (!at.pool) return emptyWhenRead(snapshot.pools);
    const workers = snapshot.workers.get(at.pool) ?? null;
    return at.node === undefined ? workers : (workers?.filter(worker => worker.node === at.node) ?? null);
  },
  identity: worker => worker.id,
  empty: 'no worker is in this pool; one starts with: ponos worker start HANDLER',
  sort: { column: 'WORKER', descending: false },
  columns: [
    {
      title: 'WORKER',
      min: 16,
      ideal: 18,
      grow: 1,
      priority: 99,
      cut: 'middle',
      text: worker => worker.id,
      order: worker => worker.id,
    },
    {
      title: 'STATE',
      min: 10,
      ideal: 10,
      priority: 95,
      text: (worker, scene) => showState(worker.state, scene),
      role: worker => stateRole(worker.state),
      order: worker => worker.state,
    },
    {
      title: 'GROUP',
      min: 7,
      ideal: 10,
      grow: 0.3,
      priority: 70,
      text: worker => worker.group,
      order: worker => worker.group,
    },
    {
      title: 'JOBS',
      min: 5,
      ideal: 6,
      priority: 90,
      align: 'right',
      text: worker => formatCount(worker.jobCount),
      role: worker => (worker.capacity > 0 && worker.jobCount >= worker.capacity ? 'warn' : undefined),
      order: worker => worker.jobCount,
    },
    {
      title: 'CAP',
      min: 5,
      ideal: 6,
      priority: 60,
      align: 'right',
      text: (worker, { glyphs }) => (worker.capacity > 0 ? formatCount(worker.capacity) : glyphs.none),
      order: worker => worker.capacity,
    },
    {
      title: 'LEASE',
      min: 6,
      ideal: 7,
      priority: 80,
      align: 'right',
      text: worker =>
        worker.leaseLeftMs >= 0 ? formatDuration(worker.leaseLeftMs) : `-${formatDuration(-worker.leaseLeftMs)}`,
      role: worker => (worker.leaseLeftMs < 0 ? 'bad' : undefined),
      order: worker => worker.leaseLeftMs,
    },
    {
      title: 'UP',
      min: 6,
      ideal: 6,
      priority: 50,
      align: 'right',
      text: (worker, { nowMs }) => formatDuration(nowMs - worker.startedAtMs),
      order: worker => -worker.startedAtMs,
    },
    {
      title: 'HOST',
      min: 8,
      ideal: 14,
      grow: 0.5,
      priority: 45,
      text: worker => worker.host,
      order: worker => worker.host,
    },
    { title: 'PID', min: 7, ideal: 7, priority: 40, align: 'right', text: worker => String(worker.pid) },
    {
      title: 'WEIGHT',
      min: 6,
      ideal: 6,
      priority: 20,
      align: 'right',
      text: worker => String(worker.weight),
      order: worker => worker.weight,
    },
    { title: 'NODE', min: 16, ideal: 16, grow: 0.5, priority: 30, cut: 'middle', text: worker => worker.node },
    { title: 'VERSION', min: 7, ideal: 8, priority: 10, text: worker => worker.version },
  ],
  isProblem: worker => worker.state !== 'ALIVE',
  item: worker => ({
    noun: 'worker',
    name: worker.id,
    open: { view: 'jobs', pool: worker.pool, worker: worker.id },
    command: cliCommand('worker', 'show', [worker.id], { pool: worker.pool }),
    offers: [{ key: 'D', begin: { act: { kind: 'drain-worker', pool: worker.pool, worker: worker.id } } }],
  }),
  command: at => cliCommand('worker', 'list', [], { pool: at.pool ?? '' }),
  focus: place => (place.at.pool ? { view: 'workers', pool: place.at.pool } : { view: 'overview' }),
});
