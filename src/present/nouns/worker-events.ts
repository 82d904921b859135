/** What a running worker tells, event by event. */
import type { Noun } from '../columns.ts';
import { formatTime } from '../human.ts';

export interface WorkerEventRow {
  /** Kind of event, as in WorkerEvents of the engine; `ready` and `dropped` are the command's own. */
  event: string;
  atMs: number;
  worker: string;
  key: string | null;
  token: number | null;
  /** Whatever else belongs to the kind. */
  more: Readonly<Record<string, unknown>>;
  /** For people, without time and worker; null when another event says it better. */
  sentence: string | null;
}

export const workerEventNoun: Noun<WorkerEventRow> = {
  kind: 'WorkerEvent',
  columns: [
    { header: 'KEY', value: row => row.key },
    { header: 'EVENT', value: row => row.event },
    { header: 'TIME', value: row => formatTime(row.atMs) },
    { header: 'WORKER', value: row => row.worker },
    { header: 'TOKEN', value: row => row.token, align: 'right' },
    { header: 'DETAIL', value: row => row.sentence },
  ],
  item: ({ atMs, worker, key, token, more }) => ({
    atMs,
    worker,
    ...(key === null ? {} : { key }),
    ...(token === null ? {} : { token }),
    ...more,
  }),
};
