import { describe, expect, it } from 'vitest';
import { TopicFilter, type TopicPattern } from '../../../src/engine/streams/topic.ts';

describe('a topic filter', () => {
  it.each<[TopicPattern, string, boolean]>([
    ['eu.web', 'eu.web', true],
    ['eu.web', 'eu.webs', false],
    ['eu.*', 'eu.web', true],
    ['eu.*', 'us.web', false],
    ['*', '', true],
    ['', '', true],
    ['e?', 'e😀', true],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    [{ exact: 'a*' }, 'a*', true],
    [{ exact: 'a*' }, 'ab', false],
    [/^eu\./, 'eu.web', true],
    [/^eu\./, 'x eu.web', false],
    ['*', '\udcff\n', true],
  ])('%j on %j is %j', (pattern, topic, expected) => {
    expect(new TopicFilter(pattern).matches(topic)).toBe(expected);
  });

  it('matches the same topic every time, whatever flags its expression has', () => {
    const filter = new TopicFilter(/a/gy);
    expect([1, 2, 3].map(() => filter.matches('a'))).toEqual([true, true, true]);
  });

  it('passes over events without a topic', () => {
    expect(new TopicFilter('*').matches(undefined)).toBe(false);
  });

  it('takes bounded time for any pattern', () => {
    const startMs = performance.now();
    expect(new TopicFilter(`${'*a'.repeat(200)}b`).matches('a'.repeat(5000))).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  it.each([[7], [null], [{}], [[]], ['x'.repeat(2000)]])('refuses %j', pattern => {
    expect(() => new TopicFilter(pattern as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});
