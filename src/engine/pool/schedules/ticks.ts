/**
 * When a schedule ticks, computed from its specification alone: no tick depends on when another one came up, so nothing
 * drifts and every process computes the same. A tick is a wall time in whole milliseconds, and names itself.
 */
import { Cron } from 'croner';
import { describeError, OptionError } from '../../core/errors.ts';

/** Ticks by a cron expression, of five fields or of six with seconds first. */
export interface CronTiming {
  readonly cron: string;
  /**
   * Name of a zone as `Europe/Paris`; default `UTC`. Where the clock is put forward, a fixed time that does not exist
   * ticks at the first moment after the gap; where it is put back, a fixed time ticks once, at its first occurrence.
   */
  readonly timeZone?: string | undefined;
}

/** Ticks at `startAtMs` and each `everyMs` after it. */
export interface IntervalTiming {
  readonly everyMs: number;
  /** Default: when the schedule is made. */
  readonly startAtMs?: number | undefined;
}

export type Timing = CronTiming | IntervalTiming;

export interface Ticks {
  /** The first tick after that time; undefined when there is none. */
  after(ms: number): number | undefined;
  /** The last ticks before that time, at most `count`, in order. */
  before(ms: number, count: number): number[];
}

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 10 * 366 * 86_400_000;
/** Last moment a `Date` can hold. */
const END_OF_TIME_MS = 8.64e15;
const MAX_CRON_CHARS = 256;
export const DEFAULT_TIME_ZONE = 'UTC';

/**
 * Parts when from what.
 * @throws OptionError unless there is either a cron expression or an interval.
 */
export function splitTiming<Input extends Timing>(
  input: Input,
): [Timing, Omit<Input, keyof CronTiming | keyof IntervalTiming>] {
  const { cron, timeZone, everyMs, startAtMs, ...rest } = input as Input & Partial<CronTiming & IntervalTiming>;
  if ((cron === undefined) === (everyMs === undefined)) {
    throw new OptionError('a schedule needs either "cron" or "everyMs"');
  }
  if (cron === undefined && timeZone !== undefined) throw new OptionError('"timeZone" goes with "cron"');
  if (everyMs === undefined && startAtMs !== undefined) throw new OptionError('"startAtMs" goes with "everyMs"');
  return [cron === undefined ? { everyMs: everyMs as number, startAtMs } : { cron, timeZone }, rest];
}

/** @throws OptionError when the specification is not one, or never ticks. */
export function ticksOf(timing: Timing, anchorMs: number): Ticks {
  if ('cron' in timing) return cronTicks(timing.cron, timing.timeZone ?? DEFAULT_TIME_ZONE);
  return intervalTicks(timing.everyMs, timing.startAtMs ?? anchorMs);
}

function intervalTicks(everyMs: number, startMs: number): Ticks {
  if (!Number.isInteger(everyMs) || everyMs < MIN_INTERVAL_MS || everyMs > MAX_INTERVAL_MS) {
    const [min, max] = [MIN_INTERVAL_MS, MAX_INTERVAL_MS];
    throw new OptionError(`schedule: "everyMs" is ${everyMs}, allowed: a whole number from ${min} to ${max}`, {
      bounds: { owner: 'schedule', name: 'everyMs', kind: 'ms', given: everyMs, min, max },
    });
  }
  if (!Number.isInteger(startMs) || startMs < 0 || startMs > END_OF_TIME_MS) {
    throw new OptionError(`schedule: "startAtMs" is ${startMs}, which is no time since 1970`);
  }
  const numberOf = (ms: number) => Math.floor((ms - startMs) / everyMs);
  return {
    after: ms => startMs + Math.max(0, numberOf(ms) + 1) * everyMs,
    before(ms, count) {
      const last = Math.ceil((ms - startMs) / everyMs) - 1;
      const first = Math.max(0, last - count + 1);
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => startMs + (first + at) * everyMs);
    },
  };
}

function cronTicks(expression: string, timeZone: string): Ticks {
  let cron: Cron;
  try {
    if (typeof expression !== 'string' || expression.length > MAX_CRON_CHARS) throw new Error('it is too long');
    cron = new Cron(checkFields(expression), {
      paused: true,
      timezone: checkTimeZone(timeZone),
      mode: '5-or-6-parts',
      fixedTimeRule: 'no-wildcard',
    });
  } catch (error) {
    if (error instanceof OptionError) throw error;
    const why = describeError(error instanceof Error ? error.message : error, 200).replace(/^Cron\w+: /, '');
    throw new OptionError(`"${expression.slice(0, MAX_CRON_CHARS)}" is no cron expression: ${why}`, {
      hint: "Write minute, hour, day, month and weekday, as in '*/5 * * * *', or seconds before them.",
    });
  }
  return {
    after: ms => cron.nextRun(new Date(ms))?.getTime(),
    before: (ms, count) =>
      cron
        .previousRuns(count, new Date(ms))
        .map(date => date.getTime())
        .reverse(),
  };
}

/** The library reads dates too; a date is no cron expression. */
function checkFields(expression: string): string {
  const trimmed = expression.trim();
  if (!trimmed.startsWith('@') && !/\s/.test(trimmed)) throw new Error('it has one field');
  return trimmed;
}

function checkTimeZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return timeZone;
  } catch {
    throw new OptionError(`time zone "${String(timeZone).slice(0, 64)}" is not known`, {
      hint: 'Give a name of the IANA database, as Europe/Paris or UTC.',
    });
  }
}
