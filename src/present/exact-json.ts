/**
 * JSON read so that it can be written again unchanged: a number that JavaScript cannot hold exactly, or would write
 * differently, keeps the text it had.
 */

/** Where a number of many digits or with an exponent may stand; strings that look like it only cost time. */
const MAY_CHANGE = /[\d.]{16}|\d[eE]/;
/** Deeper nesting is refused: writing it again would exhaust the stack. */
const MAX_NESTING = 500;

interface RawJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
}

/** @throws SyntaxError when `text` is no JSON, or is nested too deeply. */
export function parseExactJson(text: string): unknown {
  if (text.length > 2 * MAX_NESTING && nestingOf(text) > MAX_NESTING) {
    throw new SyntaxError(`nested deeper than ${MAX_NESTING}`);
  }
  if (!MAY_CHANGE.test(text)) return JSON.parse(text);
  const json = JSON as unknown as RawJson;
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? json.rawJSON(source) : value,
  );
}

function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted) {
      if (character === '\\') at++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth--;
  }
  return deepest;
}
