/** What became of a request to stop a job. */
import type { StopResult } from '../../engine/index.ts';
import type { Noun } from '../columns.ts';

export interface KeyStop {
  key: string;
  stop: StopResult | null;
  error: { code: string; message: string } | null;
}

export const stopNoun: Noun<KeyStop> = {
  kind: 'Stop',
  columns: [
    { header: 'KEY', value: row => row.key },
    { header: 'STATUS', value: row => row.stop?.status ?? 'failed' },
    { header: 'WORKER', value: row => row.stop?.worker ?? null },
    { header: 'ERROR', value: row => row.error?.message ?? null },
  ],
  item: ({ key, stop, error }) =>
    error ? { key, status: 'failed', error } : { key, status: stop?.status, worker: stop?.worker ?? null },
};
