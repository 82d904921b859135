/**
 * Restores the invariants of a pool. The job records are the truth; queues, owned sets, lists and counters are derived from
 * them. Each step is one script over a bounded batch that looks again and changes only what is wrong at that moment, so
 * workers may run meanwhile. What cannot be derived (a value of a wrong type, a record without its payload) stays as it
 * is, unless the caller says that it shall be set aside or deleted.
 */
import { QuarantineError, WrongTypeError } from '../core/errors.ts';
import { encodeText } from '../core/text.ts';
import type { Suspect } from '../inspect/invariants/examine.ts';
import { type InvariantOptions, type InvariantReport, InvariantWalk } from '../inspect/invariants/invariants.ts';
import { ROLE_TYPES, RoleTable } from '../inspect/invariants/roles.ts';
import type { Violation, ViolationCode } from '../inspect/invariants/violation.ts';
import * as scripts from '../pool/scripts.gen.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument } from '../redis/script.ts';

/** What to do with what cannot be repaired. */
export type BrokenPolicy = 'keep' | 'set-aside' | 'delete';

export interface RepairOptions extends InvariantOptions {
  /** Default `keep`. */
  broken?: BrokenPolicy | undefined;
}

export interface RepairReport extends InvariantReport {
  /** How many were repaired, by code. What is left is in `violations`. */
  repaired: Partial<Record<ViolationCode, number>>;
  repairedCount: number;
  /** Keys set aside or deleted. */
  removed: string[];
}

/** What one repair uncovers the next round mends; healthy pools need one round, to see that nothing is wrong. */
const MAX_ROUNDS = 5;
const BATCH = 200;
const DEFAULT_LIMIT = 1000;
/** Settings without which no script can do anything. */
const NUMBERS = [
  'clock',
  'last-time',
  'token',
  'epoch',
  'count',
  'queued',
  'clamp-ms',
  'lease-ms',
  'quarantine-until',
] as const;

/**
 * @throws ArgumentError on a bad name; QuarantineError while workers say what Redis may have lost; ReadOnlyError,
 * RedisUnavailableError, RedisDeniedError.
 */
export async function repairPool(link: RedisLink, pool: string, options: RepairOptions = {}): Promise<RepairReport> {
  const repair = new Repair(link, pool, options.broken ?? 'keep');
  const { limit = DEFAULT_LIMIT } = options;
  for (let round = 1; ; round++) {
    const walk = new InvariantWalk(link, pool, options);
    const left: Violation[] = [];
    let leftCount = 0;
    let mended = 0;
    for await (const { shard, suspects } of walk.pages()) {
      const rest = await repair.mend(shard, suspects, walk.topTokens.get(shard) ?? 0);
      mended += suspects.length - rest.length;
      leftCount += rest.length;
      left.push(...rest.slice(0, limit - left.length).map(({ violation }) => violation));
    }
    if (mended > 0 && round < MAX_ROUNDS) continue;
    const { shardCount, keyCount, jobCount, asideCount } = walk;
    const counts = { pool, shardCount, keyCount, jobCount, asideCount };
    return { ...counts, ...repair.done, violations: left, moreCount: leftCount - left.length };
  }
}

type Step = { script: 'jobs' | 'rest'; item: Argument[] } | 'counters' | 'set-aside' | undefined;

class Repair {
  readonly done: Pick<RepairReport, 'repaired' | 'repairedCount' | 'removed'> = {
    repaired: {},
    repairedCount: 0,
    removed: [],
  };
  readonly #link: RedisLink;
  readonly #pool: string;
  readonly #broken: BrokenPolicy;
  readonly #roles: RoleTable;

  constructor(link: RedisLink, pool: string, broken: BrokenPolicy) {
    this.#link = link;
    this.#pool = pool;
    this.#broken = broken;
    this.#roles = new RoleTable(link.keys, pool);
  }

  /** Gives those that are as they were. */
  async mend(shard: number, suspects: readonly Suspect[], topToken: number): Promise<Suspect[]> {
    const left: Suspect[] = [];
    const groups = Map.groupBy(suspects, suspect => {
      const step = stepOf(suspect);
      return typeof step === 'object' ? step.script : step;
    });
    for (const [kind, all] of groups) {
      for (let at = 0; at < all.length; at += BATCH) {
        const batch = all.slice(at, at + BATCH);
        const mended = await this.#act(kind, shard, batch, topToken);
        batch.forEach((suspect, index) => {
          if (mended[index]) this.#note(suspect.violation);
          else left.push(suspect);
        });
      }
    }
    return left;
  }

