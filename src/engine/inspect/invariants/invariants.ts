/**
 * What must hold in a pool at any moment, over all its shards. Only reads; makes no writer wait; may run on a pool at work: what looks
 * wrong is looked at again, and counts only when it is seen each time.
 */
import { sleep } from '../../core/clock.ts';
import { checkName } from '../../core/names.ts';
import { decodeText } from '../../core/text.ts';
import { shardCountOf } from '../../pool/options.ts';
import type { RedisLink } from '../../redis/link.ts';
import { ShardExaminer, type Subject, type Suspect } from './examine.ts';
import { type Placed, ROLE_TYPES, RoleTable } from './roles.ts';
import type { Violation } from './violation.ts';

export interface InvariantOptions {
  /** Most violations kept in the report; the others are counted. */
  limit?: number | undefined;
  /** Called after each page with the keys looked at so far. */
  onProgress?: ((keyCount: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface InvariantReport {
  pool: string;
  shardCount: number;
  /** Keys of the pool that were looked at. */
  keyCount: number;
  jobCount: number;
  /** Keys set aside because they cannot be repaired. */
  asideCount: number;
  violations: Violation[];
  /** Violations beyond the limit. */
  moreCount: number;
}

const DEFAULT_LIMIT = 1000;
const PAGE = 500;
const LOOK_AGAIN_MS = [10, 50] as const;

/** @throws ArgumentError on a bad name. A pool that does not exist has no violations and no shards. */
export async function checkInvariants(
  link: RedisLink,
  pool: string,
  options: InvariantOptions = {},
): Promise<InvariantReport> {
  const { limit = DEFAULT_LIMIT } = options;
  const violations: Violation[] = [];
  let moreCount = 0;
  const walk = new InvariantWalk(link, pool, options);
  for await (const page of walk.pages()) {
    const room = limit - violations.length;
    for (const { violation } of page.suspects.slice(0, room)) violations.push(violation);
    moreCount += Math.max(0, page.suspects.length - room);
  }
  const { shardCount, keyCount, jobCount, asideCount } = walk;
  return { pool, shardCount, keyCount, jobCount, asideCount, violations, moreCount };
}

const WHOLE_SHARD: Subject[] = [{ kind: 'settings' }, { kind: 'counters' }, { kind: 'member-info' }];

type NamedPlace = Placed & { name: Buffer };

export interface ViolationPage {
  shard: number;
  suspects: Suspect[];
}

/** One walk over a pool, as repair needs it too: violations as they are found, page by page. */
export class InvariantWalk {
  shardCount = 0;
  keyCount = 0;
  jobCount = 0;
  asideCount = 0;
  readonly #link: RedisLink;
  readonly #pool: string;
  readonly #options: InvariantOptions;
  readonly #roles: RoleTable;
  readonly #examiners = new Map<number, ShardExaminer>();

  constructor(link: RedisLink, pool: string, options: InvariantOptions = {}) {
    this.#link = link;
    this.#pool = checkName('pool', pool);
    this.#options = options;
    this.#roles = new RoleTable(link.keys, pool);
  }

  /** Highest token seen in a record of each shard. */
  get topTokens(): ReadonlyMap<number, number> {
    return new Map([...this.#examiners].map(([shard, { topToken }]) => [shard, topToken]));
  }

  async *pages(): AsyncGenerator<ViolationPage> {
    if (await isRemoved(this.#link, this.#pool)) return;
    this.shardCount = await this.#countShards();
    for await (const names of this.#link.commands.scanKeys(this.#roles.pattern)) {
      this.#options.signal?.throwIfAborted();
      this.keyCount += names.length;
      for (const [shard, places] of this.#byShard(names)) yield* this.#confirmed(shard, this.#subjectsOf(places));
      this.#options.onProgress?.(this.keyCount);
    }
    for (const shard of this.#examiners.keys()) yield* this.#confirmed(shard, [WHOLE_SHARD]);
  }

  async #countShards(): Promise<number> {
    const { config } = this.#link.keys.pool(this.#pool);
    const type = String(await this.#link.commands.call('TYPE', config));
    if (type !== 'hash') return type === 'none' ? 0 : 1;
    const [found] = (await this.#link.commands.call('HMGET', config, 'shards')) as (Buffer | null)[];
    return shardCountOf(found);
  }

  #byShard(names: readonly Buffer[]): Map<number, NamedPlace[]> {
    const places = names.map(name => ({ name, ...this.#roles.place(name) }));
    return Map.groupBy(places, ({ shard }) => shard);
  }

  /** What must be looked at because of these keys, page by page. */
  async *#subjectsOf(places: readonly NamedPlace[]): AsyncGenerator<Subject[]> {
    for (const { role } of places) {
      if (role === 'aside') this.asideCount++;
      if (role === 'job') this.jobCount++;
    }
    yield places.flatMap(place => subjectsOf(place, Math.max(1, this.shardCount)));
    for (const place of places) yield* this.#entriesOf(place);
  }

  /** What an index names; nothing when it is of another type, which is told elsewhere. */
  async *#entriesOf({ role, name, rest }: NamedPlace): AsyncGenerator<Subject[]> {
    if (role !== 'pending' && role !== 'owned' && role !== 'dead' && role !== 'schedules') return;
    if (String(await this.#link.commands.call('TYPE', name)) !== ROLE_TYPES[role]) return;
    const place = decodeText(rest);
    const [command, step] = role === 'owned' ? (['SSCAN', 1] as const) : (['ZSCAN', 2] as const);
    for (let cursor = '0'; ; ) {
      const reply = await this.#link.commands.call(command, name, cursor, 'COUNT', PAGE);
      const [next, items] = reply as [Buffer, Buffer[]];
      const keys = items.filter((_, at) => at % step === 0);
      if (role === 'pending') yield keys.map(key => ({ kind: 'queued', group: place, key }));
      else if (role === 'owned') yield keys.map(key => ({ kind: 'owned', worker: place, key }));
      else if (role === 'dead') yield keys.map(key => ({ kind: 'dead-entry', key }));
      else yield keys.map(key => ({ kind: 'schedule', name: decodeText(key) }));
      cursor = String(next);
      if (cursor === '0') return;
    }
  }

  async *#confirmed(
    shard: number,
    pages: AsyncIterable<Subject[]> | Iterable<Subject[]>,
  ): AsyncGenerator<ViolationPage> {
    const examiner = this.#examiners.get(shard) ?? new ShardExaminer(this.#link, this.#pool, shard, this.shardCount);
    this.#examiners.set(shard, examiner);
    for await (const subjects of pages) {
      let suspects = await examiner.examine(subjects);
      for (const pauseMs of LOOK_AGAIN_MS) {
        if (suspects.length === 0) break;
        await sleep(this.#link.clock, pauseMs, this.#options.signal);
        const again = await examiner.examine([...new Set(suspects.map(({ subject }) => subject))]);
        const before = new Set(suspects.map(identity));
        suspects = again.filter(suspect => before.has(identity(suspect)));
      }
      if (suspects.length > 0) yield { shard, suspects };
    }
  }
}

/** Of a pool that was removed, or is being, nothing must agree with anything. */
async function isRemoved(link: RedisLink, pool: string): Promise<boolean> {
  const { config } = link.keys.pool(pool);
  if (String(await link.commands.call('TYPE', config)) !== 'hash') return false;
  const [generation, state] = (await link.commands.call('HMGET', config, 'generation', 'state')) as (Buffer | null)[];
  return generation === null && state !== null;
}

/** The same violation, whatever its figures are by now. */
function identity({ violation }: Suspect): string {
  const { code, key, job, worker } = violation;
  return JSON.stringify([code, key, job, worker]);
}

function subjectsOf({ name, shard, role, rest }: NamedPlace, shardCount: number): Subject[] {
  if (role === undefined || shard >= shardCount) return [{ kind: 'unknown', name }];
  switch (role) {
    case 'job':
      return [{ kind: 'record', key: rest }];
    case 'notes':
      return [{ kind: 'notes', key: rest }];
    case 'dead-job':
      return [{ kind: 'dead-record', key: rest }];
    case 'pending':
      return [{ kind: 'pending', group: decodeText(rest) }];
    case 'schedule':
      return [{ kind: 'schedule', name: decodeText(rest) }];
    case 'owned':
      return [{ kind: 'owner', worker: decodeText(rest) }];
    default: {
      const type = ROLE_TYPES[role];
      return type === null ? [] : [{ kind: 'typed', name, type }];
    }
  }
}
