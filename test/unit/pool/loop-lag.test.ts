import { describe, expect, it } from 'vitest';
import { LoopLag } from '../../../src/engine/pool/loop-lag.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function makeLag() {
  const clock = new ManualClock();
  const work = { going: true };
  const lag = new LoopLag(clock, () => work.going);
  lag.wake();
  return { clock, work, lag };
}

describe('the lag of the event loop', () => {
  it('is nothing while timers run in time, and until there is enough to tell', async () => {
    const { clock, lag } = makeLag();
    await clock.advance(20_000);
    expect(lag.p99Ms).toBe(0);
    const late = makeLag();
    late.clock.block(600);
    await late.clock.advance(0);
    expect(late.lag.p99Ms).toBe(0);
  });

  it('is not hidden by one long block among many samples in time', async () => {
    const { clock, lag } = makeLag();
    await clock.advance(20_000);
    clock.block(1100);
    await clock.advance(5000);
    // The second worst of a hundred: the first sample that the block swallowed.
    expect(lag.p99Ms).toBeGreaterThanOrEqual(800);
    expect(lag.p99Ms).toBeLessThanOrEqual(1000);
    await clock.advance(20_000);
    expect(lag.p99Ms).toBe(0);
  });

  it('shows a loop that is always a little late', async () => {
    const { clock, lag } = makeLag();
    for (let i = 0; i < 200; i++) {
      clock.block(150);
      await clock.advance(0);
    }
    expect(lag.p99Ms).toBe(50);
  });

  it('is not looked at while nobody works, and begins anew', async () => {
    const { clock, work, lag } = makeLag();
    for (let i = 0; i < 20; i++) {
      clock.block(400);
      await clock.advance(0);
    }
    expect(lag.p99Ms).toBeGreaterThan(200);
    work.going = false;
    await clock.advance(100);
    expect(clock.timerCount).toBe(0);
    expect(lag.p99Ms).toBe(0);
    lag.wake();
    expect(clock.timerCount).toBe(0);
    work.going = true;
    lag.wake();
    lag.wake();
    expect(clock.timerCount).toBe(1);
    await clock.advance(2000);
    expect(lag.p99Ms).toBe(0);
  });
});
