import { describe, expect, it } from 'vitest';
import { judge } from '../../fault/pool/checker.ts';
import type { JournalEvent } from '../../fault/pool/journal.ts';

const at = (atMs: number, what: JournalEvent['what'], key: string, token = 0, who = `w${token}`): JournalEvent => ({
  atMs,
  who,
  what,
  jobs: [[key, token]],
});
const note = (atMs: number, what: 'noted' | 'heard', number: number, token = 0): JournalEvent => ({
  ...at(atMs, what, 'k', token),
  detail: String(number),
});
const begin = [at(0, 'sent', 'k'), at(1, 'accepted', 'k')];
const span = { fromMs: 5, restMs: 90, toMs: 100 };
const of = (...events: JournalEvent[]) => judge([...begin, ...events], span);

describe('the checker of fault histories', () => {
  it('accepts owners one after the other', () => {
    const verdict = of(
      at(2, 'start', 'k', 10),
      at(30, 'tick', 'k', 10),
      at(60, 'start', 'k', 11),
      at(95, 'tick', 'k', 11),
    );
    expect(verdict).toMatchObject({ overlaps: [], tokensBack: [], undispatched: [], missing: [], notes: [] });
    expect(verdict.gap).toEqual({ key: 'k', ms: 35 });
    expect([...verdict.restarts]).toEqual([['k', 1]]);
  });

  it('finds an old owner alive after a new one, in whatever order the lines come', () => {
    const { overlaps } = of(
      at(20, 'tick', 'k', 10),
      at(2, 'start', 'k', 10),
      at(10, 'start', 'k', 11),
      at(95, 'tick', 'k', 11),
    );
    expect(overlaps).toEqual(['k: w10 (token 10) and w11 (11) for 10.0 ms']);
  });

  it('finds two owners under one token', () => {
    const { overlaps } = of(at(2, 'start', 'k', 10, 'a'), at(3, 'start', 'k', 10, 'b'), at(20, 'tick', 'k', 10, 'a'));
    expect(overlaps).toHaveLength(1);
  });

  it('finds a token that goes back', () => {
    const { overlaps, tokensBack } = of(at(2, 'start', 'k', 12), at(20, 'start', 'k', 11));
    expect(overlaps).toEqual([]);
    expect(tokensBack).toHaveLength(1);
  });

  it('finds what was accepted and is silent, and what nobody dispatched', () => {
    const { missing, undispatched } = of(at(2, 'start', 'k', 1), at(50, 'tick', 'k', 1), at(95, 'start', 'other', 2));
    expect(missing).toEqual(['k']);
    expect(undispatched).toEqual(['other']);
  });

  it('counts the gap of a job from the moment it was accepted when that is during the fault', () => {
    const events = [at(40, 'sent', 'n'), at(41, 'accepted', 'n'), at(95, 'start', 'n', 2)];
    const alive = [10, 20, 30, 40, 50, 60, 70, 80, 90, 99].map(ms => at(ms, 'tick', 'k', 1));
    const { gap, restarts } = of(...alive, ...events);
    expect(gap).toEqual({ key: 'n', ms: 54 });
    expect(restarts.get('n')).toBeUndefined();
  });

  it('asks no more of a job than that it stops, and finds one that went on', () => {
    const life = [at(2, 'start', 'k', 1), at(20, 'tick', 'k', 1), at(25, 'stopping', 'k')];
    const { missing, undead, gap } = of(...life, at(28, 'tick', 'k', 1), at(30, 'stopped', 'k'));
    expect({ missing, undead, gap }).toEqual({ missing: [], undead: [], gap: { key: 'k', ms: 15 } });
    expect(of(...life, at(30, 'stopped', 'k'), at(31, 'tick', 'k', 1)).undead).toEqual(['k']);
  });

  it('accepts notifications that a new owner gets again, and finds skipped, repeated and missing ones', () => {
    const all = [note(1, 'noted', 1), note(2, 'noted', 2)];
    expect(of(...all, note(3, 'heard', 1, 1), note(4, 'heard', 1, 2), note(5, 'heard', 2, 2)).notes).toEqual([]);
    expect(of(...all, note(4, 'heard', 2, 2)).notes).toEqual(['k: notification 2 came after 0']);
    expect(of(...all, note(3, 'heard', 1, 1)).notes).toEqual(['k: notification 2 never came']);
    expect(of(note(3, 'heard', 1, 1), note(4, 'heard', 1, 1)).notes).toHaveLength(1);
  });
});
