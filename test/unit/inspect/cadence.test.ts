import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cadence, type Duty } from '../../../src/engine/inspect/cadence.ts';

const duties: Duty[] = [
  { name: 'often', everyMs: 1000 },
  { name: 'seldom', everyMs: 10_000 },
];

/** Runs what is due, waiting as told; each run costs what `cost` says. Returns how often each was run. */
function play(cadence: Cadence, list: readonly Duty[], cost: (name: string) => number, forMs: number) {
  const runs = new Map<string, number>();
  let spent = 0;
  for (let nowMs = 0; nowMs < forMs; ) {
    for (const name of cadence.due(list, nowMs)) {
      cadence.ran(name, nowMs);
      cadence.spend(cost(name));
      spent += cost(name);
      runs.set(name, (runs.get(name) ?? 0) + 1);
    }
    nowMs += Math.max(10, cadence.waitMs(list, nowMs));
  }
  return { runs, spent };
}

describe('the cadence of an observer', () => {
  it('reads everything at its pace while there is budget', () => {
    const { runs } = play(new Cadence({ burst: 60, maxDebt: 60 }, 100, 0), duties, () => 5, 60_000);
    expect(runs.get('often')).toBeGreaterThanOrEqual(58);
    expect(runs.get('seldom')).toBe(6);
  });

  it('never spends more than the budget and one burst, whatever things cost, and nothing starves', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 2, max: 20 }),
        (often, seldom, perSecond) => {
          const cadence = new Cadence({ burst: 60, maxDebt: 60 }, perSecond, 0);
          const { runs, spent } = play(cadence, duties, name => (name === 'often' ? often : seldom), 120_000);
          expect(spent).toBeLessThanOrEqual(perSecond * 120 + 60 + often + seldom);
          expect(runs.get('often')).toBeGreaterThan(0);
          expect(runs.get('seldom')).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('does not let one costly reading put the next off without end', () => {
    const cadence = new Cadence({ burst: 60, maxDebt: 60 }, 5, 0);
    cadence.spend(1_000_000);
    expect(cadence.waitMs(duties, 0)).toBeLessThan(13_000);
  });

  it('reads what is hastened at once, but lets it starve nobody', () => {
    const cadence = new Cadence({ burst: 10, maxDebt: 60 }, 5, 0);
    for (const name of cadence.due(duties, 0)) cadence.ran(name, 0);
    expect(cadence.due(duties, 100)).toEqual([]);
    cadence.hasten(duties[1] as Duty, 100);
    expect(cadence.due(duties, 100)).toEqual(['seldom']);
    cadence.hasten(duties[1] as Duty, 1500);
    expect(cadence.due(duties, 1500)[0]).toBe('often');
  });

  it('takes up another allowance from then on', () => {
    const cadence = new Cadence({ burst: 10, maxDebt: 60 }, 1, 0);
    cadence.spend(20);
    expect(cadence.waitMs(duties, 0)).toBeGreaterThan(10_000);
    cadence.allow(25, 0);
    expect(cadence.waitMs(duties, 0)).toBeLessThan(1000);
  });
});
