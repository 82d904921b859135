import { describe, expect, it } from 'vitest';
import { compileScript } from '../../tools/lua.ts';

const script = (header: string[], body: string) => [...header.map(line => `-- ${line}`), body].join('\n');
const compile = (text: string) => compileScript('lua/sample.lua', text, () => '', 'maps');
const header = ['sample', 'Says what it does.', 'KEYS data', 'ARGV value', 'REPLY OK revision:int'];
const body = "redis.call('SET', data, value)\nreturn {'OK', 1}";

describe('the header of a script', () => {
  it('names what the body may use', () => {
    const { source, typescript } = compile(script(header, body));
    expect(source).toContain('local data = KEYS[1]');
    expect(source).toContain('local value = ARGV[1]');
    expect(typescript).toContain("{ status: 'OK'; revision: number }");
  });

  it('binds a variadic name to the rest', () => {
    const text = script(
      ['sample', 'Doc.', 'KEYS data', 'ARGV a rest...', 'REPLY OK'],
      "a = rest[1]\nreturn {'OK', data}",
    );
    expect(compile(text).source).toContain('for i = 2, #ARGV do rest[i - 1] = ARGV[i] end');
  });

  it.each([
    ['another name than the file', script(['other', ...header.slice(1)], body), /first line must be/],
    ['no purpose', script(['sample', ...header.slice(2)], body), /must say the purpose/],
    ['a key that is never used', script([...header, 'KEYS meta'], body), /"meta" is declared and never used/],
    ['an argument read by its slot', script(header, `${body}\nlocal x = ARGV[2]`), /not KEYS or ARGV/],
    ['a status the body never returns', script([...header, 'REPLY FULL'], body), /declares REPLY FULL/],
    ['a status the header lacks', script(header, `${body}\nif false then return {'FULL'} end`), /returns FULL/],
    ['a field of no kind', script([...header.slice(0, 4), 'REPLY OK revision:uuid'], body), /is not a field/],
  ])('refuses %s', (_, text, message) => {
    expect(() => compile(text)).toThrow(message);
  });
});
