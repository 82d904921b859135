import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareEntryIds } from '../../../src/engine/streams/entry-id.ts';
import { GapMeter, type StreamFacts } from '../../../src/engine/streams/gap.ts';

/** A stream as Redis counts it. */
class Model {
  ids: string[] = [];
  added = 0;
  generation = 'g1';

  add(count: number): void {
    for (let i = 0; i < count; i++) this.ids.push(`${++this.added}-0`);
  }

  facts(): StreamFacts {
    return {
      length: this.ids.length,
      addedTotal: this.added,
      firstId: this.ids[0] ?? null,
      lastGeneratedId: this.added === 0 ? '0-0' : `${this.added}-0`,
      generation: this.generation,
      removed: false,
    };
  }
}

describe('the books of a reader', () => {
  it('count every event that was removed before it was read, whatever is trimmed and deleted when', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ add: fc.integer({ min: 1, max: 5 }) }),
        fc.record({ read: fc.integer({ min: 1, max: 5 }) }),
        fc.record({ trim: fc.integer({ min: 1, max: 5 }) }),
        fc.record({ drop: fc.integer({ min: 0, max: 20 }) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.boolean(), (sequence, newest) => {
        const model = new Model();
        model.add(3);
        let cursor = newest ? '3-0' : '0-0';
        const meter = new GapMeter('s', cursor, model.facts(), true);
        let read = newest ? 3 : 0;
        let lost = 0;
        const check = () => {
          const { gap, cursor: next } = meter.check(cursor, model.facts());
          cursor = next;
          lost += gap?.lostCount ?? 0;
        };
        for (const step of sequence) {
          if ('add' in step) model.add(step.add);
          else if ('trim' in step) model.ids.splice(0, step.trim);
          else if ('drop' in step) model.ids.splice(step.drop, 1);
          else {
            check();
            const unread = model.ids.filter(id => compareEntryIds(id, cursor) > 0).slice(0, step.read);
            cursor = unread.at(-1) ?? cursor;
            read += unread.length;
            meter.advance(unread.length);
          }
        }
        const rest = model.ids.filter(id => compareEntryIds(id, cursor) > 0);
        check();
        if (rest.length > 0) meter.advance(rest.length);
        cursor = rest.at(-1) ?? cursor;
        check();
        // A deleted newest entry leaves the cursor behind the end for good; one more event settles it.
        model.add(1);
        cursor = model.ids.at(-1) as string;
        meter.advance(1);
        check();
        expect(read + rest.length + 1 + lost).toBe(model.added);
      }),
      { numRuns: 500 },
    );
  });

  it('leave nothing out in silence when they are compared only for pages with nothing left before them', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ add: fc.integer({ min: 1, max: 9 }) }),
        fc.record({ trim: fc.integer({ min: 1, max: 9 }) }),
        // A page, and what is trimmed between it and the facts.
        fc.record({ read: fc.integer({ min: 1, max: 5 }), late: fc.integer({ min: 0, max: 4 }) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, sequence => {
        const model = new Model();
        model.add(3);
        let cursor = '0-0';
        const meter = new GapMeter('s', cursor, model.facts(), true);
        let accounted = 0;
        for (const step of sequence) {
          if ('add' in step) model.add(step.add);
          else if ('trim' in step) model.ids.splice(0, step.trim);
          else {
            const page = model.ids.filter(id => compareEntryIds(id, cursor) > 0).slice(0, step.read);
            model.ids.splice(0, step.late);
            const isLeft = model.ids.some(id => compareEntryIds(id, cursor) <= 0);
            if (isLeft) meter.advance(page.length);
            const verdict = isLeft ? undefined : meter.checkPage(cursor, page, model.facts());
            expect(verdict?.continueFrom).toBeUndefined();
            const before = accounted;
            cursor = page.at(-1) ?? cursor;
            const lost = verdict?.gap?.lostCount ?? 0;
            accounted += page.length + lost;
            // Every event has its number as its id.
            const numberOf = (id: string) => Number.parseInt(id, 10);
            const isPageLeft = page.some(id => model.ids.includes(id));
            expect(accounted).toBeGreaterThanOrEqual(numberOf(cursor));
            if (isLeft || isPageLeft) expect(accounted).toBe(numberOf(cursor));
            // In its place: in front of what follows it.
            if (isPageLeft) expect(lost).toBe(numberOf(page[0] as string) - 1 - before);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('say that a start after an id is behind a trim, without a count', () => {
    const model = new Model();
    model.add(10);
    model.ids.splice(0, 6);
    const meter = new GapMeter('s', '2-0', model.facts(), false);
    expect(meter.check('2-0', model.facts()).gap).toMatchObject({
      reason: 'trimmed',
      lostCount: undefined,
      nextId: '7-0',
    });
    expect(meter.check('2-0', model.facts()).gap).toBeUndefined();
  });

  it('find nothing wrong with a start inside what is left', () => {
    const model = new Model();
    model.add(10);
    model.ids.splice(0, 6);
    expect(new GapMeter('s', '8-0', model.facts(), false).check('8-0', model.facts()).gap).toBeUndefined();
  });

  it('begin anew when the stream was replaced', () => {
    const model = new Model();
    model.add(10);
    const meter = new GapMeter('s', '10-0', model.facts(), true);
    const other = new Model();
    other.generation = 'g2';
    other.add(2);
    expect(meter.check('10-0', other.facts())).toMatchObject({ gap: { reason: 'replaced' }, cursor: '0-0' });
    meter.advance(2);
    expect(meter.check('2-0', other.facts()).gap).toBeUndefined();
  });

  it('report a stream that is gone once, and not again when it comes back', () => {
    const model = new Model();
    model.add(10);
    const meter = new GapMeter('s', '10-0', model.facts(), true);
    const gone: StreamFacts = { ...new Model().facts(), generation: undefined };
    expect(meter.check('10-0', gone)).toMatchObject({ gap: { reason: 'replaced' }, cursor: '0-0' });
    expect(meter.check('0-0', gone).gap).toBeUndefined();
    const back = new Model();
    back.generation = 'g2';
    expect(meter.check('0-0', back.facts()).gap).toBeUndefined();
    back.add(1);
    expect(meter.check('0-0', back.facts()).gap).toBeUndefined();
  });

  it('follow a Redis that lost its newest events', () => {
    const model = new Model();
    model.add(10);
    const meter = new GapMeter('s', '10-0', model.facts(), true);
    const stale = new Model();
    stale.add(7);
    expect(meter.check('10-0', stale.facts())).toMatchObject({ gap: { reason: 'rewound' }, cursor: '7-0' });
    stale.add(1);
    expect(meter.check('7-0', stale.facts()).gap).toBeUndefined();
  });
});
