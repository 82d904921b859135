import { setTimeout as pause } from 'node:timers/promises';
import { type LedgerEntry, listLedger, type RedisLink } from '../../engine/index.ts';

export interface TailOptions {
  /** So many of the latest come first. */
  last: number;
  everyMs: number;
  /** Given: goes on with what happens, until it aborts. */
  signal: AbortSignal | undefined;
}

const PAGE = 1000;

/** The ledger of a pool, oldest first. What was dropped from it before it was read is missing. */
export async function* tailLedger(link: RedisLink, pool: string, options: TailOptions): AsyncGenerator<LedgerEntry> {
  const { signal, everyMs, last } = options;
  const newest = await listLedger(link, pool, { count: Math.max(1, last) });
  let after = newest.at(-1)?.id ?? '0-0';
  if (last > 0) yield* newest;
  while (signal && !signal.aborted) {
    const entries = await listLedger(link, pool, { count: PAGE, after });
    yield* entries;
    after = entries.at(-1)?.id ?? after;
    if (entries.length < PAGE) await pause(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
