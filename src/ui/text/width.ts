/**
 * How many terminal cells a text takes, for texts that went through `cellText`: what terminals disagree about (joined
 * emoji, variation selectors, format characters) is not in them.
 */
const WIDE = new RegExp(
  String.raw`[\p{Emoji_Presentation}\u{1100}-\u{115f}\u{2329}\u{232a}\u{2e80}-\u{303e}\u{3041}-\u{3247}\u{3250}-\u{4dbf}` +
    String.raw`\u{4e00}-\u{a4cf}\u{a960}-\u{a97c}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe10}-\u{fe19}\u{fe30}-\u{fe6b}` +
    String.raw`\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2fb}\u{1f200}-\u{1f265}` +
    String.raw`\u{20000}-\u{3fffd}]`,
  'u',
);
const COMBINING = /[\p{Mn}\p{Me}]/u;
const ASCII = /^[\x20-\x7e]*$/;

export function characterWidth(character: string): number {
  if (ASCII.test(character)) return 1;
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The longest beginning that takes at most `width` cells. */
export function takeWidth(text: string, width: number): string {
  if (width <= 0) return '';
  if (ASCII.test(text)) return text.slice(0, width);
  let taken = '';
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    taken += character;
  }
  return taken;
}

/** The longest end that takes at most `width` cells. */
export function takeWidthFromEnd(text: string, width: number): string {
  if (width <= 0) return '';
  if (ASCII.test(text)) return text.slice(Math.max(0, text.length - width));
  const characters = [...text];
  let used = 0;
  let start = characters.length;
  while (start > 0) {
    used += characterWidth(characters[start - 1] as string);
    if (used > width) break;
    start--;
  }
  // A combining mark without its base would join whatever stands before it.
  while (start < characters.length && characterWidth(characters[start] as string) === 0) start++;
  return characters.slice(start).join('');
}
