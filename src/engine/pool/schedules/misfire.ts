/**
 * What to do with a tick that has come up. One that comes up later than the tolerance was missed, with those after it
 * that are as late: nobody was there, or Redis's clock was put forward. The policy says what becomes of them.
 */
import { InvariantError } from '../../core/errors.ts';
import type { Ticks } from './ticks.ts';

/** `skip`: nothing. `one`: the last tick that has come up, for all. `all`: each, in order, the last `maxMisfires` of them. */
export type MisfirePolicy = 'skip' | 'one' | 'all';

export function isMisfirePolicy(text: string | undefined): text is MisfirePolicy {
  return text === 'skip' || text === 'one' || text === 'all';
}

export interface MisfireTerms {
  misfire: MisfirePolicy;
  maxMisfires: number;
  toleranceMs: number;
}

export interface Step {
  /** The tick to act for; undefined when the missed ones are passed over. */
  tickMs: number | undefined;
  /** The tick after this step. */
  nextMs: number;
  /** Ticks were missed. */
  late: boolean;
  /** A missed tick that is made up for: it has its turn when the one before is done with. */
  catchesUp: boolean;
}

/** The next step of a schedule whose next tick is `dueMs`; undefined when that is still to come. */
export function nextStep(ticks: Ticks, dueMs: number, nowMs: number, terms: MisfireTerms): Step | undefined {
  if (dueMs > nowMs) return undefined;
  const lateMs = nowMs - terms.toleranceMs;
  if (dueMs >= lateMs) return { tickMs: dueMs, nextMs: after(ticks, dueMs), late: false, catchesUp: false };
  if (terms.misfire === 'skip') {
    return { tickMs: undefined, nextMs: after(ticks, lateMs - 1), late: true, catchesUp: false };
  }
  const one = terms.misfire === 'one';
  const candidates = one ? ticks.before(nowMs + 1, 1) : ticks.before(lateMs, terms.maxMisfires);
  const tickMs = candidates.find(tick => tick >= dueMs) ?? dueMs;
  return { tickMs, nextMs: after(ticks, tickMs), late: true, catchesUp: !one };
}

function after(ticks: Ticks, ms: number): number {
  const next = ticks.after(ms);
  if (next === undefined || next <= ms) throw new InvariantError(`a schedule has no tick after ${ms}`);
  return next;
}
