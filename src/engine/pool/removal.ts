/**
 * Removes a pool. In each shard one script (`lua/remove.lua`) takes it out of use, if nobody works there: it leaves a mark
 * in place of the settings, so whoever knew the shard is told LOST at its next step and writes nothing any more. What is
 * left then are records that nothing names; they go batch by batch while the mark keeps everybody from making the shard
 * anew. At last the mark says that it was removed, and stays for a while: by it a process that still knows the pool tells
 * this from a flush, after which it would make the pool again.
 *
 * Every shard is asked before any is taken out. Whatever a crash leaves, another try goes on with: the shards are taken out
 * in order and given free in the reverse one, so the first one has its mark as long as any has.
 */
import { sleep } from '../core/clock.ts';
import { ConflictError, NotFoundError, QuarantineError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import { PROTOCOL, requireProtocol } from './protocol.ts';
import { removeRoutes } from './route-map.ts';
import { type RemoveReply, removeRestScript, removeScript } from './scripts.gen.ts';

export interface RemovePoolOptions {
  /** Also with jobs in it. */
  jobs?: boolean | undefined;
  /** Longest wait for the leases of workers that are gone, or for the end of a quarantine. Default 30 s. */
  timeoutMs?: number | undefined;
  /** Called with how long there is to wait at most, whenever there is. */
  onWait?: ((leftMs: number) => void) | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** How long the mark of a removed pool stays. */
const REMOVED_MARK_S = 86_400;
const BATCH = 500;
const SHARD = /^\d{1,9}(?=\})/;

/**
 * Removes a pool: all of its shards, with dead jobs, schedules, tickers and what is known of dispatches, and its routes.
 * Who still has it open finds it no more, and does not make it anew. Legal again after one that was interrupted.
 * @throws NotFoundError; ConflictError POOL_IN_USE while workers live or jobs are there, PROTOCOL_MISMATCH;
 *   QuarantineError; WrongTypeError, RedisUnavailableError.
 */
export async function removePool(link: RedisLink, pool: string, options: RemovePoolOptions = {}): Promise<void> {
  const removal = new Removal(link, pool, options);
  await removal.run();
}

/** What a removal that was interrupted left. A read. */
export async function isBeingRemoved(link: RedisLink, pool: string): Promise<boolean> {
  const [state] = (await link.commands.call('HMGET', link.keys.pool(pool).config, 'state')) as (Buffer | null)[];
  return String(state) === 'removing';
}

/** What keeps a pool from being removed. `command` names the commands that end it. */
export function poolInUse(pool: string, workers: number, jobs: number): ConflictError {
  const counts = [
    ...(workers > 0 ? [workers === 1 ? '1 live worker' : `${workers} live workers`] : []),
    ...(jobs > 0 ? [jobs === 1 ? '1 job' : `${jobs} jobs`] : []),
  ];
  const ways = [
    ...(jobs > 0 ? [`"ponos pool shutdown ${pool}" stops its jobs`] : []),
    ...(workers > 0 ? [`"ponos pool drain ${pool}" lets its workers leave`] : []),
  ];
  return new ConflictError(`pool "${pool}" has ${counts.join(' and ')}; nothing was removed`, {
    code: 'POOL_IN_USE',
    hint: `${ways.join('; ')}.`,
  });
}

type Kept = Extract<RemoveReply, { status: 'KEPT' }>;

class Removal {
  readonly #link: RedisLink;
  readonly #pool: string;
  readonly #options: RemovePoolOptions;
  readonly #endMs: number;

  constructor(link: RedisLink, pool: string, options: RemovePoolOptions) {
    this.#link = link;
    this.#pool = pool;
    this.#options = options;
    this.#endMs = link.clock.monotonicMs() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  }

  async run(): Promise<void> {
    const count = await this.#countShards();
    const shards = Array.from({ length: count }, (_, shard) => shard);
    this.#requireUnused(await Promise.all(shards.map(shard => this.#takeOut(shard, true))));
    for (const shard of shards) this.#requireUnused([await this.#takeOut(shard, false)]);
    while (await this.#sweep());
    await removeRoutes(this.#link, this.#pool);
    // Before it can be made anew: that lists it again.
    await this.#link.registry.remove('pools', this.#pool);
    for (const shard of shards.reverse()) await this.#clear(shard, [], true);
  }

  async #countShards(): Promise<number> {
    const { config } = this.#link.keys.pool(this.#pool);
    const found = (await this.#link.commands.call('HMGET', config, 'generation', 'state', 'shards')) as unknown[];
    const [generation, state, shards] = found.map(field => (field === null ? '' : String(field)));
    if (!generation && state !== 'removing') {
      throw new NotFoundError('pool', this.#pool, { hint: '"ponos pool list" shows those that exist.' });
    }
    return Number(shards) || 1;
  }

  /** Gives what keeps it. A shard that is not there, or is on its way out, is passed over. */
  async #takeOut(shard: number, dryRun: boolean): Promise<Kept | undefined> {
    const { clock, commands, keys } = this.#link;
    const { config, members, memberInfo, groups, dead, ledger, schedules, events } = keys.pool(this.#pool, shard);
    for (let looks = 1; ; looks++) {
      const fields = await commands.call('HMGET', config, 'generation', 'protocol', 'clamp-ms');
      const [generation, protocol, clampMs] = (fields as (Buffer | null)[]).map(field => String(field ?? ''));
      if (!generation) return undefined;
      requireProtocol(this.#pool, protocol ?? '', PROTOCOL);
      const reply = await commands.run(
        removeScript,
        { config, members, member_info: memberInfo, groups, dead, ledger, schedules },
        { generation, jobs: this.#options.jobs ? 1 : 0, dry_run: dryRun ? 1 : 0, events },
      );
      if (reply.status === 'REMOVED') return undefined;
      // It is another one by now, or of another version.
      if (reply.status === 'LOST') continue;
      const waits = reply.status === 'QUARANTINE' || this.#willBeFree(reply, looks);
      // The logical clock moves when it is asked, a step at a time.
      const stepMs = Math.min(reply.left_ms, Number(clampMs)) + 1;
      if (!waits || clock.monotonicMs() + stepMs > this.#endMs) {
        if (reply.status === 'QUARANTINE') throw new QuarantineError(this.#pool, reply.left_ms);
        return reply;
      }
      this.#options.onWait?.(reply.left_ms);
      await sleep(clock, stepMs);
    }
  }

  /** Whether only leases are left of workers that did not renew them: so it seems at the first look, which moves the clock. */
  #willBeFree({ workers, alive, jobs }: Kept, looks: number): boolean {
    if (jobs > 0 && !this.#options.jobs) return false;
    return workers > 0 && (looks > 1 || alive === 0);
  }

  #requireUnused(replies: readonly (Kept | undefined)[]): void {
    const kept = replies.filter(reply => reply !== undefined);
    if (kept.length === 0) return;
    // A worker is a member of every shard.
    const workers = Math.max(...kept.map(reply => reply.workers));
    const jobs = this.#options.jobs ? 0 : kept.reduce((sum, reply) => sum + reply.jobs, 0);
    throw poolInUse(this.#pool, workers, jobs);
  }

  /** Whether there was something. */
  async #sweep(): Promise<boolean> {
    const { commands, keys } = this.#link;
    const prefix = keys.poolPrefix(this.#pool);
    let found = false;
    for await (const names of commands.scanKeys(`${prefix}*`)) {
      const byShard = Map.groupBy(names, name => SHARD.exec(name.subarray(prefix.length).toString('latin1'))?.[0]);
      for (const [shard, all] of byShard) {
        if (shard === undefined) continue;
        const config = Buffer.from(keys.pool(this.#pool, Number(shard)).config);
        const rest = all.filter(name => !name.equals(config));
        for (let at = 0; at < rest.length; at += BATCH) {
          if (await this.#clear(Number(shard), rest.slice(at, at + BATCH), false)) found = true;
        }
      }
    }
    return found;
  }

  /** False when the shard is not on its way out. */
  async #clear(shard: number, names: readonly Buffer[], done: boolean): Promise<boolean> {
    const { config } = this.#link.keys.pool(this.#pool, shard);
    const args = { done: done ? 1 : 0, keep_s: REMOVED_MARK_S };
    return (await this.#link.commands.run(removeRestScript, { config, names }, args)).status === 'OK';
  }
}
