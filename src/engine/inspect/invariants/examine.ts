/**
 * Looks at single things of a shard, a few commands each, and says what contradicts the protocol. Each look is made so
 * that a transition between two of its commands is rare; who asks again and sees the same has seen a violation.
 */
import { WrongTypeError } from '../../core/errors.ts';
import { decodeText } from '../../core/text.ts';
import { hash64, shardIndex } from '../../pool/hash.ts';
import { parseWorkerInfo } from '../../pool/membership.ts';
import { isTerms } from '../../pool/terms.ts';
import type { KeyBytes } from '../../redis/keys.ts';
import type { RedisLink } from '../../redis/link.ts';
import type { Argument } from '../../redis/script.ts';
import { REMEDIES, type Violation, type ViolationCode } from './violation.ts';

export type Subject =
  | { kind: 'record' | 'notes' | 'dead-entry' | 'dead-record'; key: Buffer }
  | { kind: 'schedule'; name: string }
  | { kind: 'queued'; group: string; key: Buffer }
  | { kind: 'owned'; worker: string; key: Buffer }
  | { kind: 'pending'; group: string }
  | { kind: 'owner'; worker: string }
  /** A key that must have a type and nothing else. */
  | { kind: 'typed'; name: Buffer; type: string }
  | { kind: 'unknown'; name: Buffer }
  | { kind: 'counters' }
  | { kind: 'settings' }
  | { kind: 'member-info' };

export interface Suspect {
  subject: Subject;
  violation: Violation;
}

type Fields = (Buffer | null)[];

const RECORD_FIELDS = ['state', 'group', 'worker', 'token', 'not-before', 'attempt', 'terms', 'dispatch'] as const;
const OWNED_STATES = new Set(['assigned', 'running', 'stopping']);
const SETTINGS = [
  'clock',
  'last-time',
  'token',
  'epoch',
  'count',
  'queued',
  'limit',
  'dispatched',
  'started',
  'ended',
  'failed',
  'dead-limit',
  'lease-ms',
  'grace-ms',
  'clamp-ms',
] as const;
const COUNT_SAMPLES = 10;
/** Longer than anything that makes a schedule wait past its tick. */
const LATEST_TICK_MS = 3_600_000;

export class ShardExaminer {
  readonly #link: RedisLink;
  readonly #pool: string;
  readonly #shard: number;
  readonly #shardCount: number;
  readonly #keys: ReturnType<RedisLink['keys']['pool']>;
  /** Indexes that were seen although nobody lists them: they count too. */
  readonly #groups = new Set<string>();
  readonly #workers = new Set<string>();
  #tokenSeen = 0;
  /** Highest token of any record seen. */
  topToken = 0;

  constructor(link: RedisLink, pool: string, shard: number, shardCount: number) {
    this.#link = link;
    this.#pool = pool;
    this.#shard = shard;
    this.#shardCount = shardCount;
    this.#keys = link.keys.pool(pool, shard);
  }

