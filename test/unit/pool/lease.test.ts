import { describe, expect, it } from 'vitest';
import { Lease } from '../../../src/engine/pool/lease.ts';
import { lagLimitMs, leasePresets, resolveLease } from '../../../src/engine/pool/options.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const TERMS = leasePresets.fast;
/** Of a reply, within what a renewal waits for. */
const LATE_MS = 800;
const HELD_MS = TERMS.leaseMs - TERMS.marginMs;

function makeLease(renew: () => Promise<boolean>, lagMs = 0) {
  const clock = new ManualClock();
  const lost: string[] = [];
  let silences = 0;
  const lease = new Lease({
    clock,
    terms: () => TERMS,
    renew,
    onSilence: () => silences++,
    random: () => 0.5,
    lagMs: () => lagMs,
  });
  lease.events.on('lost', error => lost.push(error.message));
  return { clock, lease, lost, silences: () => silences };
}

/** What it waits for at its end passes. */
async function ended(clock: ManualClock, lease: Lease): Promise<void> {
  const stopped = lease.stop();
  await clock.advance(TERMS.leaseMs);
  await stopped;
}

describe('a lease', () => {
  it('stands as long as it is renewed', async () => {
    let renewals = 0;
    const { clock, lease, lost } = makeLease(async () => {
      renewals++;
      return true;
    });
    lease.begin(lease.nowMs());
    await clock.advance(60_000);
    expect(lease.owned).toBe(true);
    expect(lost).toEqual([]);
    expect(renewals).toBe(60_000 / (TERMS.leaseMs / 3));
    await lease.stop();
    expect(clock.timerCount).toBe(0);
  });

  it('does not begin when the answer to the registration took longer than the lease', async () => {
    const { clock, lease, lost } = makeLease(async () => true);
    const sentMs = lease.nowMs();
    await clock.advance(HELD_MS);
    expect(lease.begin(sentMs)).toBe(false);
    expect(lease.owned).toBe(false);
    await clock.advance(HELD_MS);
    // Nothing was held, so nothing is lost.
    expect(lost).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });

  it.each([
    ['a lag that is no risk', lagLimitMs(TERMS), TERMS.leaseMs / 3],
    ['a lag that is one', lagLimitMs(TERMS) + 1, TERMS.leaseMs / 3 - lagLimitMs(TERMS) - 1],
    ['any lag, at most twice as often', 60_000, TERMS.leaseMs / 6],
  ])('is renewed earlier by %s', async (_what, lagMs, intervalMs) => {
    let renewals = 0;
    const { clock, lease } = makeLease(async () => ++renewals > 0, lagMs);
    lease.begin(lease.nowMs());
    await clock.advance(intervalMs - 1);
    expect(renewals).toBe(0);
    await clock.advance(1);
    expect(renewals).toBe(1);
    await lease.stop();
  });

  it('ends by its own clock before Redis ends it, when no renewal succeeds', async () => {
    const { clock, lease, lost } = makeLease(() => Promise.reject(new Error('no Redis')));
    lease.begin(lease.nowMs());
    await clock.advance(HELD_MS - 1);
    expect(lease.owned).toBe(true);
    await clock.advance(2);
    expect(lease.owned).toBe(false);
    expect(lost.length).toBe(1);
  });

  it('counts from the moment a renewal is sent, not from its reply', async () => {
    let reply = (_: boolean) => {};
    const { clock, lease, lost } = makeLease(
      () =>
        new Promise<boolean>(resolve => {
          reply = resolve;
        }),
    );
    lease.begin(lease.nowMs());
    await clock.advance(TERMS.leaseMs / 3 + LATE_MS);
    reply(true);
    await clock.advance(0);
    // Sent at a third of the lease.
    expect(lease.leftMs()).toBeCloseTo(HELD_MS - LATE_MS, 0);
    await clock.advance(HELD_MS);
    expect(lost.length).toBe(1);
  });

  it('is not revived by a reply that comes after the deadline', async () => {
    const replies: ((renewed: boolean) => void)[] = [];
    const { clock, lease, lost } = makeLease(() => new Promise(resolve => replies.push(resolve)));
    lease.begin(lease.nowMs());
    await clock.advance(HELD_MS + 1);
    for (const reply of replies) reply(true);
    await clock.advance(10);
    expect(lease.owned).toBe(false);
    expect(lost.length).toBe(1);
  });

  it('is over at the first question after a sleep, before any timer ran', () => {
    const { clock, lease, lost } = makeLease(async () => true);
    lease.begin(lease.nowMs());
    clock.suspend(HELD_MS + 1);
    expect(lease.owned).toBe(false);
    expect(lease.check()).toBe(false);
    expect(lost.length).toBe(1);
  });

  it('does not last longer because the wall clock was set back', async () => {
    const { clock, lease } = makeLease(() => Promise.reject(new Error('no Redis')));
    lease.begin(lease.nowMs());
    clock.stepWall(-3_600_000);
    await clock.advance(HELD_MS + 1);
    expect(lease.owned).toBe(false);
  });

  it('ends at once when Redis says so', async () => {
    const { clock, lease, lost } = makeLease(async () => false);
    lease.begin(lease.nowMs());
    await clock.advance(TERMS.leaseMs / 3 + 1);
    expect(lost.length).toBe(1);
  });

  it('lasts when a server that stands still at each renewal answers late, again and again', async () => {
    const SLOW_MS = HELD_MS / 2 - 1;
    const { clock, lease, lost, silences } = makeLease(
      () => new Promise(resolve => clock.after(SLOW_MS, () => resolve(true))),
    );
    lease.begin(lease.nowMs());
    await clock.advance(60_000);
    expect(lease.owned).toBe(true);
    expect(lost).toEqual([]);
    expect(silences()).toBeGreaterThan(10);
    await ended(clock, lease);
  });

  it('is not shortened by the reply to an earlier renewal that overtakes', async () => {
    const replies: ((renewed: boolean) => void)[] = [];
    const { clock, lease } = makeLease(() => new Promise(resolve => replies.push(resolve)));
    lease.begin(lease.nowMs());
    while (replies.length < 2) await clock.advance(1);
    replies[1]?.(true);
    await clock.advance(0);
    const leftMs = lease.leftMs();
    replies[0]?.(true);
    await clock.advance(0);
    expect(lease.leftMs()).toBe(leftMs);
    await ended(clock, lease);
  });

  it('does not mind that a renewal fails when another one was answered since it was sent', async () => {
    const replies: { resolve(renewed: boolean): void; reject(error: Error): void }[] = [];
    const { clock, lease } = makeLease(() => new Promise((resolve, reject) => replies.push({ resolve, reject })));
    const errors: unknown[] = [];
    lease.events.on('error', error => errors.push(error));
    lease.begin(lease.nowMs());
    while (replies.length < 2) await clock.advance(1);
    expect(errors).toHaveLength(1);
    replies[0]?.resolve(true);
    await clock.advance(0);
    replies[1]?.reject(new Error('given up for another one'));
    await clock.advance(0);
    expect(errors).toHaveLength(1);
    // The next one, in its time.
    while (replies.length < 3) await clock.advance(1);
    replies[2]?.reject(new Error('no Redis'));
    await clock.advance(0);
    expect(errors).toHaveLength(2);
    await ended(clock, lease);
  });

  it.each([true, false])('takes no word from a reply to an earlier one: %s', async late => {
    const replies: ((renewed: boolean) => void)[] = [];
    const { clock, lease, lost } = makeLease(() => new Promise(resolve => replies.push(resolve)));
    lease.begin(lease.nowMs());
    await clock.advance(HELD_MS + 1);
    expect(lost.length).toBe(1);
    lease.begin(lease.nowMs());
    const leftMs = lease.leftMs();
    replies[0]?.(late);
    await clock.advance(0);
    expect({ leftMs: lease.leftMs(), lost: lost.length }).toEqual({ leftMs, lost: 1 });
    // It is renewed all the same.
    const asked = replies.length;
    await clock.advance(TERMS.leaseMs / 3);
    expect(replies.length).toBeGreaterThan(asked);
    await ended(clock, lease);
  });

  it('doubts a socket that does not answer, and tries again before the deadline', async () => {
    let calls = 0;
    const { clock, lease, lost, silences } = makeLease(() => {
      calls++;
      return calls === 1 ? new Promise(() => {}) : Promise.resolve(true);
    });
    lease.begin(lease.nowMs());
    await clock.advance(10_000);
    expect(silences()).toBe(1);
    expect(lost).toEqual([]);
    expect(calls).toBeGreaterThan(2);
  });
});

describe('lease terms', () => {
  it('accept the presets and others that are safe', () => {
    for (const preset of Object.values(leasePresets)) expect(resolveLease(preset)).toEqual(preset);
    expect(resolveLease('fast')).toEqual(leasePresets.fast);
  });

  it.each([
    ['a clamp that outruns margin and grace', { clampMs: 5000 }, /two workers could run one job/],
    ['a stop budget that does', { stopBudgetMs: 2000 }, /two workers could run one job/],
    ['no grace to speak of', { graceMs: 1 }, /two workers could run one job/],
    ['a margin that leaves no second attempt', { marginMs: 9000 }, /a third/],
    ['a part of a millisecond', { leaseMs: 1.5 }, /whole number/],
    ['a lease too short to renew', { leaseMs: 20, marginMs: 5 }, /200 or more/],
  ])('refuse %s', (_what, change, message) => {
    expect(() => resolveLease({ ...leasePresets.default, ...change })).toThrow(message);
  });

  it('refuse a preset nobody knows', () => {
    expect(() => resolveLease('slow' as 'fast')).toThrow(/no preset/);
  });
});
