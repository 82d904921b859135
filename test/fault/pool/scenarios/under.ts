/** A fault with load before it, while everything comes back, and after that. */
import { until } from '../../../support/until.ts';
import { openDispatches, slowestDispatchMs } from '../dispatches.ts';
import { nowMs } from '../journal.ts';
import type { Scenario } from '../scenario.ts';
import { POOL, type Stage } from '../stage.ts';

export interface UnderFault extends Record<string, number> {
  /** How long the fault lasted: `act`. */
  faultMs: number;
  /** From the end of the fault until every job showed itself. */
  backMs: number;
  /** From the beginning of the fault until a client that was connected before it was answered after its end. */
  answeredMs: number;
  /** What the slowest dispatch took more than the fault. */
  beyondFaultMs: number;
}

export async function under(stage: Stage, fault: string, act: () => Promise<unknown>): Promise<UnderFault> {
  await stage.last(stage.between(300, 1000));
  stage.note(fault);
  const fromMs = nowMs();
  await act();
  stage.note('it is over');
  const overMs = nowMs();
  const answered = answers(stage).then(() => nowMs() - fromMs);
  await stage.untilAlive(overMs);
  const backMs = nowMs() - overMs;
  await stage.last(stage.between(500, 1500));
  await stage.until(({ events }) => openDispatches(events, overMs) === 0, 'every dispatch to be answered');
  const { events } = stage.history;
  const faultMs = overMs - fromMs;
  return {
    faultMs,
    backMs,
    answeredMs: await answered,
    beyondFaultMs: slowestDispatchMs(events, fromMs) - faultMs,
  };
}

/** What ran feels nothing. A dispatch waits for the move, and for one lease after it, for another server has the shard. */
export const movedSlot: Scenario['bounds'] = ({ lease }) => ({
  backMs: 1000,
  gapMs: 1000,
  fences: 0,
  mostRestarts: 1,
  answeredMs: 3000,
  beyondFaultMs: lease.leaseMs + 500,
});

function answers({ link, options }: Stage): Promise<unknown> {
  const configs = Array.from({ length: options.shards }, (_, shard) => link.keys.pool(POOL, shard).config);
  const ask = () => Promise.all(configs.map(config => link.commands.call('HGET', config, 'clock')));
  return until(() => ask().catch(() => undefined), 'an answer', { limitMs: 30_000, everyMs: 20 });
}
