/**
 * Turns `src/engine/<module>/lua/*.lua` into `src/engine/<module>/scripts.gen.ts`, and checks each header against its body.
 *
 * Header of a script, comment lines at the top of the file:
 *   -- <name of the file>
 *   -- <purpose and invariant, free text>
 *   -- FLAGS allow-oom                     optional, flags of Redis's `#!lua` line
 *   -- INCLUDE time require_types          files pasted in front, from this module's lua/_<name>.lua or redis/lua/<name>.lua
 *   -- KEYS data meta others...            local names of KEYS, the last may be variadic
 *   -- ARGV key value                      local names of ARGV, the last may be variadic
 *   -- REPLY OK revision:int previous:bytes?
 * KEYS and ARGV become locals of these names, so a body never counts slots. Field kinds: int, number, bytes, text, list.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENGINE = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'engine');
const FIELD_TYPES: Record<string, string> = {
  int: 'number',
  number: 'number',
  bytes: 'Buffer',
  text: 'string',
  list: 'unknown[]',
};

interface Header {
  name: string;
  doc: string[];
  flags: string[];
  includes: string[];
  keys: string[];
  args: string[];
  replies: Map<string, { name: string; kind: string; optional: boolean }[]>;
}

export class LuaHeaderError extends Error {}

export function compileScript(file: string, text: string, readInclude: (name: string) => string, module: string) {
  const header = parseHeader(file, text);
  const body = text
    .split('\n')
    .filter(line => !line.startsWith('--'))
    .join('\n')
    .trim();
  const includes = header.includes.map(name => stripComments(readInclude(name))).join('\n');
  checkBody(file, header, body, includes);
  const shebang = header.flags.length > 0 ? `#!lua flags=${header.flags.join(',')}` : '#!lua';
  const source = [shebang, bind('KEYS', header.keys), bind('ARGV', header.args), includes, stripComments(body)]
    .filter(Boolean)
    .join('\n');
  return { header, source, typescript: emit(header, source, module) };
}

function parseHeader(file: string, text: string): Header {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith('--')) break;
    lines.push(line.replace(/^-- ?/, ''));
  }
  const fail = (message: string): never => {
    throw new LuaHeaderError(`${file}: ${message}`);
  };
  const header: Header = {
    name: lines.shift()?.trim() ?? '',
    doc: [],
    flags: [],
    includes: [],
    keys: [],
    args: [],
    replies: new Map(),
  };
  if (header.name !== basename(file, '.lua')) fail(`the first line must be "-- ${basename(file, '.lua')}"`);
  for (const line of lines) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'FLAGS') header.flags.push(...rest);
    else if (word === 'INCLUDE') header.includes.push(...rest);
    else if (word === 'KEYS') header.keys.push(...rest);
    else if (word === 'ARGV') header.args.push(...rest);
    else if (word === 'REPLY')
      header.replies.set(
        rest[0] ?? fail('REPLY needs a status'),
        rest.slice(1).map(field => parseField(file, field)),
      );
    else if (line.trim()) header.doc.push(line.trim());
  }
  if (header.doc.length === 0) fail('the header must say the purpose');
  if (header.replies.size === 0) fail('the header must declare every REPLY');
  return header;
}

function parseField(file: string, text: string) {
  const match = /^(\w+):(\w+)(\?)?$/.exec(text);
  if (!match || !FIELD_TYPES[match[2] ?? ''])
    throw new LuaHeaderError(`${file}: "${text}" is not a field, as in revision:int or value:bytes?`);
  return { name: match[1] as string, kind: match[2] as string, optional: match[3] === '?' };
}

function checkBody(file: string, header: Header, body: string, includes: string): void {
  const fail = (message: string): never => {
    throw new LuaHeaderError(`${file}: ${message}`);
  };
  const all = `${body}\n${includes}`;
  if (/\b(KEYS|ARGV)\b/.test(all)) fail('use the names declared in the header, not KEYS or ARGV');
  for (const name of [...header.keys, ...header.args]) {
    const local = name.replace(/\.\.\.$/, '');
    if (!new RegExp(`\\b${local}\\b`).test(all)) fail(`"${local}" is declared and never used`);
  }
  for (const list of [header.keys, header.args]) {
    const misplaced = list.slice(0, -1).find(name => name.endsWith('...'));
    if (misplaced) fail(`only the last of a list may be variadic: ${misplaced}`);
  }
  const returned = new Set([...all.matchAll(/\{\s*'([A-Z][A-Z_]*)'/g)].map(match => match[1] as string));
  for (const status of returned)
    if (!header.replies.has(status)) fail(`returns ${status}, which the header does not declare`);
  for (const status of header.replies.keys())
    if (!returned.has(status)) fail(`declares REPLY ${status}, which the body never returns`);
}

function bind(table: 'KEYS' | 'ARGV', names: string[]): string {
  if (names.length === 0) return '';
  const last = names.at(-1) as string;
  const fixed = last.endsWith('...') ? names.slice(0, -1) : names;
  const lines =
    fixed.length > 0 ? [`local ${fixed.join(', ')} = ${fixed.map((_, i) => `${table}[${i + 1}]`).join(', ')}`] : [];
  if (last.endsWith('...')) {
    const name = last.slice(0, -3);
    lines.push(
      `local ${name} = {}`,
      `for i = ${fixed.length + 1}, #${table} do ${name}[i - ${fixed.length}] = ${table}[i] end`,
    );
  }
  return lines.join('\n');
}

/** Comment lines cost every EVAL; code stays as written. */
function stripComments(lua: string): string {
  return lua
    .split('\n')
    .filter(line => line.trim() && !line.trim().startsWith('--'))
    .join('\n');
}

