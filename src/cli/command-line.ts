/**
 * From words to a command: `map get settings x` is the command `map:get` with two arguments. Flags that every command
 * has may also stand in front.
 */
import { globalFlags } from './flags.ts';

export type Target =
  | { kind: 'command'; id: string; argv: string[] }
  | { kind: 'topic'; id: string }
  | { kind: 'unknown'; words: string[] }
  | { kind: 'nothing' };

export interface Vocabulary {
  /** Ids with colons, aliases included. */
  commands: ReadonlySet<string>;
  topics: ReadonlySet<string>;
}

export function findTarget(argv: readonly string[], known: Vocabulary): Target {
  const { leading, rest } = splitLeadingFlags(argv);
  const words: string[] = [];
  for (const word of rest) {
    if (word.startsWith('-') || !leadsOn([...words, word].join(':'), known)) break;
    words.push(word);
  }
  const id = words.join(':');
  const after = rest.slice(words.length);
  if (known.commands.has(id)) return { kind: 'command', id, argv: [...leading, ...after] };
  const next = after.find(word => !word.startsWith('-'));
  if (next !== undefined) return { kind: 'unknown', words: [...words, next] };
  return words.length > 0 ? { kind: 'topic', id } : { kind: 'nothing' };
}

/** True when `id` is a command or the beginning of one. */
function leadsOn(id: string, known: Vocabulary): boolean {
  if (known.commands.has(id) || known.topics.has(id)) return true;
  for (const command of known.commands) if (command.startsWith(`${id}:`)) return true;
  return false;
}

function splitLeadingFlags(argv: readonly string[]): { leading: string[]; rest: string[] } {
  let at = 0;
  while (at < argv.length && argv[at]?.startsWith('-')) {
    const flag = argv[at] as string;
    at += takesValue(flag) ? 2 : 1;
  }
  return { leading: argv.slice(0, at), rest: argv.slice(at) };
}

function takesValue(flag: string): boolean {
  const found = Object.entries(globalFlags).find(
    ([name, definition]) => flag === `--${name}` || ('char' in definition && flag === `-${definition.char}`),
  );
  return found?.[1].type === 'option';
}
