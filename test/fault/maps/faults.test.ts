import { describe, expect, it } from 'vitest';
import { useRedis } from '../../support/fixture.ts';
import { blocked, counted, flushed, lastMessageLost, subscribersKilled } from './scenarios.ts';

const seed = 1;

describe('replicas of a map in processes of their own', { timeout: 60_000 }, () => {
  const redis = useRedis();

  it('converge when subscribers are killed during the writes', async () => {
    const { doneCount, staleCount } = await subscribersKilled(redis, { resets: 4, everyMs: 400, seed });
    expect(doneCount).toBeGreaterThan(50);
    expect(staleCount).toBeGreaterThanOrEqual(4 * 5);
  });

  it('find the last message lost by their polls', async () => {
    await expect(lastMessageLost(redis, { pollIntervalMs: 500, seed })).resolves.toBeDefined();
  });

  it('tell a flush once and follow what is written', async () => {
    const { reports, generations } = await flushed(redis, {
      onStateLoss: 'clear',
      processCount: 3,
      entryCount: 200,
      seed,
    });
    expect(reports.map(({ lostCount, reassertedCount }) => [lostCount, reassertedCount])).toEqual(
      reports.map(() => [1, 0]),
    );
    expect(new Set([...generations, ...reports.map(({ generation }) => generation)]).size).toBe(2);
  });

  it('write back what was flushed, one of them for all', async () => {
    const result = await flushed(redis, { onStateLoss: 'reassert', processCount: 3, entryCount: 3000, seed });
    expect(result.missingCount).toBe(0);
    expect(result.reports.map(({ lostCount, reassertedCount }) => [lostCount, reassertedCount])).toEqual(
      result.reports.map(() => [0, 1]),
    );
    expect(result.reports.reduce((sum, { ownCount }) => sum + ownCount, 0)).toBe(1);
  });

  it('catch up when one was too slow and Redis cut it off', async () => {
    const { cut } = await blocked(redis, { megabytes: 30, limitMegabytes: 4, seed });
    expect(cut).toBe(1);
  });

  it('do each write once when replies are lost', async () => {
    const { known, found, cuts } = await counted(redis, { processCount: 4, each: 25, seed });
    expect(cuts).toBeGreaterThan(0);
    expect(known.uncertain).toBe(0);
    const { increments, appends, swaps } = known;
    expect(found).toEqual({ increments, appends, distinct: appends, swaps });
    expect(increments).toBeGreaterThan(10);
  });
});