function emit(header: Header, source: string, module: string): string {
  const inputs = (names: string[]) =>
    names.length === 0
      ? 'Record<never, never>'
      : `{ ${names.map(name => (name.endsWith('...') ? `${name.slice(0, -3)}: readonly Argument[]` : `${name}: Argument`)).join('; ')} }`;
  const slots = (names: string[]) =>
    JSON.stringify(names.map(name => ({ name: name.replace(/\.\.\.$/, ''), variadic: name.endsWith('...') })));
  const union = [...header.replies]
    .map(([status, fields]) => {
      const members = fields.map(
        field => `${field.name}: ${FIELD_TYPES[field.kind]}${field.optional ? ' | null' : ''}`,
      );
      return `{ status: ${[`'${status}'`, ...members].join('; ')} }`;
    })
    .join('\n  | ');
  const identifier = header.name.replace(/[_-](\w)/g, (_, letter: string) => letter.toUpperCase());
  const type = identifier[0]?.toUpperCase() + identifier.slice(1);
  return `/** ${header.doc.join(' ').replaceAll('*/', '')} */
export type ${type}Reply =
  | ${union};
export const ${identifier}Script: Script<${inputs(header.keys)}, ${inputs(header.args)}, ${type}Reply> = {
  name: '${module}.${header.name}',
  sha1: '${createHash('sha1').update(source).digest('hex')}',
  source: ${JSON.stringify(source)},
  keys: ${slots(header.keys)},
  args: ${slots(header.args)},
  replies: ${JSON.stringify(Object.fromEntries(header.replies))},
};
`;
}

function generate(): void {
  for (const module of ['maps', 'streams', 'pool', 'partitions', 'admin']) {
    const folder = join(ENGINE, module, 'lua');
    if (!existsSync(folder)) continue;
    const files = readdirSync(folder)
      .filter(file => file.endsWith('.lua') && !file.startsWith('_'))
      .sort();
    if (files.length === 0) continue;
    const readInclude = (name: string) => {
      const own = join(folder, `_${name}.lua`);
      return readFileSync(existsSync(own) ? own : join(ENGINE, 'redis', 'lua', `${name}.lua`), 'utf8');
    };
    const scripts = files.map(
      file =>
        compileScript(join(folder, file), readFileSync(join(folder, file), 'utf8'), readInclude, module).typescript,
    );
    const output = `// Generated by tools/lua.ts from lua/*.lua. Do not edit.\nimport type { Argument, Script } from '../redis/script.ts';\n\n${scripts.join('\n')}`;
    const target = join(ENGINE, module, 'scripts.gen.ts');
    if (!existsSync(target) || readFileSync(target, 'utf8') !== output) writeFileSync(target, output);
    console.log(`${module}: ${files.length} scripts`);
  }
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) generate();
