/** Every character the dashboard draws that is not ASCII, with what stands for it where only ASCII is safe. */
export interface Glyphs {
  ellipsis: string;
  none: string;
  pointer: string;
  rule: string;
  crumb: string;
  dot: string;
  ok: string;
  busy: string;
  bad: string;
  warn: string;
  stopped: string;
  idle: string;
  descending: string;
  ascending: string;
  enter: string;
  upDown: string;
  /** Fill levels of one cell, empty first. */
  bars: string;
  corners: readonly [string, string, string, string];
  side: string;
}

export const unicodeGlyphs: Glyphs = {
  ellipsis: '…',
  none: '–',
  pointer: '▶',
  rule: '─',
  crumb: '›',
  dot: '·',
  ok: '●',
  busy: '◐',
  bad: '✖',
  warn: '▲',
  stopped: '■',
  idle: '○',
  descending: '▼',
  ascending: '▲',
  enter: '⏎',
  upDown: '↑↓',
  bars: ' ▁▂▃▄▅▆▇█',
  corners: ['┌', '┐', '└', '┘'],
  side: '│',
};

export const asciiGlyphs: Glyphs = {
  ellipsis: '~',
  none: '-',
  pointer: '>',
  rule: '-',
  crumb: '>',
  dot: '|',
  ok: '+',
  busy: '~',
  bad: 'x',
  warn: '!',
  stopped: '#',
  idle: 'o',
  descending: 'v',
  ascending: '^',
  enter: 'enter',
  upDown: 'up/down',
  bars: ' .:-=+*#',
  corners: ['+', '+', '+', '+'],
  side: '|',
};
