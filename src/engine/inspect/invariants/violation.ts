/** Something in a pool that contradicts the protocol. Plain data, safe for JSON. */
export interface Violation {
  code: ViolationCode;
  pool: string;
  shard: number;
  /** Name of the key in Redis, as a text. */
  key: string;
  /** Key of the job it is about. */
  job: string | null;
  worker: string | null;
  is: string;
  shouldBe: string;
  /**
   * `derived`: the right state follows from the job records, repair restores it. `broken`: nothing says what it was; it can
   * only be set aside or deleted. `none`: nothing here can mend it.
   */
  remedy: Remedy;
}

export type Remedy = 'derived' | 'broken' | 'none';

/** Each kind of violation, and what may be done about it. */
export const REMEDIES = {
  /** A key holds a value of another type than its role has. */
  WRONG_TYPE: 'broken',
  /** A record lacks what the scripts need. */
  RECORD_BROKEN: 'broken',
  /** A record is not in the index its state says. */
  NOT_INDEXED: 'derived',
  /** A job is in an index although its record says otherwise. */
  MISPLACED: 'derived',
  /** An index names a job that has no record. */
  NO_RECORD: 'derived',
  /** A waiting job is due at another time in the index than in its record. */
  NOT_BEFORE_DIFFERS: 'derived',
  TOKEN_ABOVE_HIGH_WATER: 'derived',
  COUNT_DIFFERS: 'derived',
  QUEUED_DIFFERS: 'derived',
  /** Jobs wait in a group that nobody looks at. */
  GROUP_UNLISTED: 'derived',
  /** Jobs are recorded to a worker that is no member: nobody would ever reap them. */
  OWNER_NOT_MEMBER: 'derived',
  /** A description is left of a worker that is no member. */
  MEMBER_INFO_LEFT: 'derived',
  /** What a worker says of itself cannot be read: nothing is given to it until it says so again. */
  MEMBER_INFO_BROKEN: 'none',
  NOTES_WITHOUT_JOB: 'derived',
  DEAD_WITHOUT_RECORD: 'derived',
  DEAD_UNLISTED: 'derived',
  /** A schedule is not in the index, or there at a time that its record does not give: nobody looks at it when it is due. */
  SCHEDULE_MISPLACED: 'derived',
  SCHEDULE_WITHOUT_RECORD: 'derived',
  /** A job is in a shard its key does not belong to. */
  WRONG_SHARD: 'none',
  /** Settings or counters are missing or no numbers. */
  CONFIG_BROKEN: 'none',
  /** Keys of a shard are there and the shard is not. */
  CONFIG_MISSING: 'none',
  CLOCK_AHEAD: 'none',
  /** A key whose name no release up to this one gives. */
  UNKNOWN_KEY: 'none',
} as const satisfies Record<string, Remedy>;

export type ViolationCode = keyof typeof REMEDIES;

export function describeViolation(violation: Violation): string {
  const { code, pool, shard, key, is, shouldBe } = violation;
  return `${code} pool ${pool}, shard ${shard}, ${key}: is ${is}, should be ${shouldBe}`;
}
