/** A line of text being typed. Pure. */
export interface Field {
  text: string;
  /** Characters before the caret. */
  at: number;
}

export function fieldOf(text: string): Field {
  return { text, at: [...text].length };
}

/** Control characters in what was typed or pasted are dropped; a line break counts as a blank. */
export function typeInto(field: Field, input: string): Field {
  const clean = input.replace(/[\r\n\t]+/g, ' ').replace(/\p{Cc}/gu, '');
  const characters = [...field.text];
  characters.splice(field.at, 0, ...clean);
  return { text: characters.join(''), at: field.at + [...clean].length };
}

/** What an editing key does; undefined when the key is none. */
export function editField(field: Field, key: string): Field | undefined {
  const characters = [...field.text];
  const keep = (before: number, after: number, at = before): Field => ({
    text: [...characters.slice(0, before), ...characters.slice(after)].join(''),
    at,
  });
  switch (key) {
    case 'left':
      return { ...field, at: Math.max(0, field.at - 1) };
    case 'right':
      return { ...field, at: Math.min(characters.length, field.at + 1) };
    case 'home':
    case 'ctrl-a':
      return { ...field, at: 0 };
    case 'end':
    case 'ctrl-e':
      return { ...field, at: characters.length };
    case 'backspace':
      return field.at === 0 ? field : keep(field.at - 1, field.at);
    case 'delete':
      return keep(field.at, field.at + 1);
    case 'ctrl-u':
      return keep(0, field.at);
    case 'ctrl-k':
      return keep(field.at, characters.length);
    case 'ctrl-w': {
      const before = characters.slice(0, field.at).join('');
      const start = [...before.replace(/\S*\s*$/, '')].length;
      return keep(start, field.at);
    }
    default:
      return undefined;
  }
}
