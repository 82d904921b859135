/** Jobs that would change their worker or their group, and what that means for each worker. */
import type { Move, RebalancePlan, Regrouping, WorkerBalance } from '../../engine/index.ts';
import { type Noun, stateColumn } from '../columns.ts';

export const regroupingNoun: Noun<Regrouping> = {
  kind: 'Regrouping',
  columns: [
    { header: 'KEY', value: job => job.key },
    stateColumn(job => job.state),
    { header: 'FROM', value: job => job.from },
    { header: 'TO', value: job => job.to },
    { header: 'WORKER', value: job => job.worker },
  ],
};

export const moveNoun: Noun<Move> = {
  kind: 'Move',
  columns: [
    { header: 'KEY', value: move => move.key },
    { header: 'FROM', value: move => move.from },
    { header: 'TO', value: move => move.to, text: move => move.to ?? 'the queue' },
    { header: 'GROUP', value: move => move.group },
  ],
};

export const balanceNoun: Noun<WorkerBalance> = {
  kind: 'WorkerBalance',
  columns: [
    { header: 'WORKER', value: balance => balance.worker },
    { header: 'GROUP', value: balance => balance.group },
    { header: 'JOBS', value: balance => balance.jobCount, align: 'right' },
    { header: 'LEAVING', value: balance => balance.leavingCount, align: 'right' },
    { header: 'COMING', value: balance => balance.comingCount, align: 'right' },
    {
      header: 'AFTER',
      value: ({ jobCount, leavingCount, comingCount }) => jobCount - leavingCount + comingCount,
      align: 'right',
    },
  ],
};

/** The whole of it, as JSON and YAML hold it. */
export const rebalancePlanNoun: Noun<RebalancePlan> = {
  kind: 'RebalancePlan',
  columns: [{ header: 'MOVES', value: plan => plan.moves.length }],
};
