/** What became of each worker that was asked to leave. */
import type { Noun } from '../columns.ts';

export interface DrainResult {
  worker: string;
  /** `draining` or `failed`. */
  status: string;
  error: { code: string; message: string } | null;
}

export const drainNoun: Noun<DrainResult> = {
  kind: 'Drain',
  columns: [
    { header: 'WORKER', value: row => row.worker },
    { header: 'STATUS', value: row => row.status },
    { header: 'ERROR', value: row => row.error?.message ?? null },
  ],
  item: ({ worker, status, error }) => (error ? { worker, status, error } : { worker, status }),
};
