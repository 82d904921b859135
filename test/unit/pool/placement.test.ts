import { describe, expect, it } from 'vitest';
import { hash64 } from '../../../src/engine/pool/hash.ts';
import { hasRoom, Placement, planMoves, type Seat } from '../../../src/engine/pool/placement.ts';

const KEYS = Array.from({ length: 10_000 }, (_, i) => `tenant-${i}`);

function seat(id: string, more: Partial<Seat> = {}): Seat {
  return { id, group: 'default', capacity: 1_000_000, weight: 1, draining: false, owned: 0, proven: true, ...more };
}

function owners(seats: Seat[]): Map<string, string | undefined> {
  const placement = new Placement(seats);
  return new Map(KEYS.map(key => [key, placement.pick(hash64(key), 'default')?.id]));
}

function share(owned: Map<string, string | undefined>, id: string): number {
  return [...owned.values()].filter(owner => owner === id).length / owned.size;
}

describe('placement', () => {
  const ten = Array.from({ length: 10 }, (_, i) => seat(`w${i}`));

  it('shares the jobs evenly', () => {
    const owned = owners(ten);
    for (const { id } of ten) expect(share(owned, id)).toBeCloseTo(0.1, 1);
  });

  it('does not depend on the order of the members', () => {
    expect(owners([...ten].reverse())).toEqual(owners(ten));
  });

  it('shares by weight', () => {
    const owned = owners([seat('a', { weight: 3 }), seat('b'), seat('c', { weight: 0.5 })]);
    expect(share(owned, 'a')).toBeGreaterThan(0.64);
    expect(share(owned, 'a')).toBeLessThan(0.69);
    expect(share(owned, 'c')).toBeGreaterThan(0.09);
    expect(share(owned, 'c')).toBeLessThan(0.14);
  });

  it('moves only the jobs of a worker that leaves, whichever it is', () => {
    const before = owners(ten);
    for (const gone of [0, 4, 9]) {
      const after = owners(ten.filter((_, i) => i !== gone));
      const moved = KEYS.filter(key => after.get(key) !== before.get(key));
      expect(moved.every(key => before.get(key) === `w${gone}`)).toBe(true);
      expect(moved.length).toBeGreaterThan(800);
    }
  });

  it('gives a worker that joins jobs of the others, and moves nothing between those', () => {
    const before = owners(ten);
    const after = owners([...ten, seat('new')]);
    const moved = KEYS.filter(key => after.get(key) !== before.get(key));
    expect(moved.every(key => after.get(key) === 'new')).toBe(true);
    expect(moved.length / KEYS.length).toBeCloseTo(1 / 11, 1);
  });

  it('passes over who drains, is of another group, or has no room', () => {
    const placement = new Placement([
      seat('drains', { draining: true }),
      seat('other', { group: 'heavy' }),
      seat('full', { capacity: 5, owned: 5 }),
      seat('free'),
    ]);
    const chosen = new Set(KEYS.slice(0, 200).map(key => placement.pick(hash64(key), 'default', hasRoom)?.id));
    expect(chosen).toEqual(new Set(['free']));
    expect(placement.pick(hash64('x'), 'nobody')).toBeUndefined();
  });

  it('is the same in every version: a change would move every job in a rolling upgrade', () => {
    expect(hash64('tenant-7')).toEqual({ high: 3412944752, low: 4203075317 });
    expect(hash64('')).toEqual({ high: 3954623016, low: 3651860435 });
    expect(hash64('é')).toEqual(hash64(Buffer.from('é')));
    const owned = owners(ten);
    expect(
      KEYS.slice(0, 12)
        .map(key => owned.get(key)?.slice(1))
        .join(''),
    ).toBe('132524518976');
  });
});

describe('a plan of moves', () => {
  const held = (holder: string, group = 'default') =>
    KEYS.slice(0, 1000).map(key => ({ key, hash: hash64(key), group, holder }));

  it('is empty where every job is with its owner, and after it was carried out', () => {
    const seats = () => [seat('a'), seat('b', { weight: 2 }), seat('c')];
    const moves = planMoves(new Placement(seats()), held('a'));
    expect(moves.length).toBeGreaterThan(700);
    expect(moves.length).toBeLessThan(800);
    const placed = new Map(moves.map(({ key, to }) => [key, to]));
    const after = held('a').map(job => ({ ...job, holder: placed.get(job.key) ?? 'a' }));
    expect(planMoves(new Placement(seats()), after)).toEqual([]);
  });

  it('moves no more to a worker than it has room for, and leaves the rest where it is', () => {
    const moves = planMoves(
      new Placement([seat('a', { capacity: 10, owned: 1000 }), seat('b', { capacity: 7 })]),
      held('a'),
    );
    expect(moves.map(({ from, to }) => `${from} ${to}`)).toEqual(Array(7).fill('a b'));
  });

  it('sends what belongs to a group without workers to its queue, and what a leaving worker has to the others', () => {
    const placement = new Placement([seat('a', { draining: true }), seat('b')]);
    expect(new Set(planMoves(placement, held('b', 'heavy')).map(({ to }) => to))).toEqual(new Set([null]));
    expect(planMoves(placement, held('a')).map(({ to }) => to)).toEqual(Array(1000).fill('b'));
    expect(planMoves(new Placement([seat('a', { draining: true })]), held('a'))).toEqual([]);
  });
});
