import { describe, expect, it } from 'vitest';
import { findTarget } from '../../../src/cli/command-line.ts';
import { exactArguments } from '../../../src/cli/exact-arguments.ts';
import { resolveLooks, wantsColor } from '../../../src/cli/format.ts';
import { roughSources } from '../../../src/cli/rough-sources.ts';
import { editDistance, nearest } from '../../../src/cli/suggest.ts';

const known = {
  commands: new Set(['map:get', 'map:list', 'map:ls', 'pool:route:add', 'demo']),
  topics: new Set(['map', 'pool', 'pool:route']),
};
const find = (line: string) => findTarget(line.split(' ').filter(Boolean), known);

describe('finding the command', () => {
  it('takes as many words as name one, and leaves the rest as arguments', () => {
    expect(find('map get settings list')).toEqual({ kind: 'command', id: 'map:get', argv: ['settings', 'list'] });
    expect(find('pool route add a')).toEqual({ kind: 'command', id: 'pool:route:add', argv: ['a'] });
    expect(find('demo --dashboard')).toEqual({ kind: 'command', id: 'demo', argv: ['--dashboard'] });
  });

  it('lets flags of all commands stand in front', () => {
    expect(find('--redis redis://x --json -o yaml map get m')).toEqual({
      kind: 'command',
      id: 'map:get',
      argv: ['--redis', 'redis://x', '--json', '-o', 'yaml', 'm'],
    });
  });

  it('knows topics, nothing, and words that are neither', () => {
    expect(find('map')).toEqual({ kind: 'topic', id: 'map' });
    expect(find('pool route')).toEqual({ kind: 'topic', id: 'pool:route' });
    expect(find('--json')).toEqual({ kind: 'nothing' });
    expect(find('map gett m')).toEqual({ kind: 'unknown', words: ['map', 'gett'] });
    expect(find('mpa')).toEqual({ kind: 'unknown', words: ['mpa'] });
  });
});

describe('suggesting', () => {
  it('counts insertions, deletions, substitutions and swaps', () => {
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('map', 'mpa')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });

  it('names what is near, nearest first, and nothing that is far', () => {
    expect(nearest('lst', ['list', 'show', 'last'])).toEqual(['last', 'list']);
    expect(nearest('xyz', ['list', 'show'])).toEqual([]);
    expect(nearest('dash', ['dashboard'])).toEqual(['dashboard']);
  });
});

describe('arguments that are no UTF-8', () => {
  const line = Buffer.from([0x6e, 0, 0x72, 0, 0x6b, 0xff, 0, 0x76, 0]);

  it.runIf(process.platform === 'linux')('are read again byte for byte', () => {
    expect(exactArguments(['k\ufffd', 'v'], () => line)).toEqual(['k\udcff', 'v']);
  });

  it('stay as they are when the kernel tells of other ones, or nothing', () => {
    expect(exactArguments(['q\ufffd', 'v'], () => line)).toEqual(['q\ufffd', 'v']);
    const fail = () => {
      throw new Error('no /proc');
    };
    expect(exactArguments(['k\ufffd'], fail)).toEqual(['k\ufffd']);
    expect(exactArguments(['plain'], fail)).toEqual(['plain']);
  });
});

describe('how output looks', () => {
  const looks = (flags: Record<string, unknown>, env: Record<string, string> = {}, streaming = false) =>
    resolveLooks({ flags, env }, streaming);

  it('is a table unless a flag or the environment says otherwise', () => {
    expect(looks({})).toMatchObject({ format: 'table', formatGiven: false });
    expect(looks({}, { PONOS_OUTPUT: 'yaml' })).toMatchObject({ format: 'yaml', formatGiven: true });
    expect(looks({ output: 'csv' }, { PONOS_OUTPUT: 'yaml' }).format).toBe('csv');
    expect(looks({ json: true }).format).toBe('json');
    expect(looks({ json: true }, {}, true).format).toBe('ndjson');
    expect(looks({ raw: true }).format).toBe('raw');
    expect(() => looks({}, { PONOS_OUTPUT: 'xml' })).toThrow('env PONOS_OUTPUT names no format');
  });

  it('has colours on a terminal only, and NO_COLOR wins over FORCE_COLOR, a flag over both', () => {
    const colored = (flags: Record<string, unknown>, env: Record<string, string>, terminal: boolean) =>
      wantsColor(looks(flags, env), terminal);
    expect(colored({}, {}, true)).toBe(true);
    expect(colored({}, {}, false)).toBe(false);
    expect(colored({}, { NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false);
    expect(colored({}, { FORCE_COLOR: '1' }, false)).toBe(true);
    expect(colored({}, { TERM: 'dumb' }, true)).toBe(false);
    expect(colored({ color: 'always' }, { NO_COLOR: '1' }, false)).toBe(true);
  });

  it('is plain ASCII in a locale that has nothing else', () => {
    expect(looks({}, { LC_ALL: 'C' }).ascii).toBe(true);
    expect(looks({}, { LANG: 'de_DE.ISO-8859-1' }).ascii).toBe(true);
    expect(looks({}, { LANG: 'en_US.UTF-8' }).ascii).toBe(false);
    expect(looks({}).ascii).toBe(false);
  });

  it('can be told from a line that cannot be parsed, up to --', () => {
    const asked = (line: string) => roughSources(line.split(' ')).flags.json === true;
    expect(['x --json', '-o json x', '-ojson', '--output=ndjson', '--output json'].map(asked)).toEqual(
      Array(5).fill(true),
    );
    expect(['x', '-- --json', '-o yaml', 'x-o json'].map(asked)).toEqual(Array(4).fill(false));
  });
});
