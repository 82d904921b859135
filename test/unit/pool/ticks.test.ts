import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MisfirePolicy, nextStep } from '../../../src/engine/pool/schedules/misfire.ts';
import { splitTiming, type Ticks, ticksOf } from '../../../src/engine/pool/schedules/ticks.ts';

const cron = (expression: string, timeZone?: string) => ticksOf({ cron: expression, timeZone }, 0);

/** The first ticks after a time, as texts in UTC to the minute. */
function first(ticks: Ticks, after: string, count: number): string[] {
  const found: string[] = [];
  for (let ms = Date.parse(after); found.length < count; ) {
    ms = ticks.after(ms) as number;
    found.push(new Date(ms).toISOString().slice(0, 16));
  }
  return found;
}

describe('ticks of a cron expression', () => {
  it('follow the wall clock of their time zone', () => {
    expect(first(cron('0 9 * * 1', 'America/New_York'), '2026-06-01T00:00Z', 2)).toEqual([
      '2026-06-01T13:00',
      '2026-06-08T13:00',
    ]);
    expect(first(cron('0 9 * * 1'), '2026-06-01T00:00Z', 1)).toEqual(['2026-06-01T09:00']);
    expect(first(cron('@daily', 'Asia/Kolkata'), '2026-06-01T00:00Z', 1)).toEqual(['2026-06-01T18:30']);
  });

  it('come once on the day the clock is put forward, after the gap when their time does not exist', () => {
    expect(first(cron('30 2 * * *', 'Europe/Paris'), '2026-03-28T00:00Z', 3)).toEqual([
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
    expect(first(cron('30 2,14 * * *', 'Europe/Paris'), '2026-03-28T14:00Z', 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-29T12:30',
    ]);
  });

  it('come once on the day the clock is put back, at the first of two equal times', () => {
    expect(first(cron('30 2 * * *', 'Europe/Paris'), '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  it('keep an even pace through both changes when they repeat', () => {
    const half = cron('*/30 * * * *', 'Europe/Paris');
    for (const around of ['2026-03-29T00:10Z', '2026-10-24T23:40Z']) {
      const times = first(half, around, 6).map(text => Date.parse(`${text}Z`));
      for (let i = 1; i < times.length; i++) expect((times[i] as number) - (times[i - 1] as number)).toBe(1_800_000);
    }
  });

  it('may have seconds', () => {
    expect(cron('*/10 * * * * *').after(Date.parse('2026-01-01T00:00:00.500Z'))).toBe(
      Date.parse('2026-01-01T00:00:10Z'),
    );
  });

  it('are refused when the expression or the zone is none', () => {
    const bad = ['', '* * * *', '61 * * * *', '2027-01-01T00:00:00', '* * * * * * *', '0 0 * * * * 2027', '@every 5s'];
    for (const expression of bad) {
      expect(() => cron(expression), expression).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    }
    expect(() => cron('* * * * *', 'Europe/Nowhere')).toThrow('time zone "Europe/Nowhere" is not known');
    expect(cron('0 0 30 2 *').after(0)).toBeUndefined();
  });
});

describe('ticks of an interval', () => {
  it('stand on their start, whenever one asks', () => {
    const ticks = ticksOf({ everyMs: 1000, startAtMs: 5300 }, 0);
    expect(ticks.after(0)).toBe(5300);
    expect(ticks.after(5300)).toBe(6300);
    expect(ticks.after(1_000_000_299.5)).toBe(1_000_000_300);
    expect(ticks.before(8300, 2)).toEqual([6300, 7300]);
    expect(ticks.before(7300.5, 100)).toEqual([5300, 6300, 7300]);
    expect(ticks.before(5300, 3)).toEqual([]);
    expect(ticksOf({ everyMs: 1000 }, 700).after(700)).toBe(1700);
  });

  it('are refused out of bounds', () => {
    for (const everyMs of [0, 99, 100.5, Number.NaN, 1e15]) {
      expect(() => ticksOf({ everyMs }, 0)).toThrow('"everyMs" is');
    }
  });

  it('are asked for with a cron expression or an interval, not both', () => {
    expect(() => splitTiming({} as never)).toThrow('either');
    expect(() => splitTiming({ cron: '* * * * *', everyMs: 1000 })).toThrow('either');
    expect(() => splitTiming({ everyMs: 1000, timeZone: 'UTC' } as never)).toThrow('"timeZone" goes with "cron"');
  });
});

describe('ticks of any kind', () => {
  const kinds = fc.constantFrom(
    cron('*/7 * * * * *'),
    cron('30 2 * * *', 'Europe/Paris'),
    cron('15 */3 * * 1-5', 'America/St_Johns'),
    ticksOf({ everyMs: 137, startAtMs: 1_700_000_000_123 }, 0),
  );
  const moment = fc.integer({ min: 1_700_000_000_123, max: 1_900_000_000_000 });

  it('are the same forwards and backwards', () => {
    fc.assert(
      fc.property(kinds, moment, (ticks, ms) => {
        const next = ticks.after(ms) as number;
        const later = ticks.after(next) as number;
        expect(next).toBeGreaterThan(ms);
        expect(ticks.before(later, 1)).toEqual([next]);
        expect(ticks.before(later + 1, 2)).toEqual([next, later]);
      }),
    );
  });
});

describe('a step', () => {
  const ticks = ticksOf({ everyMs: 1000, startAtMs: 0 }, 0);
  const step = (misfire: MisfirePolicy, dueMs: number, nowMs: number, maxMisfires = 100) =>
    nextStep(ticks, dueMs, nowMs, { misfire, maxMisfires, toleranceMs: 500 });

  it('is none before the tick', () => {
    expect(step('all', 10_000, 9999)).toBeUndefined();
  });

  it('acts for a tick that comes up in time, whatever the policy', () => {
    for (const policy of ['skip', 'one', 'all'] as const) {
      const expected = { tickMs: 10_000, nextMs: 11_000, late: false, catchesUp: false };
      expect(step(policy, 10_000, 10_000)).toEqual(expected);
      expect(step(policy, 10_000, 10_500)).toEqual(expected);
    }
  });

  it('passes over missed ticks up to the first that is not', () => {
    expect(step('skip', 10_000, 20_501)).toEqual({ tickMs: undefined, nextMs: 21_000, late: true, catchesUp: false });
    expect(step('skip', 10_000, 20_500)).toEqual({ tickMs: undefined, nextMs: 20_000, late: true, catchesUp: false });
  });

  it('acts once for all ticks that came up when some were missed, as the last of them', () => {
    expect(step('one', 10_000, 20_100)).toEqual({ tickMs: 20_000, nextMs: 21_000, late: true, catchesUp: false });
    expect(step('one', 10_000, 20_501)).toEqual({ tickMs: 20_000, nextMs: 21_000, late: true, catchesUp: false });
    expect(step('one', 10_000, 10_501)).toEqual({ tickMs: 10_000, nextMs: 11_000, late: true, catchesUp: false });
  });

  it('acts for each missed tick in order, at most for so many of the last', () => {
    expect(step('all', 10_000, 20_501)).toEqual({ tickMs: 10_000, nextMs: 11_000, late: true, catchesUp: true });
    expect(step('all', 10_000, 20_501, 3)).toEqual({ tickMs: 18_000, nextMs: 19_000, late: true, catchesUp: true });
    expect(step('all', 18_000, 20_501, 3)).toEqual({ tickMs: 18_000, nextMs: 19_000, late: true, catchesUp: true });
  });
});
