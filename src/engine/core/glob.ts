/**
 * Redis's own glob language: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before a character that stands for itself. Pure.
 */

/** A test for the texts that `glob` matches as a whole. A pattern without special characters matches itself alone. */
export function globMatcher(glob: string): (text: string) => boolean {
  if (!/[*?[\\]/.test(glob)) return text => text === glob;
  const tokens = parseGlob(glob);
  return text => matchGlob(tokens, Array.from(text));
}

type Token = '*' | ((character: string) => boolean);

function parseGlob(glob: string): Token[] {
  const characters = Array.from(glob);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '*') {
      if (tokens.at(-1) !== '*') tokens.push('*');
    } else if (character === '?') tokens.push(() => true);
    else if (character === '[') {
      const end = parseClass(characters, at, tokens);
      at = end;
    } else {
      const literal = character === '\\' && at + 1 < characters.length ? (characters[++at] as string) : character;
      tokens.push(found => found === literal);
    }
  }
  return tokens;
}

/** Reads `[...]` that starts at `at`; returns where it ends. One that is never closed ends with the pattern. */
function parseClass(characters: string[], at: number, tokens: Token[]): number {
  let index = at + 1;
  const negated = characters[index] === '^';
  if (negated) index++;
  const ranges: [string, string][] = [];
  for (; index < characters.length && characters[index] !== ']'; index++) {
    if (characters[index] === '\\' && index + 1 < characters.length) index++;
    const low = characters[index] as string;
    const high = characters[index + 2];
    if (characters[index + 1] === '-' && high !== undefined && high !== ']') {
      ranges.push(low <= high ? [low, high] : [high, low]);
      index += 2;
    } else ranges.push([low, low]);
  }
  tokens.push(found => ranges.some(([low, high]) => found >= low && found <= high) !== negated);
  return index;
}

/** Greedy with one point of return: time is bounded by pattern times text, whatever stars the pattern has. */
function matchGlob(tokens: Token[], text: string[]): boolean {
  let token = 0;
  let at = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < text.length) {
    const wanted = tokens[token];
    if (wanted === '*') {
      starToken = token++;
      starAt = at;
    } else if (wanted?.(text[at] as string)) {
      token++;
      at++;
    } else if (starToken >= 0) {
      token = starToken + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token] === '*') token++;
  return token === tokens.length;
}
