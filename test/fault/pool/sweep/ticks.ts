/** What the sweep lets tick, and what it demands: of a schedule that each tick dispatches once, of a ticker that each is run. */
import { listSchedules } from '../../../../src/engine/inspect/schedules.ts';
import type { RedisLink } from '../../../../src/engine/redis/link.ts';
import { dispatchCount, dispatchedTicks, EVERY_MS } from '../schedule-stage.ts';

/** Names of schedules, and the keys of what they dispatch: jobs that end at once in the victim. */
export const LASTING = 'done-lasting';
export const PASSING = 'done-passing';
export const TICKER = 'beat';
/** No tick is late, so that none may be passed over. */
export const TIMING = { everyMs: EVERY_MS, toleranceMs: 60_000 };

/** Far more than one interval, even when all of the machine is busy. */
const STANDING_MS = 10 * EVERY_MS;

/** Of every schedule there is. */
export async function findWrongTicks(link: RedisLink, pool: string): Promise<string[]> {
  const wrong: string[] = [];
  const schedules = (await listSchedules(link, pool)).filter(({ kind }) => kind === 'job');
  for (const { name, state, nextAtMs, lastTickAtMs, firedCount, occupiedCount } of schedules) {
    if (nextAtMs === null ? state !== 'PAUSED' : nextAtMs < Date.now() - STANDING_MS)
      wrong.push(`${name} stands still`);
    if (lastTickAtMs === null) continue;
    const ticks = await dispatchedTicks({ link, pool }, name);
    const logged = await dispatchCount({ link, pool }, name);
    if (logged !== firedCount || ticks.length !== firedCount)
      wrong.push(`${name} dispatched ${logged} times, for ${ticks.length} ticks, and counted ${firedCount}`);
    const due = (lastTickAtMs - (ticks[0] ?? lastTickAtMs)) / EVERY_MS + 1;
    if (name === LASTING && firedCount + occupiedCount !== due)
      wrong.push(`${name} acted for ${firedCount + occupiedCount} ticks of ${due}`);
  }
  return wrong;
}

/**
 * Of the ticks that ran, by their times: before the crash, and after it. `mayRepeat`: nobody knows whether the last one
 * before was over. `whole`: the ticker is the same one all the time.
 */
export function findWrongRuns(
  before: readonly number[],
  after: readonly number[],
  { mayRepeat, whole }: { mayRepeat: boolean; whole: boolean },
): string[] {
  if (after.length === 0) return [`${TICKER} stands still`];
  const over = mayRepeat ? before.slice(0, -1) : before;
  const all = [...over, ...after];
  const again = new Set(all.filter((tick, at) => all.indexOf(tick) !== at));
  const wrong = [...again].map(tick => `${TICKER} ran ${tick} again`);
  const times = [...new Set([...before, ...after])].sort((a, b) => a - b);
  const gaps = times.filter((tick, at) => at > 0 && tick - (times[at - 1] as number) !== EVERY_MS);
  return whole ? [...wrong, ...gaps.map(tick => `${TICKER} left out what was before ${tick}`)] : wrong;
}
