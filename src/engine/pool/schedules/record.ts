/**
 * A schedule's record in Redis, as those who act on it read and write it. It never changes but for its next tick, its
 * claim and its counters: another specification is another revision.
 */
import { hash } from 'node:crypto';
import { type Bytes, byteLength } from '../../core/bytes.ts';
import type { OptionInput } from '../../core/options.ts';
import { storedCount } from '../../core/stored.ts';
import type { KeyBytes } from '../../redis/keys.ts';
import type { Argument } from '../../redis/script.ts';
import { formatTerms } from '../terms.ts';
import { isMisfirePolicy, type MisfireTerms } from './misfire.ts';
import { type ScheduleSettings, scheduleOptions, type TickerSettings, type tickerOptions } from './options.ts';
import { DEFAULT_TIME_ZONE, type Ticks, type Timing, ticksOf } from './ticks.ts';

/** What a schedule dispatches and when. */
export type Schedule = Timing &
  OptionInput<typeof scheduleOptions> & {
    /** Key of the job. While there is a job of that key, a tick has what it wants and dispatches nothing. */
    readonly key: string;
    readonly payload?: Bytes | undefined;
  };

/** When a ticker ticks. */
export type TickerInput = Timing & OptionInput<typeof tickerOptions>;

/** What a schedule or ticker is made of, whatever its name. */
export interface Specification {
  readonly timing: Timing;
  readonly settings: TickerSettings | ScheduleSettings;
  /** Undefined for a ticker. */
  readonly job: { readonly key: KeyBytes; readonly payload: Bytes } | undefined;
}

export const RECORD_FIELDS = [
  'revision',
  'next',
  'key',
  'cron',
  'time-zone',
  'every',
  'anchor',
  'misfire',
  'max-misfires',
  'tolerance',
  'failures',
  'last-tick',
] as const;

/** What is needed to act for a schedule. */
export interface ScheduleRecord {
  readonly revision: string;
  /** Undefined while it is paused. */
  readonly nextMs: number | undefined;
  readonly lastTickMs: number;
  /** Undefined for a ticker. */
  readonly key: Buffer | undefined;
  readonly terms: MisfireTerms;
  /** How often the next tick could not be acted for. */
  readonly failures: number;
  /** @throws OptionError when this process cannot read the specification: it may be of a later version. */
  ticks(): Ticks;
}

/** The fields of a new record. `anchorMs` is when it is made: an interval without a start begins there. */
export function recordFields(specification: Specification, revision: string, anchorMs: number): Argument[] {
  const { timing, settings } = specification;
  const fields: Argument[] = ['revision', revision, 'created-at', anchorMs, ...timingFields(timing)];
  if (!('cron' in timing)) fields.push('anchor', timing.startAtMs ?? anchorMs);
  fields.push(...settingFields(settings), ...jobFields(specification));
  return fields;
}

/** The same specification has the same digest, whenever it is given. */
export function digestOf(specification: Specification): string {
  const { timing, settings } = specification;
  const start = 'cron' in timing ? '' : (timing.startAtMs ?? '');
  const fields = [...timingFields(timing), start, ...settingFields(settings), ...jobFields(specification)];
  return hash('sha1', JSON.stringify(fields.map(field => (typeof field === 'number' ? field : hash('sha1', field)))));
}

export function parseRecord(row: readonly (Buffer | null)[]): ScheduleRecord | undefined {
  const text = (at: number) => (row[at] == null ? undefined : String(row[at]));
  const [revision, next, , cron, timeZone, every, anchor, misfire, maxMisfires, tolerance, failures, lastTick] =
    row.map((_, at) => text(at));
  if (revision === undefined) return undefined;
  return {
    revision,
    // Without one it waits, as if it were paused, until somebody replaces it.
    nextMs: storedCount(next, undefined),
    lastTickMs: storedCount(lastTick, 0),
    key: row[2] ?? undefined,
    terms: {
      misfire: isMisfirePolicy(misfire) ? misfire : 'one',
      maxMisfires: Math.min(storedCount(maxMisfires, 1), scheduleOptions.maxMisfires.max),
      toleranceMs: storedCount(tolerance, 0),
    },
    failures: storedCount(failures, 0),
    ticks: () => ticksOf(cron === undefined ? { everyMs: Number(every) } : { cron, timeZone }, Number(anchor)),
  };
}

function timingFields(timing: Timing): Argument[] {
  if (!('cron' in timing)) return ['every', timing.everyMs];
  return ['cron', timing.cron, 'time-zone', timing.timeZone ?? DEFAULT_TIME_ZONE];
}

function settingFields(settings: TickerSettings | ScheduleSettings): Argument[] {
  const { misfire, maxMisfires, toleranceMs } = settings;
  return ['misfire', misfire, 'max-misfires', maxMisfires, 'tolerance', Math.ceil(toleranceMs)];
}

/** What a job dispatched by the schedule is given, as its own record has it. */
function jobFields({ settings, job }: Specification): Argument[] {
  if (!job) return [];
  const { attempts, backoffMs, backoffMaxMs, retentionMs } = settings as ScheduleSettings;
  const payloadBytes = byteLength(job.payload);
  const keepMs = Math.ceil(retentionMs);
  const terms = formatTerms({ attempts, backoffMs, backoffMaxMs, payloadBytes, keepMs, replyTo: '', digest: '' });
  return ['terms', terms, 'key', job.key, 'payload', job.payload];
}