  /** True for each that was mended. */
  async #act(
    kind: 'jobs' | 'rest' | 'counters' | 'set-aside' | undefined,
    shard: number,
    batch: readonly Suspect[],
    topToken: number,
  ): Promise<boolean[]> {
    if (kind === 'set-aside') return Promise.all(batch.map(suspect => this.#setAside(shard, suspect)));
    const keys = this.#link.keys.pool(this.#pool, shard);
    const generation = kind && (await this.#generation(keys.config));
    if (!kind || !generation) return batch.map(() => false);
    const names = {
      config: keys.config,
      ledger: keys.ledger,
      members: keys.members,
      member_info: keys.memberInfo,
      groups: keys.groups,
      dead: keys.dead,
      job_prefix: keys.jobPrefix,
      dead_job_prefix: keys.deadJobPrefix,
      notes_prefix: keys.notesPrefix,
      pending_prefix: keys.pendingPrefix,
      own_prefix: keys.ownedPrefix,
      schedules: keys.schedules,
      schedule_prefix: keys.schedulePrefix,
    };
    const items = batch.flatMap(suspect => {
      const step = stepOf(suspect);
      return typeof step === 'object' ? step.item : [];
    });
    try {
      if (kind === 'counters') {
        const args = { generation, events: keys.events, token: topToken };
        const reply = await this.#link.commands.run(scripts.repairCountersScript, names, args);
        if (reply.status === 'QUARANTINE') throw new QuarantineError(this.#pool, reply.left_ms);
        return batch.map(() => reply.status === 'OK' && reply.repaired === 1);
      }
      const script = kind === 'jobs' ? scripts.repairJobsScript : scripts.repairRestScript;
      const reply = await this.#link.commands.run(script, names, { generation, events: keys.events, items });
      if (reply.status === 'QUARANTINE') throw new QuarantineError(this.#pool, reply.left_ms);
      const states = reply.status === 'OK' ? reply.states.map(String) : [];
      return batch.map((_, index) => states[index] === 'repaired');
    } catch (error) {
      // The key of a wrong type is a violation itself; what depends on it waits until that one is gone.
      if (error instanceof WrongTypeError) return batch.map(() => false);
      throw error;
    }
  }

  async #setAside(shard: number, { violation }: Suspect): Promise<boolean> {
    if (this.#broken === 'keep') return false;
    const { base, asidePrefix } = this.#link.keys.pool(this.#pool, shard);
    const name = encodeText(violation.key);
    const { role } = this.#roles.place(name);
    const expected = role && ROLE_TYPES[role];
    if (!expected) return false;
    const rest = name.subarray(Buffer.byteLength(base) + 1);
    const aside = this.#broken === 'delete' ? '' : Buffer.concat([Buffer.from(asidePrefix), rest]);
    const args = { aside, expected, kind: role === 'job' ? 'record' : '' };
    const { status } = await this.#link.commands.run(scripts.setAsideScript, { name }, args);
    if (status === 'DONE') this.done.removed.push(violation.key);
    return status === 'DONE';
  }

  /** null: there is no shard that a script could work on. */
  async #generation(config: string): Promise<string | null> {
    try {
      const found = (await this.#link.commands.call('HMGET', config, 'generation', ...NUMBERS)) as (Buffer | null)[];
      const [generation, ...numbers] = found.map(String);
      const usable = found[0] && numbers.every(number => Number.isFinite(Number(number)));
      return usable && generation ? generation : null;
    } catch (error) {
      if (error instanceof WrongTypeError) return null;
      throw error;
    }
  }

  #note({ code }: Violation): void {
    this.done.repaired[code] = (this.done.repaired[code] ?? 0) + 1;
    this.done.repairedCount++;
  }
}

/** What mends a violation; undefined when nothing does. */
function stepOf({ subject, violation: { code, remedy, worker } }: Suspect): Step {
  if (remedy === 'none') return undefined;
  if (remedy === 'broken') return 'set-aside';
  if (code === 'TOKEN_ABOVE_HIGH_WATER') return 'counters';
  switch (subject.kind) {
    case 'record':
      return { script: 'jobs', item: ['', '', subject.key] };
    case 'queued':
      return { script: 'jobs', item: ['pending', subject.group, subject.key] };
    case 'owned':
      return { script: 'jobs', item: ['owned', subject.worker, subject.key] };
    case 'owner':
      return { script: 'jobs', item: ['owned', subject.worker, ''] };
    case 'pending':
      return { script: 'rest', item: ['group', subject.group] };
    case 'schedule':
      return { script: 'rest', item: ['schedule', subject.name] };
    case 'member-info':
      return { script: 'rest', item: ['member', worker ?? ''] };
    case 'dead-entry':
    case 'dead-record':
    case 'notes':
      return { script: 'rest', item: [subject.kind, subject.key] };
    case 'counters':
      return 'counters';
    default:
      return undefined;
  }
}
