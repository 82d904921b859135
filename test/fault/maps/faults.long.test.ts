import { describe, expect, it } from 'vitest';
import { useRedis } from '../../support/fixture.ts';
import { recordFigures, seeds } from '../report.ts';
import { blocked, counted, flushed, lastMessageLost, subscribersKilled } from './scenarios.ts';

const POLL_MS = 5000;
/** Within the time of a poll, by a machine with six processes to look after. */
const FOUND_MS = POLL_MS + 500;

interface Outcome {
  convergedMs: number;
}

describe('replicas of a map in processes of their own, again and again', () => {
  const redis = useRedis();

  async function repeat<T extends Outcome>(
    usualRuns: number,
    fault: string,
    run: (seed: number) => Promise<T>,
    more: (all: T[]) => Record<string, number | string> = () => ({}),
  ): Promise<T[]> {
    const all: (T & { seed: number })[] = [];
    for (const seed of seeds(usualRuns)) all.push({ ...(await run(seed)), seed });
    const worst = all.reduce((a, b) => (b.convergedMs > a.convergedMs ? b : a));
    recordFigures({
      fault,
      runs: all.length,
      overlaps: 0,
      lost: 0,
      worstGapMs: worst.convergedMs,
      seed: worst.seed,
      // Convergence is waited for: a copy that stays divergent ends the test before this.
      more: { 'divergent copies': 0, ...more(all) },
    });
    return all;
  }
  const sum = <T>(all: T[], of: (each: T) => number) => all.reduce((total, each) => total + of(each), 0);

  it('copies converge when subscribers are killed during the writes', async () => {
    const all = await repeat(
      5,
      'the subscribers of 5 replicas killed 10 times, 200 writes a second on 2000 keys',
      seed => subscribersKilled(redis, { resets: 10, everyMs: 1000, seed }),
      runs => ({ writes: sum(runs, ({ doneCount }) => doneCount) }),
    );
    for (const { convergedMs } of all) expect(convergedMs).toBeLessThan(5000);
  });

  it('copies find the last message lost by their polls', async () => {
    const all = await repeat(5, 'the last message of 5 replicas lost, then silence; polls each 5 s', seed =>
      lastMessageLost(redis, { pollIntervalMs: POLL_MS, seed }),
    );
    for (const { convergedMs } of all) expect(convergedMs).toBeLessThan(FOUND_MS);
  });

  it('copies tell a flush once and follow what is written', async () => {
    const all = await repeat(10, 'FLUSHDB under 3 replicas that write', seed =>
      flushed(redis, { onStateLoss: 'clear', processCount: 3, entryCount: 2000, seed }),
    );
    for (const { reports } of all) for (const { lostCount } of reports) expect(lostCount).toBe(1);
  });

  it('a flushed map is written back, by one replica for all', async () => {
    const all = await repeat(
      10,
      'FLUSHDB under 5 replicas that write, onStateLoss reassert, 20 000 entries',
      seed => flushed(redis, { onStateLoss: 'reassert', processCount: 5, entryCount: 20_000, seed }),
      runs => ({
        'longest until all told it, ms': Math.max(...runs.map(({ toldMs }) => toldMs)),
        'entries missing': sum(runs, ({ missingCount }) => missingCount),
        'times written back': sum(runs, ({ reports }) => sum(reports, ({ ownCount }) => ownCount)),
      }),
    );
    for (const { reports, missingCount } of all) {
      expect(missingCount).toBe(0);
      expect(sum(reports, ({ ownCount }) => ownCount)).toBe(1);
      for (const { lostCount, reassertedCount } of reports) expect([lostCount, reassertedCount]).toEqual([0, 1]);
    }
  });

  it('a copy that was too slow, and cut off by Redis, catches up', async () => {
    const all = await repeat(
      5,
      'changes past a process that stands still, until the 8 MB that Redis keeps are full',
      seed => blocked(redis, { megabytes: 64, limitMegabytes: 8, seed }),
    );
    for (const { cut } of all) expect(cut).toBe(1);
  });

  it('each write is done once when replies are lost', async () => {
    const all = await repeat(
      1,
      '100 processes change the same three entries; replies lost and connections cut all the while',
      seed => counted(redis, { processCount: 100, each: 10, seed }),
      runs => ({
        'writes done': sum(runs, ({ known }) => known.increments + known.appends + known.swaps),
        'outcomes unknown': sum(runs, ({ known }) => known.uncertain),
      }),
    );
    for (const { known, found } of all) {
      const { increments, appends, swaps, uncertain } = known;
      expect(uncertain).toBe(0);
      expect(found).toEqual({ increments, appends, distinct: appends, swaps });
    }
  });
});
