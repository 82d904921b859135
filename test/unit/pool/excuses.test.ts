import { describe, expect, it } from 'vitest';
import { judge } from '../../fault/pool/checker.ts';
import { excusesOf } from '../../fault/pool/excuses.ts';
import type { JournalEvent } from '../../fault/pool/journal.ts';

const LEASE_MS = 1000;
const at = (atMs: number, what: JournalEvent['what'], ...keys: string[]): JournalEvent => ({
  atMs,
  who: what === 'sent' || what === 'accepted' ? 'd' : 'w',
  what,
  jobs: keys.map(key => [key, 1]),
});
const fault = (atMs: number, detail: string): JournalEvent => ({ atMs, who: 'test', what: 'fault', detail });
const note = (atMs: number, what: 'noting' | 'noted' | 'heard', number: number): JournalEvent => ({
  ...at(atMs, what, 'runs'),
  detail: String(number),
});
const FLUSH = [fault(5000, 'FLUSHALL'), fault(5001, 'flushed')];
const SENT = [
  at(0, 'sent', 'runs', 'waits', 'stopped'),
  at(6000, 'sent', 'later'),
  at(4900, 'start', 'runs', 'stopped'),
];
const excused = (...events: JournalEvent[]) => [...excusesOf([...SENT, ...events], LEASE_MS).keys].sort();

describe('what a flush may cost', () => {
  it('is nothing when there was none', () => {
    expect(excused()).toEqual([]);
  });

  it('is what nobody runs at that moment', () => {
    expect(excused(...FLUSH, at(4950, 'stop', 'stopped'))).toEqual(['stopped', 'waits']);
    expect(excused(fault(5200, 'FLUSHALL'), fault(5201, 'flushed'))).toEqual(['runs', 'stopped', 'waits']);
  });

  it.each([
    [3000, 'SIGKILL w', true],
    [6500, 'SIGSTOP w', true],
    [5500, 'blackhole w', true],
    [5500, 'SIGTERM w', false],
    [5500, 'SIGKILL another', false],
    [9000, 'SIGKILL w', false],
  ])('at %i ms also what a worker ran that cannot speak up: %s', (atMs, what, isExcused) => {
    expect(excused(...FLUSH, fault(atMs, what)).includes('runs')).toBe(isExcused);
  });

  it('is not what a worker ran that could speak again in time', () => {
    expect(excused(...FLUSH, fault(2000, 'swallow w'), fault(3000, 'pass w'))).not.toContain('runs');
  });

  it('is a notification sent before it and missed after it, and no other', () => {
    const notes = (flush: JournalEvent[], ...events: JournalEvent[]) => {
      const history = [...SENT, at(5, 'accepted', 'runs'), at(9000, 'tick', 'runs', 'later'), ...flush, ...events];
      return judge(history, { fromMs: 0, restMs: 8000, toMs: 9000 }, excusesOf(history, LEASE_MS)).notes.length;
    };
    const skipped = (sentMs: number) => [note(sentMs, 'noting', 1), note(sentMs + 1, 'noted', 1)];
    const second = (heardMs: number) => [note(heardMs - 2, 'noting', 2), note(heardMs, 'heard', 2)];
    expect(notes(FLUSH, ...skipped(4000), ...second(5500))).toBe(0);
    expect(notes([], ...skipped(4000), ...second(5500))).toBe(1);
    expect(notes(FLUSH, ...skipped(4000), ...second(4500))).toBe(1);
    expect(notes(FLUSH, ...skipped(5100), ...second(5500))).toBe(1);
    expect(notes(FLUSH, ...skipped(4000))).toBe(0);
    expect(notes(FLUSH, ...skipped(5100))).toBe(1);
  });
});
