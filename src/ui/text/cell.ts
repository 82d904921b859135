import { safeText } from '../../present/safe-text.ts';
import { takeWidth, takeWidthFromEnd, textWidth } from './width.ts';

/** Characters whose width, or whose joining, differs between terminals. */
const DOUBTFUL = new RegExp(
  String.raw`[\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Variation_Selector}\p{Emoji_Modifier}\p{Regional_Indicator}` +
    String.raw`\u{115f}-\u{11ff}\u{20e3}\u{d7b0}-\u{d7fb}]`,
  'gu',
);
/** More combining marks than this on one character are written to break a screen, not to be read. */
const PILED_MARKS = /([\p{Mn}\p{Me}]{3})[\p{Mn}\p{Me}]+/gu;
const PLAIN = /^[\x20-\x7e]*$/;

export type Align = 'left' | 'right';
/** Where a text that is too long is cut. Identifiers differ at both ends, growing numbers at their end. */
export type Cut = 'start' | 'middle' | 'end';

/** A text from outside as it may stand in a frame: harmless, and of a width every terminal agrees on. */
export function cellText(text: string): string {
  if (PLAIN.test(text)) return text;
  return safeText(text)
    .normalize('NFC')
    .replace(PILED_MARKS, '$1')
    .replace(/^[\p{Mn}\p{Me}]/u, ' $&')
    .replace(DOUBTFUL, character => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** Exactly `width` cells of a text that went through `cellText`. */
export function fitText(
  text: string,
  width: number,
  ellipsis: string,
  align: Align = 'left',
  cut: Cut = 'end',
): string {
  if (width <= 0) return '';
  const present = textWidth(text);
  const fitted = present <= width ? text : cutText(text, width, ellipsis, cut);
  const padding = ' '.repeat(Math.max(0, width - textWidth(fitted)));
  return align === 'right' ? padding + fitted : fitted + padding;
}

export function cutText(text: string, width: number, ellipsis: string, cut: Cut = 'end'): string {
  const room = width - textWidth(ellipsis);
  if (room <= 0) return takeWidth(text, width);
  if (cut === 'end') return takeWidth(text, room) + ellipsis;
  if (cut === 'start') return ellipsis + takeWidthFromEnd(text, room);
  const tail = Math.floor(room / 2);
  return takeWidth(text, room - tail) + ellipsis + takeWidthFromEnd(text, tail);
}
