import { describe, expect, it } from 'vitest';
import { globMatcher } from '../../../src/engine/core/glob.ts';
import { parseRoutes } from '../../../src/engine/pool/route-map.ts';
import { RouteTable } from '../../../src/engine/pool/routes.ts';

describe('routes', () => {
  it('give the group of the first rule that matches, else the default', () => {
    const table = new RouteTable([
      { glob: 'big:special', group: 'vip' },
      { glob: 'big:*', group: 'heavy' },
      { glob: '*:eu', group: 'europe' },
    ]);
    expect(table.groupOf('big:special')).toBe('vip');
    expect(table.groupOf('big:eu')).toBe('heavy');
    expect(table.groupOf('small:eu')).toBe('europe');
    expect(table.groupOf('small')).toBe('default');
    expect(new RouteTable([]).groupOf('x')).toBe('default');
  });

  it('leave out what is no rule', () => {
    expect(parseRoutes(undefined)).toEqual([]);
    expect(parseRoutes('{"no":"list"}')).toEqual([]);
    expect(parseRoutes('not json')).toEqual([]);
    expect(
      parseRoutes('[{"glob":"a*","group":"g"},{"glob":"","group":"g"},{"glob":"b","group":"not allowed"},7]'),
    ).toEqual([{ glob: 'a*', group: 'g' }]);
  });
});

describe('a glob', () => {
  it.each([
    ['a*c', 'abbbc', true],
    ['a*c', 'abbbcd', false],
    ['a?c', 'a🜁c', true],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['*', '', true],
    ['a.c', 'abc', false],
    ['a\n*', 'a\nb', true],
  ])('%s matches %s: %s', (glob, text, expected) => {
    expect(globMatcher(glob)(text)).toBe(expected);
  });

  it('does not take long, whatever its stars', () => {
    const startMs = performance.now();
    expect(globMatcher('*a*a*a*a*a*a*a*b')('a'.repeat(1000))).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(200);
  });
});
