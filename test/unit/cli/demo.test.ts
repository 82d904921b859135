import { describe, expect, it } from 'vitest';
import { History } from '../../../src/cli/demo/history.ts';
import type { ReadingEvent } from '../../../src/cli/demo/protocol.ts';
import { discoverSources, readSource } from '../../../src/cli/demo/sources.ts';

function reading(token: number, sequence: number, atMs: number, pid = token): ReadingEvent {
  return { key: 'cpu/0', pid, token, sequence, atMs, values: {} };
}

function historyOf(...events: ReadingEvent[]): History {
  const history = new History();
  events.forEach((event, index) => {
    history.record(String(index), event);
  });
  return history;
}

describe('the history of the demonstration', () => {
  it('sees two lives of one key at the same time', () => {
    expect(historyOf(reading(1, 1, 0), reading(1, 2, 100), reading(2, 1, 150)).overlapCount).toBe(0);
    expect(historyOf(reading(1, 1, 0), reading(2, 1, 90), reading(1, 2, 100)).overlapCount).toBe(1);
  });

  it('counts readings that never came, and those that came twice', () => {
    const history = historyOf(reading(1, 1, 0), reading(1, 4, 300));
    expect(history.missingCount).toBe(2);
    expect(history.record('0', reading(1, 1, 0))).toBe(false);
    expect([history.duplicateCount, history.receivedCount]).toEqual([1, 2]);
  });

  it('measures the gap of a hand-over, of those that began after a moment', () => {
    const history = historyOf(reading(1, 1, 0), reading(2, 1, 700), reading(3, 1, 800));
    expect(history.longestHandoverMs(['cpu/0'], 0)).toBe(700);
    expect(history.longestHandoverMs(['cpu/0'], 750)).toBe(100);
    expect(history.ownerOf('cpu/0')).toBe(3);
  });
});

describe('the sources of this machine', () => {
  it('are there, each with a key of its own and numbers to read', () => {
    const sources = discoverSources();
    expect(sources.filter(source => source.kind === 'cpu').length).toBeGreaterThan(0);
    expect(new Set(sources.map(source => source.key)).size).toBe(sources.length);
    const own = readSource({ key: `process/${process.pid}`, kind: 'process', name: String(process.pid) });
    expect(own?.residentBytes).toBeGreaterThan(1_000_000);
  });

  it('are null once they are gone', () => {
    expect(readSource({ key: 'process/0', kind: 'process', name: '0' })).toBeNull();
  });
});
