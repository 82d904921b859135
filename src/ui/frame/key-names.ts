import type { Glyphs } from '../paint/glyphs.ts';

/** A key as a person calls it. */
export function keyName(key: string, glyphs: Glyphs): string {
  switch (key) {
    case ' ':
      return 'space';
    case 'enter':
      return glyphs.enter;
    case 'pageup':
      return 'PgUp';
    case 'pagedown':
      return 'PgDn';
    case 'home':
      return 'Home';
    case 'end':
      return 'End';
    default:
      return key;
  }
}
