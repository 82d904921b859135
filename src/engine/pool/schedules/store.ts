/** The schedules and tickers of one shard, as its scripts see them. */
import { ConflictError, OptionError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Seat } from '../placement.ts';
import * as scripts from '../scripts.gen.ts';
import type { Shard } from '../shard.ts';
import type { Step } from './misfire.ts';
import {
  digestOf,
  parseRecord,
  RECORD_FIELDS,
  recordFields,
  type ScheduleRecord,
  type Specification,
} from './record.ts';
import { ticksOf } from './ticks.ts';

export interface DueSchedule {
  name: string;
  record: ScheduleRecord;
}

/** Of the dispatch of a tick; one for each tick, whoever acts for it. */
export function tickId(name: string, tickMs: number): string {
  return `sch:${name}:${tickMs}`;
}

/** The name is taken by another specification. */
export function nameTaken(name: string): ConflictError {
  return new ConflictError(`schedule "${name}" exists and is another one`, {
    code: 'SCHEDULE_EXISTS',
    hint: 'Ask for it to be replaced, or take another name.',
  });
}

export class ScheduleStore {
  readonly #shard: Shard;

  constructor(shard: Shard) {
    this.#shard = shard;
  }

  /**
   * Makes a schedule, or a ticker, which is due to nobody but those who hold it open.
   * @throws OptionError when it never ticks.
   */
  async put(name: string, specification: Specification, replace: boolean) {
    const { record, nowMs } = await this.read(name);
    const { job } = specification;
    const next = firstTick(name, specification, record, nowMs);
    const reply = await this.#shard.run(scripts.schedulePutScript, this.#keysOf(name), {
      name,
      digest: digestOf(specification),
      replace: replace ? 1 : 0,
      next,
      due: job ? next : '+inf',
      events: this.#shard.keys.events,
      fields: recordFields(specification, newId(), nowMs),
    });
    return reply.status;
  }

  /** Whether there is one of this name, the same or another. @throws OptionError when it never ticks. */
  async compare(name: string, specification: Specification): Promise<'ABSENT' | 'SAME' | 'OTHER'> {
    const { keys, link } = this.#shard;
    const { record, nowMs } = await this.read(name);
    firstTick(name, specification, record, nowMs);
    if (!record) return 'ABSENT';
    const digest = (await link.commands.call('HGET', keys.schedule(name), 'digest')) as Buffer | null;
    return String(digest) === digestOf(specification) ? 'SAME' : 'OTHER';
  }

  async pause(name: string) {
    const { events } = this.#shard.keys;
    return (await this.#shard.run(scripts.schedulePauseScript, this.#keysOf(name), { name, events })).status;
  }

  /** Goes on with the first tick from now on. */
  async resume(name: string): Promise<'RESUMED' | 'SAME' | 'ABSENT'> {
    for (;;) {
      const { record, nowMs } = await this.read(name);
      if (!record) return 'ABSENT';
      if (record.nextMs !== undefined) return 'SAME';
      const next = record.ticks().after(Math.max(nowMs, record.lastTickMs));
      if (next === undefined) throw new OptionError(`schedule "${name}" has no tick any more`);
      const { status } = await this.#shard.run(scripts.scheduleResumeScript, this.#keysOf(name), {
        name,
        revision: record.revision,
        next,
        due: record.key ? next : '+inf',
        events: this.#shard.keys.events,
      });
      // Replaced meanwhile: it is another one now.
      if (status !== 'STALE') return status;
    }
  }

  async remove(name: string) {
    const { events } = this.#shard.keys;
    return (await this.#shard.run(scripts.scheduleRemoveScript, this.#keysOf(name), { name, events })).status;
  }

  /** A record, and Redis's wall clock. */
  async read(name: string): Promise<{ record: ScheduleRecord | undefined; nowMs: number }> {
    const { keys, link } = this.#shard;
    const [row, nowMs] = await Promise.all([
      link.commands.call('HMGET', keys.schedule(name), ...RECORD_FIELDS),
      this.#nowMs(),
    ]);
    return { record: parseRecord(row as (Buffer | null)[]), nowMs };
  }

  /** Schedules to look at now, at most `most`, any of them; `nextMs` until there is another one, negative for never. */
  async due(most: number, random: number): Promise<{ nowMs: number; nextMs: number; due: DueSchedule[] }> {
    const reply = await this.#shard.run(scripts.scheduleDueScript, this.#keys, { most, random, fields: RECORD_FIELDS });
    const rows = reply.list as [Buffer, (Buffer | null)[]][];
    const due = rows.flatMap(([name, row]) => {
      const record = parseRecord(row);
      return record ? [{ name: String(name), record }] : [];
    });
    return { nowMs: reply.now_ms, nextMs: reply.next_ms, due };
  }

  /** Acts for the next tick of a schedule. `seat` is who should have the job. */
  fire({ name, record }: DueSchedule, step: Step, group: string, seat: Seat | undefined, epoch: number) {
    const { keys } = this.#shard;
    const id = tickId(name, step.tickMs ?? record.nextMs ?? 0);
    const key = record.key as Buffer;
    const inputs = {
      ...this.#keysOf(name),
      members: keys.members,
      member_info: keys.memberInfo,
      groups: keys.groups,
      pending: keys.pending(group),
      own: keys.owned(seat?.id ?? ''),
      job: keys.job(key),
      record: keys.dispatch(id),
      ledger: keys.ledger,
    };
    return this.#shard.run(scripts.fireScript, inputs, {
      name,
      revision: record.revision,
      expected: record.nextMs ?? '',
      tick: step.tickMs ?? '',
      id,
      next: step.nextMs,
      late: step.late ? 1 : 0,
      waits: step.catchesUp ? 1 : 0,
      group,
      worker: seat?.id ?? '',
      epoch,
      capacity: seat?.capacity ?? 0,
      mailbox_prefix: keys.mailboxPrefix,
      events: keys.events,
    });
  }

  /** Looks at the tick again after `delayMs`. */
  async defer(name: string, record: ScheduleRecord, failure: string, delayMs: number): Promise<void> {
    const tick = record.nextMs ?? '';
    const args = { name, revision: record.revision, tick, failure, delay_ms: Math.ceil(delayMs) };
    await this.#shard.run(scripts.scheduleDeferScript, this.#keysOf(name), args);
  }

  /** `claim`: what the caller has of it already, or empty. */
  claim(name: string, record: ScheduleRecord, holder: string, claim: string, leaseMs: number) {
    const { revision, nextMs: tick = '' } = record;
    const args = { revision, tick, holder, claim, lease_ms: Math.ceil(leaseMs) };
    return this.#shard.run(scripts.tickerClaimScript, this.#keysOf(name), args);
  }

  finish(name: string, claim: string, step: Step, failure: string) {
    return this.#shard.run(scripts.tickerFinishScript, this.#keysOf(name), {
      claim,
      tick: step.tickMs ?? '',
      next: step.nextMs,
      late: step.late ? 1 : 0,
      failure,
    });
  }

  get #keys() {
    const { config, schedules, schedulePrefix } = this.#shard.keys;
    return { config, schedules, schedule_prefix: schedulePrefix };
  }

  #keysOf(name: string) {
    return { ...this.#keys, schedule: this.#shard.keys.schedule(name) };
  }

  async #nowMs(): Promise<number> {
    const [seconds, micros] = (await this.#shard.link.commands.call('TIME')) as [Buffer, Buffer];
    return Number(String(seconds)) * 1000 + Math.floor(Number(String(micros)) / 1000);
  }
}

/** @throws OptionError */
function firstTick(name: string, { timing }: Specification, record: ScheduleRecord | undefined, nowMs: number): number {
  // What has ticked never ticks again, also when the clock was put back.
  const next = ticksOf(timing, nowMs).after(Math.max(nowMs, record?.lastTickMs ?? 0));
  if (next === undefined) throw new OptionError(`schedule "${name}" would never tick`);
  return next;
}
