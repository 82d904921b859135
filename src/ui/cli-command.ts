/** Command lines to show and to copy, quoted for a POSIX shell; bytes that are no plain text as bash and zsh write them. */

const BARE = /^[\w@%+:,./=][\w@%+:,./=-]*$/;
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u;

export function cliCommand(
  noun: string,
  verb: string,
  operands: readonly string[] = [],
  flags: Readonly<Record<string, string>> = {},
): string {
  const options = Object.entries(flags).map(([name, value]) => `--${name}=${quoteForShell(value)}`);
  // An operand that begins with a dash would be taken for a flag.
  const dashed = operands.some(operand => operand.startsWith('-')) ? ['--'] : [];
  return ['ponos', noun, verb, ...options, ...dashed, ...operands.map(quoteForShell)].join(' ');
}

export function quoteForShell(text: string): string {
  if (BARE.test(text)) return text;
  if (PRINTABLE.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  let quoted = '';
  for (const character of text) quoted += escapeCharacter(character);
  return `$'${quoted}'`;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) as number;
  if (character === "'" || character === '\\') return `\\${character}`;
  if (code >= 0xdc80 && code <= 0xdcff) return hexByte(code - 0xdc00);
  if (PRINTABLE.test(character)) return character;
  return [...new TextEncoder().encode(character)].map(hexByte).join('');
}

function hexByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
