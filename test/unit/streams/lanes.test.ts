import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Delivery, type Settler } from '../../../src/engine/streams/delivery.ts';
import { Lanes } from '../../../src/engine/streams/lanes.ts';

const settler: Settler = { settle() {}, owns: () => true };

function delivery(number: number, lane: string | undefined, stream = 's', of = settler): Delivery {
  const contents = { name: 'n', payload: Buffer.from(`${number}`), topic: undefined, headers: new Map() };
  const made = new Delivery(of, stream, `${number}-0`, contents, 1, 0);
  made.lane = lane;
  return made;
}

const idOf = (found: Delivery | undefined) => found && Number.parseInt(found.id, 10);

describe('lanes', () => {
  it('let one event of a lane start, and the next when that one is over', () => {
    const lanes = new Lanes();
    const [one, two, other, free] = [delivery(1, 'a'), delivery(2, 'a'), delivery(3, 'b'), delivery(4, undefined)];
    expect([one, two, other, free].map(each => lanes.admit(each))).toEqual([true, false, true, true]);
    lanes.started(one);
    expect(lanes.over(one)).toBeUndefined();
    expect(lanes.ended(one)).toBe(two);
    expect(lanes.waitingCount).toBe(0);
  });

  it('stay held while a refused event waits for its next delivery', () => {
    const lanes = new Lanes();
    const [one, two] = [delivery(1, 'a'), delivery(2, 'a')];
    lanes.admit(one);
    lanes.admit(two);
    lanes.started(one);
    expect(lanes.ended(one)).toBeUndefined();
    expect(lanes.admit(delivery(1, 'a'))).toBe(true);
    expect(lanes.over({ stream: 's', id: '1-0' })).toBe(two);
  });

  it('put what comes late before what is newer and waits', () => {
    const lanes = new Lanes();
    for (const number of [10, 12, 9, 11]) lanes.admit(delivery(number, 'a'));
    const order: (number | undefined)[] = [];
    for (let now: Delivery | undefined = delivery(10, 'a'); now; ) {
      lanes.started(now);
      lanes.over(now);
      now = lanes.ended(now);
      order.push(idOf(now));
    }
    expect(order).toEqual([9, 11, 12, undefined]);
  });

  it('give the place of one that has not started to an older one', () => {
    const lanes = new Lanes();
    const [newer, older] = [delivery(2, 'a'), delivery(1, 'a')];
    expect([newer, older].map(each => lanes.admit(each))).toEqual([true, false]);
    expect(lanes.turnOf(newer)).toBe(older);
    lanes.started(older);
    lanes.over(older);
    expect(lanes.ended(older)).toBe(newer);
    expect(lanes.turnOf(newer)).toBe(newer);
    expect(lanes.waitingCount).toBe(0);
  });

  it('do not start an event again beside its own handler', () => {
    const lanes = new Lanes();
    const [one, again] = [delivery(1, 'a'), delivery(1, 'a')];
    lanes.admit(one);
    lanes.started(one);
    lanes.over(one);
    expect(lanes.admit(again)).toBe(false);
    expect(lanes.ended(one)).toBe(again);
  });

  it('never have two of a lane at once, keep the order of ids, and lose none', () => {
    type Step = { do: 'arrive'; number: number; lane: string } | { do: 'end' | 'refuse' | 'gone'; pick: number };
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ do: fc.constant('arrive' as const), number: fc.nat(999), lane: fc.constantFrom('a', 'b') }),
      fc.record({ do: fc.constantFrom('end' as const, 'refuse' as const, 'gone' as const), pick: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), steps => {
        const lanes = new Lanes();
        const running: Delivery[] = [];
        const waiting: Delivery[] = [];
        const seen = new Set<number>();
        const start = (next: Delivery | undefined, isFirst = true) => {
          if (!next) return;
          expect(running.map(({ lane }) => lane)).not.toContain(next.lane);
          const at = waiting.indexOf(next);
          if (at >= 0) waiting.splice(at, 1);
          // One that was refused holds its lane.
          const older = !isFirst
            ? []
            : waiting.filter(each => each.lane === next.lane && (idOf(each) ?? 0) < (idOf(next) ?? 0));
          expect(older).toEqual([]);
          running.push(next);
          lanes.started(next);
        };
        for (const each of steps) {
          if (each.do === 'arrive') {
            // An event has one lane and is delivered once at a time.
            if (seen.has(each.number)) continue;
            seen.add(each.number);
            const fresh = delivery(each.number, each.lane);
            if (lanes.admit(fresh)) start(fresh);
            else waiting.push(fresh);
          } else if (each.do === 'gone') {
            const gone = waiting.splice(each.pick % (waiting.length + 1), 1)[0];
            if (gone) expect(lanes.over(gone)).toBeUndefined();
          } else {
            const ended = running.splice(each.pick % (running.length + 1), 1)[0];
            if (!ended) continue;
            if (each.do === 'end') expect(lanes.over(ended)).toBeUndefined();
            const next = lanes.ended(ended);
            if (each.do === 'end') start(next);
            else {
              expect(next).toBeUndefined();
              expect(lanes.admit(ended)).toBe(true);
              start(ended, false);
            }
          }
          expect(lanes.waitingCount).toBe(waiting.length);
          expect(lanes.waitingBytes).toBe(waiting.reduce((sum, { payload }) => sum + payload.length, 0));
        }
        for (let ended = running.pop(); ended; ended = running.pop()) {
          lanes.over(ended);
          start(lanes.ended(ended));
        }
        expect(waiting).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('give back what waits and belongs to a consumer that leaves', () => {
    const leaving: Settler = { settle() {}, owns: () => true };
    const lanes = new Lanes();
    const stays = delivery(3, 'a');
    for (const each of [delivery(1, 'a'), delivery(2, 'a', 't', leaving), stays]) lanes.admit(each);
    expect(lanes.takeWaiting(leaving).map(idOf)).toEqual([2]);
    expect(lanes.over({ stream: 's', id: '1-0' })).toBe(stays);
  });
});
