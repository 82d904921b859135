/** Words quoted for a POSIX shell; bytes that are no plain text as bash and zsh write them. */

const BARE = /^[\w@%+:,./=][\w@%+:,./=-]*$/;
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u;

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
