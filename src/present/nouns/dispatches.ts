/** What a dispatch gives back, alone and as a line of many. */
import { isUtf8 } from 'node:buffer';
import type { DispatchResult } from '../../engine/index.ts';
import type { Noun } from '../columns.ts';
import { blobFields } from '../envelope.ts';

export const dispatchNoun: Noun<DispatchResult> = {
  kind: 'Dispatch',
  columns: [
    { header: 'ID', value: dispatch => dispatch.id },
    { header: 'KEY', value: dispatch => dispatch.key },
    { header: 'STATUS', value: dispatch => dispatch.status },
    { header: 'WORKER', value: dispatch => dispatch.worker ?? null },
    { header: 'TOKEN', value: dispatch => dispatch.token ?? null, align: 'right' },
  ],
  item: dispatchItem,
  raw: dispatch => dispatch.result ?? Buffer.alloc(0),
};

function dispatchItem({ id, key, status, worker, token, result }: DispatchResult): object {
  const item = { id, key, status, worker: worker ?? null, token: token ?? null };
  return result === undefined ? item : { ...item, ...blobFields('result', blobOf(result)) };
}

/** One input of many: what became of it. */
export interface BulkResult {
  /** Line of the input, counted from 1. */
  line: number;
  key: string | null;
  dispatch: DispatchResult | null;
  /** `id`: the job stands, and may be dispatched again under it. */
  error: { code: string; message: string; id?: string } | null;
}

export const bulkResultNoun: Noun<BulkResult> = {
  kind: 'Dispatch',
  columns: [
    { header: 'KEY', value: row => row.key },
    { header: 'LINE', value: row => row.line, align: 'right' },
    { header: 'STATUS', value: row => row.dispatch?.status ?? 'failed' },
    { header: 'ID', value: row => row.dispatch?.id ?? null },
    { header: 'ERROR', value: row => row.error?.message ?? null },
  ],
  item: ({ line, key, dispatch, error }) =>
    dispatch ? { line, ...dispatchItem(dispatch) } : { line, key, status: 'failed', error },
};

function blobOf(bytes: Uint8Array): { encoding: 'utf8' | 'base64'; data: string; sizeBytes: number } {
  const encoding = isUtf8(bytes) ? 'utf8' : 'base64';
  return { encoding, data: Buffer.from(bytes).toString(encoding), sizeBytes: bytes.byteLength };
}
