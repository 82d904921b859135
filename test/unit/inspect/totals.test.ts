import { describe, expect, it } from 'vitest';
import { JobRecords } from '../../../src/engine/inspect/job-records.ts';
import { RateBoard } from '../../../src/engine/inspect/rates.ts';
import { StallWatch } from '../../../src/engine/inspect/stalls.ts';
import { jobRecord, pool } from '../../ui/fixtures.ts';

describe('rates', () => {
  it('follow from totals, one value of history a second', () => {
    const board = new RateBoard();
    board.note('pool:a', 100, 0);
    expect(board.read().get('pool:a')).toEqual({ perSecond: null, history: [] });
    board.note('pool:a', 130, 3000);
    expect(board.read().get('pool:a')).toEqual({ perSecond: 10, history: [10, 10, 10] });
    board.note('pool:a', 130, 3500);
    expect(board.read().get('pool:a')?.history).toEqual([10, 10, 10, 0]);
  });

  it('begin anew when a total goes back, and keep a minute', () => {
    const board = new RateBoard();
    for (let at = 0; at < 200; at++) board.note('x', at * 2, at * 1000);
    expect(board.read().get('x')?.history).toHaveLength(60);
    board.note('x', 1, 201_000);
    expect(board.read().get('x')).toEqual({ perSecond: null, history: [] });
  });

  it('of what is gone are forgotten', () => {
    const board = new RateBoard();
    board.note('pool:a', 1, 0);
    board.note('stream:a', 1, 0);
    board.keepOnly('pool:', []);
    expect([...board.read().keys()]).toEqual(['stream:a']);
  });
});

describe('a stalled queue', () => {
  it('is one with queued jobs while none is started', () => {
    const watch = new StallWatch();
    const see = (queuedCount: number, startedTotal: number, nowMs: number) =>
      watch.note([pool('a', { queuedCount, startedTotal })], nowMs).get('a');
    expect(see(0, 5, 0)).toBeUndefined();
    expect(see(3, 5, 1000)).toBe(1000);
    expect(see(3, 5, 9000)).toBe(9000);
    expect(see(3, 6, 10_000)).toBeUndefined();
    expect(see(3, 6, 15_000)).toBe(5000);
    expect(see(0, 6, 16_000)).toBeUndefined();
    expect(see(1, 6, 17_000)).toBe(1000);
  });
});

describe('the records of jobs on screen', () => {
  const keys = (count: number, worker = 'w-01') =>
    Array.from({ length: count }, (_, at) => ({ key: `k${at}`, worker }));
  const records = (names: string[], worker = 'w-01') => names.map(name => jobRecord(name, { worker }));

  it('are all read at first, then in turn as far as the budget goes, and never twice what is not seen', () => {
    const board = new JobRecords();
    board.read('p', keys(100));
    board.show('p', ['k0', 'k1', 'k2', 'k3']);
    let jobs = board.read('p', keys(100));
    expect(board.choose(jobs, 1)).toEqual(['k0', 'k1', 'k2', 'k3']);
    jobs = board.note('p', ['k0', 'k1', 'k2', 'k3'], records(['k0', 'k1', 'k2', 'k3']), 0);
    const turns = [board.choose(jobs, 4), board.choose(jobs, 4)];
    expect(turns.flat().sort()).toEqual(['k0', 'k1', 'k2', 'k3']);
    expect(board.choose(jobs, -10)).toHaveLength(1);
  });

  it('are read at once when the key moved, and forgotten when it is gone', () => {
    const board = new JobRecords();
    board.show('p', ['k0', 'k1']);
    board.read('p', keys(2));
    board.note('p', ['k0', 'k1'], records(['k0', 'k1']), 0);
    const moved = board.read('p', keys(1, 'w-02'));
    expect(board.missing(moved)).toEqual(['k0']);
    expect([...moved.records.keys()]).toEqual(['k0']);
  });

  it('know since when a job is in its state', () => {
    const board = new JobRecords();
    board.show('p', ['k0']);
    board.read('p', keys(1));
    board.note('p', ['k0'], [jobRecord('k0', { state: 'ASSIGNED' })], 1000);
    expect(board.note('p', ['k0'], [jobRecord('k0', { state: 'ASSIGNED' })], 5000).sinceMs.get('k0')).toBe(1000);
    expect(board.note('p', ['k0'], [jobRecord('k0', { state: 'RUNNING' })], 6000).sinceMs.get('k0')).toBe(6000);
  });

  it('are not kept without bound while somebody scrolls', () => {
    const board = new JobRecords();
    board.read('p', keys(5000));
    let jobs = board.read('p', keys(5000));
    for (let at = 0; at < 5000; at += 50) {
      const visible = Array.from({ length: 50 }, (_, row) => `k${at + row}`);
      board.show('p', visible);
      jobs = board.note('p', visible, records(visible), 0);
      for (const key of visible) expect(jobs.records.has(key)).toBe(true);
    }
    expect(jobs.records.size).toBeLessThan(600);
  });

  it('do not survive a change of the pool', () => {
    const board = new JobRecords();
    board.show('p', ['k0']);
    board.read('p', keys(1));
    board.note('p', ['k0'], records(['k0']), 0);
    expect(board.read('q', keys(1)).records.size).toBe(0);
  });
});
