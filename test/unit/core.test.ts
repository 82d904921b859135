import { describe, expect, it, vi } from 'vitest';
import { backoffMs } from '../../src/engine/core/backoff.ts';
import { Channel } from '../../src/engine/core/channel.ts';
import { LeaseClock, sleep, systemClock } from '../../src/engine/core/clock.ts';
import { Emitter } from '../../src/engine/core/emitter.ts';
import { newId } from '../../src/engine/core/ids.ts';
import { checkName } from '../../src/engine/core/names.ts';
import { type OptionTable, resolveOptions } from '../../src/engine/core/options.ts';
import { PeriodicTask } from '../../src/engine/core/periodic.ts';
import { until } from '../support/until.ts';

describe('a channel', () => {
  it('says no when it is full, and delivers in order', async () => {
    const channel = new Channel<number>({ capacity: 2 });
    expect([channel.push(1), channel.push(2), channel.push(3)]).toEqual([true, true, false]);
    channel.close();
    const seen: number[] = [];
    for await (const item of channel) seen.push(item);
    expect(seen).toEqual([1, 2]);
  });

  it('delivers what is queued before the error it was closed with', async () => {
    const channel = new Channel<number>({ capacity: 2 });
    channel.push(1);
    channel.close(new Error('lost'));
    expect(await channel.next()).toEqual({ value: 1, done: false });
    await expect(channel.next()).rejects.toThrow('lost');
  });

  it('tells its producer when the consumer breaks off', async () => {
    const onReturn = vi.fn();
    const channel = new Channel<number>({ capacity: 2, onReturn });
    channel.push(1);
    for await (const _ of channel) break;
    expect(onReturn).toHaveBeenCalledOnce();
    expect(channel.push(2)).toBe(false);
  });
});

describe('a periodic task', () => {
  it('never runs twice at once, and once more when poked during a run', async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    let release = () => {};
    const task = new PeriodicTask(
      systemClock,
      { intervalMs: 60_000 },
      async () => {
        runs++;
        most = Math.max(most, ++running);
        await new Promise<void>(resolve => {
          release = resolve;
        });
        running--;
      },
      () => {},
    );
    task.start();
    task.poke();
    task.poke();
    task.poke();
    await until(() => running === 1, 'the first run');
    release();
    await until(() => runs === 2, 'the run the pokes asked for');
    const stopped = task.stop();
    release();
    await stopped;
    expect([most, runs]).toEqual([1, 2]);
  });

  it('goes on after a run that throws', async () => {
    const errors: unknown[] = [];
    let runs = 0;
    const task = new PeriodicTask(
      systemClock,
      { intervalMs: 1 },
      async () => {
        runs++;
        throw new Error('once more');
      },
      error => errors.push(error),
    );
    task.start();
    await until(() => runs > 2, 'three runs');
    await task.stop();
    expect(errors).toHaveLength(runs);
  });
});

describe('options', () => {
  const table = {
    waitMs: { kind: 'ms', default: 10, min: 1, max: 100, doc: '' },
    mode: { kind: 'choice', default: 'a', choices: ['a', 'b'], doc: '' },
    strict: { kind: 'flag', default: false, doc: '' },
  } as const satisfies OptionTable;

  it('fill in defaults', () => {
    expect(resolveOptions('X', table, { mode: 'b' })).toEqual({ waitMs: 10, mode: 'b', strict: false });
  });

  it.each([
    [{ waitMs: 101 }, /"waitMs" is 101, allowed: a number from 1 to 100/],
    [{ waitMs: Number.NaN }, /allowed/],
    [{ mode: 'c' }, /"mode" is "c", allowed: a, b/],
    [{ strict: 1 }, /must be true or false/],
    [{ wait: 1 }, /unknown option "wait"/],
    [{ toString: 1 }, /unknown option/],
  ])('refuse %j and name the bound', (input, message) => {
    expect(() => resolveOptions('X', table, input as never)).toThrow(message);
  });
});

describe('an emitter', () => {
  it('keeps a listener that throws away from its loop', () => {
    const errors: unknown[] = [];
    const emitter = new Emitter<{ tick: number }>(error => errors.push(error));
    const seen: number[] = [];
    emitter.on('tick', () => {
      throw new Error('bad listener');
    });
    emitter.on('tick', tick => seen.push(tick));
    emitter.emit('tick', 1);
    expect([seen, errors.length]).toEqual([[1], 1]);
  });
});

describe('time', () => {
  it('of a lease counts a suspension, and never goes back', () => {
    let wall = 0;
    let monotonic = 0;
    const clock = new LeaseClock({ ...systemClock, wallMs: () => wall, monotonicMs: () => monotonic });
    monotonic = 100;
    wall = 5000;
    expect(clock.nowMs()).toBe(5000);
    wall = -9000;
    monotonic = 200;
    expect(clock.nowMs()).toBe(5000);
  });

  it('asleep ends at once when aborted', async () => {
    const controller = new AbortController();
    const slept = sleep(systemClock, 3_600_000, controller.signal);
    controller.abort();
    await expect(slept).resolves.toBeUndefined();
  });

  it('backs off between half and all of a doubling ceiling', () => {
    const options = { baseMs: 100, maxMs: 1000 };
    expect(backoffMs(1, { ...options, random: () => 0 })).toBe(50);
    expect(backoffMs(3, { ...options, random: () => 0.999_999 })).toBeCloseTo(400, 0);
    expect(backoffMs(500, { ...options, random: () => 0 })).toBe(500);
  });
});

describe('names', () => {
  it.each(['', 'a b', 'a:b', '{x}', 'é', 'x'.repeat(65), '\u001b[0m'])('refuse %j', name => {
    expect(() => checkName('map', name)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('identifiers', () => {
  it('are 16 plain characters, and never the same', () => {
    const ids = Array.from({ length: 10_000 }, newId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every(id => /^[0-9a-hjkmnp-tv-z]{16}$/.test(id))).toBe(true);
  });
});
