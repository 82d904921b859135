/**
 * Text from outside, made harmless before a terminal sees it: control characters, escape sequences, direction marks and
 * invisible characters become visible escapes. So no key, payload or name can move the cursor, set a title, hide itself
 * or look like another. Bytes that are no UTF-8 (lone surrogates of engine text) show as `\xNN`.
 */

/** Control, format, line separators, lone surrogates, and what draws nothing, but for the selectors of a picture's style. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|(?![\ufe00-\ufe0f])\p{Default_Ignorable_Code_Point}/u;
const UNSAFE_ALL = new RegExp(UNSAFE.source, 'gu');
const PLAIN = /^[\x20-\x7e]*$/;
const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

export interface SafeTextOptions {
  /** Leave line feeds and tabs as they are: for a text shown as a block of its own. */
  keepLines?: boolean;
}

export function safeText(text: string, options: SafeTextOptions = {}): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNSAFE_ALL, character => {
    if (options.keepLines && (character === '\n' || character === '\t')) return character;
    return SHORT[character] ?? escapeCode(character.codePointAt(0) as number);
  });
}

/** True when `text` holds anything that `safeText` would change. */
export function isUnsafe(text: string): boolean {
  return !PLAIN.test(text) && UNSAFE.test(text);
}

function escapeCode(code: number): string {
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/**
 * JSON whose text is harmless on a terminal and in a script: what `safeText` escapes is escaped here as JSON does it, so
 * the value stays the same. Whole numbers beyond 2^53 become strings.
 */
export function safeJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, wholeNumbers, indent) ?? 'null';
  if (PLAIN.test(text)) return text;
  return text.replace(UNSAFE_ALL, character => (character === '\n' && indent ? character : escapeForJson(character)));
}

function escapeForJson(character: string): string {
  let escaped = '';
  for (let at = 0; at < character.length; at++) {
    escaped += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  return escaped;
}

function wholeNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