  /** All at once: their commands leave together. */
  async examine(subjects: readonly Subject[]): Promise<Suspect[]> {
    return (await Promise.all(subjects.map(subject => this.#examineOne(subject)))).flat();
  }

  async #examineOne(subject: Subject): Promise<Suspect[]> {
    const found: Violation[] = [];
    const report: Report = (code, key, is, shouldBe, about = {}) => {
      found.push({
        code,
        pool: this.#pool,
        shard: this.#shard,
        key: decodeText(bytesOf(key)),
        job: about.job ? decodeText(about.job) : null,
        worker: about.worker ?? null,
        is,
        shouldBe,
        remedy: REMEDIES[code],
      });
    };
    await this.#look(subject, report);
    return found.map(violation => ({ subject, violation }));
  }

  #look(subject: Subject, report: Report): Promise<void> {
    switch (subject.kind) {
      case 'record':
        return this.#record(subject.key, report);
      case 'queued':
        return this.#queued(subject.group, subject.key, report);
      case 'owned':
        return this.#owned(subject.worker, subject.key, report);
      case 'dead-entry':
        return this.#deadEntry(subject.key, report);
      case 'dead-record':
        return this.#deadRecord(subject.key, report);
      case 'notes':
        return this.#notes(subject.key, report);
      case 'pending':
        return this.#pending(subject.group, report);
      case 'owner':
        return this.#owner(subject.worker, report);
      case 'schedule':
        return this.#schedule(subject.name, report);
      case 'typed':
        return this.#typed(subject.name, subject.type, report);
      case 'unknown':
        return this.#unknown(subject.name, report);
      case 'counters':
        return this.#counters(report);
      case 'settings':
        return this.#settings(report);
      case 'member-info':
        return this.#memberInfo(report);
    }
  }

  async #record(key: Buffer, report: Report): Promise<void> {
    const name = this.#keys.job(key);
    const [found, payload] = await Promise.all([
      this.#fields(name, ...RECORD_FIELDS),
      this.#read<number>('HEXISTS', name, 'payload'),
    ]);
    if (!found) return this.#typed(name, 'hash', report, { job: key });
    const [state, group, worker, token, notBefore] = found.map(text);
    const bad = badFields(found);
    if (payload !== 1) bad.push('payload');
    if (bad.length > 0) {
      if ((await this.#read<number>('EXISTS', name)) === 0) return;
      report('RECORD_BROKEN', name, `without a valid ${bad.join(', ')}`, 'a whole record', { job: key });
      return;
    }
    if (shardIndex(hash64(key), this.#shardCount) !== this.#shard) {
      report('WRONG_SHARD', name, `in shard ${this.#shard}`, `in shard ${shardIndex(hash64(key), this.#shardCount)}`, {
        job: key,
      });
    }
    if (state === 'pending') await this.#listedAsQueued(key, group as string, notBefore, report);
    else await this.#listedAsOwned(key, worker as string, state as string, Number(token), report);
  }

  async #listedAsQueued(key: Buffer, group: string, notBefore: string | undefined, report: Report): Promise<void> {
    const index = this.#keys.pending(group);
    const score = await this.#read<Buffer | null>('ZSCORE', index, key);
    if (score === undefined) return;
    if (score === null) report('NOT_INDEXED', index, 'without the job', 'with it: its record is pending', { job: key });
    else if (notBefore !== undefined && Number(String(score)) !== Number(notBefore)) {
      report('NOT_BEFORE_DIFFERS', index, `due at ${score}`, `due at ${notBefore}, as its record says`, { job: key });
    }
  }

  async #listedAsOwned(key: Buffer, worker: string, state: string, token: number, report: Report): Promise<void> {
    const index = this.#keys.owned(worker);
    this.topToken = Math.max(this.topToken, token);
    const [listed] = await Promise.all([
      this.#read<number>('SISMEMBER', index, key),
      token > this.#tokenSeen ? this.#lookAtToken() : undefined,
    ]);
    if (listed === 0) report('NOT_INDEXED', index, 'without the job', `with it: its record is ${state}`, { job: key });
    if (token > this.#tokenSeen) {
      report(
        'TOKEN_ABOVE_HIGH_WATER',
        this.#keys.config,
        `token ${this.#tokenSeen}`,
        `${token} or more, a job has it`,
        { job: key },
      );
    }
  }

  /** The high-water only rises: read after the record it is above every token there was. */
  async #lookAtToken(): Promise<void> {
    const found = await this.#fields(this.#keys.config, 'token');
    this.#tokenSeen = found ? Number(text(found[0] ?? null) ?? 0) : Number.POSITIVE_INFINITY;
  }

