/**
 * Matches `text` against a pattern of Redis's kind: `*` any run, `?` one character, `[a-z]` and `[^a-z]` sets, `\` takes the next
 * character as it is. Its time is at most the product of both lengths, whatever the pattern.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const tokens = parseGlob(pattern);
  const characters = [...text];
  let token = 0;
  let at = 0;
  let star = -1;
  let resumeAt = 0;
  while (at < characters.length) {
    const current = tokens[token];
    if (current === ANY_RUN) {
      star = token++;
      resumeAt = at;
    } else if (current?.(characters[at] as string)) {
      token++;
      at++;
    } else if (star >= 0) {
      // Only the last star needs another try: an earlier one could take no more than this one can.
      token = star + 1;
      at = ++resumeAt;
    } else return false;
  }
  while (tokens[token] === ANY_RUN) token++;
  return token === tokens.length;
}

type Matcher = (character: string) => boolean;
const ANY_RUN: Matcher = () => true;
const ANY_ONE: Matcher = () => true;

function parseGlob(pattern: string): Matcher[] {
  const characters = [...pattern];
  const tokens: Matcher[] = [];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] as string;
    if (character === '*') tokens.push(ANY_RUN);
    else if (character === '?') tokens.push(ANY_ONE);
    else if (character === '[') {
      const [matcher, end] = parseSet(characters, i + 1);
      tokens.push(matcher);
      i = end;
    } else {
      const literal = character === '\\' && i + 1 < characters.length ? (characters[++i] as string) : character;
      tokens.push(other => other === literal);
    }
  }
  return tokens;
}

/** As Redis does, a set that is never closed reaches to the end of the pattern. */
function parseSet(characters: string[], start: number): [Matcher, end: number] {
  const negated = characters[start] === '^';
  const ranges: [string, string][] = [];
  let i = negated ? start + 1 : start;
  for (; i < characters.length && characters[i] !== ']'; i++) {
    if (characters[i] === '\\' && i + 1 < characters.length) i++;
    const first = characters[i] as string;
    if (characters[i + 1] === '-' && i + 2 < characters.length && characters[i + 2] !== ']') {
      const last = characters[i + 2] as string;
      ranges.push(first <= last ? [first, last] : [last, first]);
      i += 2;
    } else ranges.push([first, first]);
  }
  return [character => ranges.some(([low, high]) => character >= low && character <= high) !== negated, i];
}
