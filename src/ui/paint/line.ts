import { cutText, fitText } from '../text/cell.ts';
import { takeWidth, textWidth } from '../text/width.ts';
import type { Role, Theme } from './theme.ts';

/** A piece of a line and what it means. The text is safe for a terminal already. */
export type Span = readonly [text: string, role?: Role];
/** One row of the screen. */
export type Line = readonly Span[];

export function lineText(line: Line): string {
  return line.map(([text]) => text).join('');
}

export function lineWidth(line: Line): number {
  return line.reduce((width, [text]) => width + textWidth(text), 0);
}

/** Exactly `width` cells: cut or filled with blanks. */
export function fitLine(line: Line, width: number, ellipsis = ''): Line {
  const fitted: Span[] = [];
  let left = width;
  for (const [text, role] of line) {
    const size = textWidth(text);
    if (size <= left) {
      fitted.push([text, role]);
      left -= size;
      continue;
    }
    const cut = ellipsis ? cutText(text, left, ellipsis) : takeWidth(text, left);
    fitted.push([cut, role]);
    left -= textWidth(cut);
    break;
  }
  if (left > 0) fitted.push([' '.repeat(left)]);
  return fitted;
}

/** One part at the left, one at the right end; the left one is cut when both do not fit. */
export function spread(left: Line, right: Line, width: number, ellipsis: string): Line {
  const rightWidth = lineWidth(right);
  if (rightWidth >= width) return fitLine(right, width);
  return [...fitLine(left, width - rightWidth, ellipsis), ...right];
}

export function blankLine(width: number): Line {
  return [[' '.repeat(Math.max(0, width))]];
}

export function textLine(text: string, width: number, ellipsis: string, role?: Role): Line {
  return [[fitText(text, width, ellipsis), role]];
}

/** Exactly `height` lines of exactly `width` cells. */
export function fitLines(lines: readonly Line[], width: number, height: number): Line[] {
  const fitted = lines.slice(0, Math.max(0, height)).map(line => fitLine(line, width));
  while (fitted.length < height) fitted.push(blankLine(width));
  return fitted;
}

/** All of a line in one role, whatever its parts mean. */
export function overall(line: Line, role: Role): Line {
  return [[lineText(line), role]];
}

const CONTROL = /\p{Cc}/gu;

/** The line as a terminal takes it. What got here unsafe by a mistake is still not obeyed. */
export function paintLine(line: Line, theme: Theme): string {
  let painted = '';
  for (const [given, role] of line) {
    const text = given.replace(CONTROL, '?');
    const codes = role === undefined ? [] : theme[role];
    painted += codes.length === 0 ? text : `\x1b[${codes.join(';')}m${text}\x1b[0m`;
  }
  return painted;
}
