import type { OptionTable, OptionValues } from '../../core/options.ts';
import { dispatchOptions } from '../options.ts';

/** What a schedule and a ticker have in common. */
export const tickerOptions = {
  misfire: {
    kind: 'choice',
    default: 'one',
    choices: ['skip', 'one', 'all'],
    doc: 'What becomes of ticks that nobody was there for: none of them, one for all, or each in order.',
  },
  maxMisfires: {
    kind: 'count',
    default: 100,
    min: 1,
    max: 1000,
    doc: 'With `all`: how many ticks are made up for, the last ones.',
  },
  toleranceMs: {
    kind: 'ms',
    default: 2000,
    min: 0,
    max: 86_400_000,
    doc: 'How late a tick may come up and still not count as missed.',
  },
} as const satisfies OptionTable;

const { attempts, backoffMs, backoffMaxMs, retentionMs } = dispatchOptions;

export const scheduleOptions = { ...tickerOptions, attempts, backoffMs, backoffMaxMs, retentionMs } as const;

export type TickerSettings = OptionValues<typeof tickerOptions>;
export type ScheduleSettings = OptionValues<typeof scheduleOptions>;
