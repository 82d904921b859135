/**
 * A command that is suggested must look where the one that failed looked: what the user said by flags of where that is, it says
 * too. Variables of the environment hold for both.
 */
import { redactUrl } from '../engine/index.ts';
import { quoteForShell } from '../present/shell.ts';

/** Flags of every command that say which Redis, and which keys of it. */
const PLACE = ['redis', 'password-file', 'tls-ca', 'tls-cert', 'tls-key', 'tls-insecure', 'prefix'];
/** The dots stand for what was typed, these flags included; the others look at no Redis that is known already. */
const COMPLETE = /^(?!ponos )|^ponos (help|dev)\b| \.\.\.( |$)| --help\b/;

export interface Whereabouts {
  /** As given on the command line, by name. */
  flags: Readonly<Record<string, unknown>>;
  /** Flags of each command that exists, by the command as typed. */
  commands: ReadonlyMap<string, readonly string[]>;
}

/** `line` with the flags that lead to the same place, behind the words of its command. */
export function withWhereabouts(line: string, { flags, commands }: Whereabouts): string {
  if (COMPLETE.test(line)) return line;
  const words = line.split(' ');
  let end = words.length;
  while (end > 1 && !commands.has(words.slice(1, end).join(' '))) end--;
  const takesPool = commands.get(words.slice(1, end).join(' '))?.includes('pool') === true && !line.includes(' --pool');
  const given = [...(takesPool ? ['pool'] : []), ...PLACE].flatMap(name => asTyped(name, flags[name]));
  return [...words.slice(0, end), ...given, ...words.slice(end)].join(' ');
}

function asTyped(name: string, value: unknown): string[] {
  if (value === true) return [`--${name}`];
  if (typeof value !== 'string') return [];
  // What is secret goes before it is quoted: in parts it would not be known as such.
  return [`--${name}`, quoteForShell(name === 'redis' ? redactUrl(value) : value)];
}