  async #queued(group: string, key: Buffer, report: Report): Promise<void> {
    const found = await this.#fields(this.#keys.job(key), 'state', 'group');
    if (!found || (text(found[0] ?? null) === 'pending' && text(found[1] ?? null) === group)) return;
    const index = this.#keys.pending(group);
    if (((await this.#read<Buffer | null>('ZSCORE', index, key)) ?? null) === null) return;
    this.#misplaced(index, found, key, report);
  }

  async #owned(worker: string, key: Buffer, report: Report): Promise<void> {
    const found = await this.#fields(this.#keys.job(key), 'state', 'worker');
    if (!found || (OWNED_STATES.has(text(found[0] ?? null) ?? '') && text(found[1] ?? null) === worker)) return;
    const index = this.#keys.owned(worker);
    if ((await this.#read<number>('SISMEMBER', index, key)) !== 1) return;
    this.#misplaced(index, found, key, report);
  }

  #misplaced(index: string, [state, place]: Fields, key: Buffer, report: Report): void {
    if (!state) report('NO_RECORD', index, 'with the job', 'without it: it has no record', { job: key });
    else
      report('MISPLACED', index, 'with the job', `without it: its record is ${state} of "${place ?? ''}"`, {
        job: key,
      });
  }

  async #deadEntry(key: Buffer, report: Report): Promise<void> {
    if ((await this.#read<number>('EXISTS', this.#keys.deadJob(key))) === 1) return;
    if (((await this.#read<Buffer | null>('ZSCORE', this.#keys.dead, key)) ?? null) === null) return;
    report('DEAD_WITHOUT_RECORD', this.#keys.dead, 'with the job', 'without it: it has no record', { job: key });
  }

  async #deadRecord(key: Buffer, report: Report): Promise<void> {
    const name = this.#keys.deadJob(key);
    const [found, score] = await Promise.all([
      this.#fields(name, 'state'),
      this.#read<Buffer | null>('ZSCORE', this.#keys.dead, key),
    ]);
    if (!found) return this.#typed(name, 'hash', report, { job: key });
    if (!found[0] || score !== null) return;
    report('DEAD_UNLISTED', this.#keys.dead, 'without the job', 'with it: there is a record of its death', {
      job: key,
    });
  }

  async #notes(key: Buffer, report: Report): Promise<void> {
    const name = this.#keys.notes(key);
    if ((await this.#read<number>('EXISTS', this.#keys.job(key))) === 1)
      return this.#typed(name, 'list', report, { job: key });
    if ((await this.#read<number>('EXISTS', name)) !== 1) return;
    report('NOTES_WITHOUT_JOB', name, 'there', 'gone with its job', { job: key });
  }

  /** One that is paused is due never; so is a ticker, which those who hold it look at themselves. */
  async #schedule(schedule: string, report: Report): Promise<void> {
    const name = this.#keys.schedule(schedule);
    const { schedules } = this.#keys;
    const [found, place, time] = await Promise.all([
      this.#fields(name, 'revision', 'next', 'key', 'paused'),
      this.#read<Buffer | null>('ZSCORE', schedules, schedule),
      this.#link.commands.call('TIME') as Promise<[Buffer, Buffer]>,
    ]);
    if (!found) return this.#typed(name, 'hash', report);
    if (place === undefined) return;
    const [revision, next, key, paused] = found.map(text);
    if (revision === undefined) {
      if (place !== null) report('SCHEDULE_WITHOUT_RECORD', name, 'gone, and still listed', 'not listed');
      return;
    }
    const dueMs = paused !== undefined || key === undefined ? Number.POSITIVE_INFINITY : Number(next);
    const latestMs = Math.max(dueMs, Number(time[0]) * 1000 + LATEST_TICK_MS);
    const listedMs = place === null ? Number.NaN : Number(String(place).replace('inf', 'Infinity'));
    if (listedMs === dueMs || (Number.isFinite(dueMs) && Number.isFinite(listedMs) && listedMs <= latestMs)) return;
    const is = place === null ? 'not listed' : `listed as due at ${listedMs}`;
    report('SCHEDULE_MISPLACED', name, is, `listed as due at ${dueMs}, as the record says`);
  }

  async #pending(group: string, report: Report): Promise<void> {
    this.#groups.add(group);
    const name = this.#keys.pending(group);
    await this.#typed(name, 'zset', report);
    if ((await this.#read<number>('SISMEMBER', this.#keys.groups, group)) !== 0) return;
    if ((await this.#read<number>('EXISTS', name)) !== 1) return;
    report('GROUP_UNLISTED', this.#keys.groups, `without "${group}"`, 'with it: jobs wait there');
  }

  async #owner(worker: string, report: Report): Promise<void> {
    this.#workers.add(worker);
    const name = this.#keys.owned(worker);
    await this.#typed(name, 'set', report);
    if ((await this.#read<Buffer | null>('ZSCORE', this.#keys.members, worker)) !== null) return;
    if ((await this.#read<number>('EXISTS', name)) !== 1) return;
    report('OWNER_NOT_MEMBER', this.#keys.members, `without "${worker}"`, 'with it until its jobs are reaped', {
      worker,
    });
  }

  async #typed(name: KeyBytes, type: string, report: Report, about?: About): Promise<void> {
    const found = String(await this.#link.commands.call('TYPE', name));
    if (found !== 'none' && found !== type) report('WRONG_TYPE', name, `a ${found}`, `a ${type}`, about);
  }

  async #unknown(name: Buffer, report: Report): Promise<void> {
    if ((await this.#read<number>('EXISTS', name)) === 1)
      report('UNKNOWN_KEY', name, 'there', 'under a name of a role');
  }

  async #settings(report: Report): Promise<void> {
    const { config } = this.#keys;
    const [found, time] = await Promise.all([
      this.#fields(config, 'generation', ...SETTINGS),
      this.#link.commands.call('TIME') as Promise<[Buffer, Buffer]>,
    ]);
    if (!found) return this.#typed(config, 'hash', report);
    const [generation, ...values] = found;
    if (!generation && values.every(value => value === null)) {
      report('CONFIG_MISSING', config, 'gone', 'there: the shard has other keys');
      return;
    }
    const wrong = SETTINGS.filter((_, at) => !isNumber(text(values[at] ?? null))) as string[];
    if (!generation) wrong.push('generation');
    if (wrong.length > 0) report('CONFIG_BROKEN', config, `without a valid ${wrong.join(', ')}`, 'complete');
    const setting = (name: (typeof SETTINGS)[number]) => Number(text(values[SETTINGS.indexOf(name)] ?? null));
    const aheadUs = setting('clock') - (Number(time[0]) * 1_000_000 + Number(time[1]));
    if (aheadUs > setting('clamp-ms') * 1000) {
      report(
        'CLOCK_AHEAD',
        config,
        `${Math.round(aheadUs / 1000)} ms ahead of Redis's time`,
        `${setting('clamp-ms')} ms at most`,
      );
    }
  }

  /**
   * The counters against the sizes of the indexes. Whatever changes them also writes the clock, so a sample counts only
   * when the clock stood still around it.
   */
  async #counters(report: Report): Promise<void> {
    const { config, groups, members, pending, owned } = this.#keys;
    const [listed, living] = await Promise.all([
      this.#read<Buffer[]>('SMEMBERS', groups),
      this.#read<Buffer[]>('ZRANGE', members, 0, -1),
    ]);
    if (!listed || !living) return;
    const queues = [...new Set([...listed.map(String), ...this.#groups])].map(pending);
    const owns = [...new Set([...living.map(String), ...this.#workers])].map(owned);
    for (let sample = 0; sample < COUNT_SAMPLES; sample++) {
      const stand = () => this.#fields(config, 'count', 'queued', 'clock', 'last-time', 'epoch');
      const [before, waits, holds, after] = await Promise.all([
        stand(),
        Promise.all(queues.map(name => this.#read<number>('ZCARD', name))),
        Promise.all(owns.map(name => this.#read<number>('SCARD', name))),
        stand(),
      ]);
      if (!before?.[0] || !after || waits.includes(undefined) || holds.includes(undefined)) return;
      if (before.join() !== after.join()) continue;
      const waiting = total(waits);
      const present = waiting + total(holds);
      const [count, queued] = before.map(text);
      if (Number(count) !== present) report('COUNT_DIFFERS', config, `count ${count}`, `count ${present}`);
      if (Number(queued) !== waiting) report('QUEUED_DIFFERS', config, `queued ${queued}`, `queued ${waiting}`);
      return;
    }
  }

  async #memberInfo(report: Report): Promise<void> {
    const { memberInfo, members } = this.#keys;
    const [infos, living] = await Promise.all([
      this.#read<Record<string, Buffer>>('HGETALL', memberInfo),
      this.#read<Buffer[]>('ZRANGE', members, 0, -1),
    ]);
    if (!infos || !living) return;
    const known = new Set(living.map(String));
    const left = new Set(
      Object.keys(infos)
        .map(field => field.slice(field.indexOf(':') + 1))
        .filter(id => !known.has(id)),
    );
    for (const worker of known) {
      const info = infos[`info:${worker}`];
      if (!info || parseWorkerInfo(String(info))) continue;
      report('MEMBER_INFO_BROKEN', memberInfo, `without a valid description of "${worker}"`, 'with one', { worker });
    }
    for (const worker of left) {
      report('MEMBER_INFO_LEFT', memberInfo, `describing "${worker}"`, 'silent about it: it is no member', { worker });
    }
  }

  #fields(name: KeyBytes, ...fields: string[]): Promise<Fields | undefined> {
    return this.#read<Fields>('HMGET', name, ...fields);
  }

  /** undefined when the key is of another type: that is told where the key itself is looked at. */
  async #read<T>(command: string, name: KeyBytes, ...args: Argument[]): Promise<T | undefined> {
    try {
      return (await this.#link.commands.call(command, name, ...args)) as T;
    } catch (error) {
      if (error instanceof WrongTypeError) return undefined;
      throw error;
    }
  }
}

interface About {
  job?: Buffer;
  worker?: string;
}

type Report = (code: ViolationCode, key: KeyBytes, is: string, shouldBe: string, about?: About) => void;

/** What the scripts need of a record and it does not have, as `pool/lua/_whole.lua`. */
function badFields(found: Fields): string[] {
  const [state, group, worker, token, , attempt, terms, dispatch] = found.map(text);
  const owned = OWNED_STATES.has(state ?? '');
  const valid: Record<string, boolean> = {
    state: owned || state === 'pending',
    group: Boolean(group),
    worker: !owned || Boolean(worker),
    token: !owned || isCount(token),
    attempt: isCount(attempt),
    terms: terms !== undefined && isTerms(terms),
    dispatch: dispatch !== undefined,
  };
  return Object.keys(valid).filter(field => !valid[field]);
}

function text(field: Buffer | null): string | undefined {
  return field === null ? undefined : String(field);
}

function isCount(value: string | undefined): boolean {
  return value !== undefined && /^\d{1,16}$/.test(value);
}

function isNumber(value: string | undefined): boolean {
  return value !== undefined && value !== '' && Number.isFinite(Number(value));
}

function bytesOf(name: KeyBytes): Uint8Array {
  return typeof name === 'string' ? Buffer.from(name) : name;
}

function total(counts: (number | undefined)[]): number {
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}
