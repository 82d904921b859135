/** What each key of a shard is, told from its name: a key without a role is nobody's. */
import type { KeySpace } from '../../redis/keys.ts';

export type Role =
  | 'config'
  | 'members'
  | 'member-info'
  | 'groups'
  | 'dead'
  | 'ledger'
  | 'job'
  | 'pending'
  | 'owned'
  | 'notes'
  | 'outcome'
  | 'dead-job'
  | 'schedules'
  | 'schedule'
  | 'aside';

/** Type each role has in Redis; what was set aside may be anything. */
export const ROLE_TYPES: Readonly<Record<Role, string | null>> = {
  config: 'hash',
  members: 'zset',
  'member-info': 'hash',
  groups: 'set',
  dead: 'zset',
  ledger: 'stream',
  job: 'hash',
  pending: 'zset',
  owned: 'set',
  notes: 'list',
  outcome: 'hash',
  'dead-job': 'hash',
  schedules: 'zset',
  schedule: 'hash',
  aside: null,
};

export interface Placed {
  shard: number;
  /** undefined: no role is known under that name. */
  role: Role | undefined;
  /** What follows the role in the name: a job key, a worker, a group, an id. */
  rest: Buffer;
}

const SHARD = /^(\d{1,9})\}/;

/** Tells what keys of one pool are. */
export class RoleTable {
  readonly pattern: string;
  readonly #before: string;
  readonly #fixed = new Map<string, Role>();
  readonly #prefixes: (readonly [prefix: Buffer, role: Role])[];

  constructor(space: KeySpace, pool: string) {
    const keys = space.pool(pool);
    this.#before = space.poolPrefix(pool);
    this.pattern = `${this.#before}*`;
    const tail = (name: string) => name.slice(keys.base.length);
    const fixed: [string, Role][] = [
      [keys.config, 'config'],
      [keys.members, 'members'],
      [keys.memberInfo, 'member-info'],
      [keys.groups, 'groups'],
      [keys.dead, 'dead'],
      [keys.ledger, 'ledger'],
      [keys.schedules, 'schedules'],
    ];
    for (const [name, role] of fixed) this.#fixed.set(tail(name), role);
    const prefixes: [string, Role][] = [
      [keys.jobPrefix, 'job'],
      [keys.pendingPrefix, 'pending'],
      [keys.ownedPrefix, 'owned'],
      [keys.notesPrefix, 'notes'],
      [keys.dispatchPrefix, 'outcome'],
      [keys.deadJobPrefix, 'dead-job'],
      [keys.schedulePrefix, 'schedule'],
      [keys.asidePrefix, 'aside'],
    ];
    this.#prefixes = prefixes.map(([name, role]) => [Buffer.from(tail(name)), role]);
  }

  place(name: Buffer): Placed {
    const rest = name.subarray(this.#before.length);
    const shard = SHARD.exec(rest.subarray(0, 10).toString('latin1'));
    if (!shard) return { shard: 0, role: undefined, rest };
    const tail = rest.subarray(shard[0].length);
    const fixed = this.#fixed.get(tail.toString('latin1'));
    if (fixed) return { shard: Number(shard[1]), role: fixed, rest: Buffer.alloc(0) };
    const found = this.#prefixes.find(([prefix]) => tail.subarray(0, prefix.length).equals(prefix));
    if (!found) return { shard: Number(shard[1]), role: undefined, rest: tail };
    return { shard: Number(shard[1]), role: found[1], rest: tail.subarray(found[0].length) };
  }
}
