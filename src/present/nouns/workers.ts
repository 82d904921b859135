/** What workers look like. */
import type { WorkerSnapshot } from '../../engine/index.ts';
import { type Noun, stateColumn } from '../columns.ts';
import { formatAge, formatDuration } from '../human.ts';

export const workerNoun: Noun<WorkerSnapshot> = {
  kind: 'Worker',
  columns: [
    { header: 'WORKER', value: worker => worker.id },
    stateColumn(worker => worker.state),
    { header: 'GROUP', value: worker => worker.group },
    { header: 'JOBS', value: worker => worker.jobCount, align: 'right' },
    {
      header: 'LEASE',
      value: worker => worker.leaseLeftMs,
      text: worker => (worker.leaseLeftMs > 0 ? formatDuration(worker.leaseLeftMs) : 'over'),
      align: 'right',
    },
    { header: 'HOST', value: worker => worker.host },
    { header: 'PID', value: worker => worker.pid, align: 'right' },
    {
      header: 'AGE',
      value: worker => worker.startedAtMs,
      text: (worker, { nowMs }) => formatAge(worker.startedAtMs, nowMs),
      align: 'right',
    },
    { header: 'CAPACITY', value: worker => worker.capacity, align: 'right', wide: true },
    { header: 'WEIGHT', value: worker => worker.weight, align: 'right', wide: true },
    { header: 'NODE', value: worker => worker.node, wide: true },
    { header: 'POOL', value: worker => worker.pool, wide: true },
    { header: 'INCARNATION', value: worker => worker.incarnation, align: 'right', wide: true },
    { header: 'ZOMBIES', value: worker => worker.zombieCount, align: 'right', wide: true },
    {
      header: 'LAG',
      value: worker => worker.lagMs,
      text: worker => formatDuration(worker.lagMs),
      align: 'right',
      wide: true,
    },
    { header: 'VERSION', value: worker => worker.version, wide: true },
  ],
};
