import { decodeText } from '../core/text.ts';
import type { RedisLink } from '../redis/link.ts';
import { compareEntryIds } from '../streams/entry-id.ts';
import { requirePool } from './pool-reading.ts';
import type { LedgerEntry } from './snapshots.ts';

const DEFAULT_COUNT = 100;
const HISTORY_PAGE = 500;
const MAX_HISTORY_PAGES = 20;

export interface LedgerOptions {
  /** At most so many. */
  count?: number | undefined;
  /** Those behind this id, oldest first; without it the newest. */
  after?: string | undefined;
}

/**
 * Entries of a pool's ledger, oldest first, of all its shards. What shards on different hosts wrote in the same moment may
 * be told in another order than it happened, and one of those missed by who goes on behind the latest. @throws NotFoundError
 */
export async function listLedger(link: RedisLink, pool: string, options: LedgerOptions = {}): Promise<LedgerEntry[]> {
  const { count = DEFAULT_COUNT, after } = options;
  const { shardCount } = await requirePool(link, pool);
  const parts = await Promise.all(
    Array.from({ length: shardCount }, async (_, shard) => {
      const { ledger } = link.keys.pool(pool, shard);
      const reply = await (after === undefined
        ? link.commands.call('XREVRANGE', ledger, '+', '-', 'COUNT', count)
        : link.commands.call('XRANGE', ledger, `(${after}`, '+', 'COUNT', count));
      return (reply as RawEntry[]).map(entry => toEntry(pool, entry));
    }),
  );
  const entries = parts.flat().sort((one, other) => compareEntryIds(one.id, other.id));
  return after === undefined ? entries.slice(-count) : entries.slice(0, count);
}

/** The latest entries about one job, oldest first. Looks back a bounded way. */
export async function listHistory(
  link: RedisLink,
  pool: string,
  shard: number,
  key: string,
  count: number,
): Promise<LedgerEntry[]> {
  const { ledger } = link.keys.pool(pool, shard);
  const found: LedgerEntry[] = [];
  let end = '+';
  for (let page = 0; page < MAX_HISTORY_PAGES && found.length < count; page++) {
    const reply = (await link.commands.call('XREVRANGE', ledger, end, '-', 'COUNT', HISTORY_PAGE)) as RawEntry[];
    for (const raw of reply) {
      const entry = toEntry(pool, raw);
      if (entry.key === key && found.length < count) found.push(entry);
    }
    const last = reply.at(-1);
    if (!last || reply.length < HISTORY_PAGE) break;
    end = `(${String(last[0])}`;
  }
  return found.reverse();
}

type RawEntry = [Buffer, Buffer[]];

function toEntry(pool: string, [idBytes, flat]: RawEntry): LedgerEntry {
  const fields = new Map<string, Buffer>();
  for (let i = 0; i < flat.length; i += 2) fields.set(String(flat[i]), flat[i + 1] as Buffer);
  const id = String(idBytes);
  const text = (name: string): string | null => {
    const value = fields.get(name);
    return value && value.length > 0 ? decodeText(value) : null;
  };
  const token = text('token');
  return {
    id,
    atMs: Number(id.split('-')[0]),
    pool,
    type: text('type') ?? '',
    key: text('key'),
    worker: text('worker'),
    token: token === null ? null : Number(token),
    detail: text('detail'),
  };
}
