/** Raises the version of the protocol that a pool speaks, as the last step of a rolling upgrade. */
import { ConflictError, QuarantineError } from '../core/errors.ts';
import { checkName } from '../core/names.ts';
import { formatRange, PROTOCOL, type ProtocolRange } from '../pool/protocol.ts';
import { Shard } from '../pool/shard.ts';
import type { RedisLink } from '../redis/link.ts';

export interface PoolUpgrade {
  /** Version of the pool before, of the shard that is furthest behind. */
  from: number;
  to: number;
}

export interface UpgradeOptions {
  /** Only find out whether it would succeed. */
  dryRun?: boolean | undefined;
  /** @internal */
  protocols?: ProtocolRange | undefined;
}

const MAX_NAMED = 10;

/**
 * Makes a pool speak the newest version that this program does. Processes that do not speak it are refused from then on, and
 * there is no way back to a release of before. Legal more than once.
 * @throws ConflictError PROTOCOL_KEPT_BACK while a worker does not speak it, PROTOCOL_MISMATCH when the pool speaks what this
 * program does not; QuarantineError; NotFoundError.
 */
export async function upgradePool(link: RedisLink, pool: string, options: UpgradeOptions = {}): Promise<PoolUpgrade> {
  const { dryRun = false, protocols = PROTOCOL } = options;
  const shards = await Shard.findAll(link, checkName('pool', pool), protocols);
  const from = Math.min(...shards.map(({ protocol }) => protocol));
  const to = protocols.newest;
  // Every shard is asked before any is raised.
  await raise(pool, shards, to, true);
  if (!dryRun) await raise(pool, shards, to, false);
  return { from, to };
}

async function raise(pool: string, shards: readonly Shard[], to: number, dryRun: boolean): Promise<void> {
  const replies = await Promise.all(shards.map(shard => shard.raiseProtocol(to, dryRun)));
  const keeping = new Map<string, ProtocolRange>();
  for (const reply of replies) {
    if (reply.status === 'QUARANTINE') throw new QuarantineError(pool, reply.left_ms);
    if (reply.status !== 'KEPT') continue;
    for (const [worker, oldest, newest] of reply.list as [Buffer, number, number][]) {
      keeping.set(String(worker), { oldest, newest });
    }
  }
  if (keeping.size === 0) return;
  const named = [...keeping].slice(0, MAX_NAMED).map(([worker, range]) => `"${worker}" (${formatRange(range)})`);
  if (keeping.size > MAX_NAMED) named.push(`${keeping.size - MAX_NAMED} more`);
  throw new ConflictError(
    `pool "${pool}" cannot speak version ${to} of the pool protocol: its workers ${named.join(', ')} do not`,
    {
      code: 'PROTOCOL_KEPT_BACK',
      hint: 'Replace them with workers of this release; one that is gone counts until its jobs are taken over.',
    },
  );
}
