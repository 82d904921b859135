import type { Glyphs } from '../paint/glyphs.ts';
import { fitLine, type Line, lineWidth, type Span } from '../paint/line.ts';
import type { Mode } from '../state.ts';
import { cellText } from '../text/cell.ts';
import { takeWidth } from '../text/width.ts';

const MOST_WIDTH = 76;

/** Draws a box over the middle of what is there. */
export function overlay(lines: readonly Line[], box: readonly Line[], width: number): Line[] {
  const top = Math.max(0, Math.floor((lines.length - box.length) / 2));
  return lines.map((line, index) => {
    const inner = box[index - top];
    if (!inner) return line;
    const left = Math.max(0, Math.floor((width - lineWidth(inner)) / 2));
    return fitLine([[' '.repeat(left)], ...inner], width);
  });
}

export function confirmBox(mode: Extract<Mode, { kind: 'confirm' }>, glyphs: Glyphs, width: number): Line[] {
  const { text, choice } = mode;
  const buttons: Span[] = [
    [' '],
    [choice === 'cancel' ? `[ Cancel ]` : '  Cancel  ', choice === 'cancel' ? 'selected' : 'plain'],
    ['   '],
    [choice === 'act' ? `[ ${text.verb} ]` : `  ${text.verb}  `, choice === 'act' ? 'bad' : 'plain'],
    ['   y does it at once', 'muted'],
  ];
  return box(
    [
      ...wrap(text.question, width).map((line): Line => [[` ${line}`, 'strong']]),
      ...wrap(text.consequence, width).map((line): Line => [[` ${line}`]]),
      [],
      ...wrap(text.command, width).map((line): Line => [[` ${line}`, 'muted']]),
      [],
      buttons,
    ],
    glyphs,
    width,
  );
}

export function commandBox(command: string, glyphs: Glyphs, width: number): Line[] {
  return box(
    [
      [[' The same on the command line:', 'muted']],
      ...wrap(command, width).map((line): Line => [[` ${line}`, 'strong']]),
    ],
    glyphs,
    width,
  );
}

function innerWidth(width: number): number {
  return Math.max(10, Math.min(MOST_WIDTH, width - 4) - 2);
}

function box(lines: readonly Line[], { corners, rule, side }: Glyphs, width: number): Line[] {
  const inner = innerWidth(width);
  const bar = rule.repeat(inner);
  return [
    [[`${corners[0]}${bar}${corners[1]}`, 'accent']],
    ...lines.map((line): Line => [[side, 'accent'], ...fitLine(line, inner), [side, 'accent']]),
    [[`${corners[2]}${bar}${corners[3]}`, 'accent']],
  ];
}

/** In lines of the box; at most six, what is longer is cut. */
function wrap(text: string, width: number): string[] {
  const room = innerWidth(width) - 2;
  let rest = cellText(text);
  const lines: string[] = [];
  while (rest !== '' && lines.length < 6) {
    const piece = takeWidth(rest, room);
    const blank = piece.length < rest.length ? piece.lastIndexOf(' ') : -1;
    const line = blank > room / 2 ? piece.slice(0, blank + 1) : piece;
    lines.push(line.trimEnd());
    rest = rest.slice(Math.max(1, line.length));
  }
  return lines;
}
