/**
 * The filter of a table. Words all have to occur; a word in lower case matches any case; `!word` must not occur;
 * `re:...` is a regular expression; `column=text` looks in one column.
 */
export type Matcher = (fields: () => ReadonlyMap<string, string>, text: () => string) => boolean;

export interface Filter {
  matches: Matcher;
  /** Why the text is no filter; it then matches everything. */
  error: string | null;
}

const EVERYTHING: Filter = { matches: () => true, error: null };

export function parseFilter(text: string): Filter {
  const terms = text.split(/\s+/).filter(term => term !== '' && term !== '!');
  if (terms.length === 0) return EVERYTHING;
  const matchers: Matcher[] = [];
  for (const term of terms) {
    const matcher = parseTerm(term);
    if (typeof matcher === 'string') return { matches: EVERYTHING.matches, error: matcher };
    matchers.push(matcher);
  }
  return { matches: (fields, whole) => matchers.every(matches => matches(fields, whole)), error: null };
}

function parseTerm(term: string): Matcher | string {
  if (term.startsWith('!')) {
    const inner = parseTerm(term.slice(1));
    return typeof inner === 'string' ? inner : (fields, text) => !inner(fields, text);
  }
  if (term.startsWith('re:')) {
    const expression = regularExpression(term.slice(3));
    return expression ? (_fields, text) => expression.test(text()) : 'not a regular expression';
  }
  const column = /^([a-z][a-z-]*)=(.+)$/.exec(term);
  if (column) {
    const [, name, wanted] = column as unknown as [string, string, string];
    const plain = occurs(term);
    return (fields, text) => {
      const cell = fields().get(name);
      // A key may hold an equals sign itself.
      return cell === undefined ? plain(text()) : cell.toLowerCase().includes(wanted.toLowerCase());
    };
  }
  const plain = occurs(term);
  return (_fields, text) => plain(text());
}

function occurs(word: string): (text: string) => boolean {
  if (word !== word.toLowerCase()) return text => text.includes(word);
  return text => text.toLowerCase().includes(word);
}

function regularExpression(source: string): RegExp | undefined {
  try {
    return new RegExp(source, 'u');
  } catch {
    return undefined;
  }
}
