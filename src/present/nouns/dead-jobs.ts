/** What became of each dead job a command was about. */
import type { Noun } from '../columns.ts';

export interface DeadJobResult {
  key: string;
  /** `purged`, `retried` or `failed`. */
  status: string;
  error: { code: string; message: string } | null;
}

export const deadJobNoun: Noun<DeadJobResult> = {
  kind: 'DeadJob',
  columns: [
    { header: 'KEY', value: row => row.key },
    { header: 'STATUS', value: row => row.status },
    { header: 'ERROR', value: row => row.error?.message ?? null },
  ],
  item: ({ key, status, error }) => (error ? { key, status, error } : { key, status }),
};
