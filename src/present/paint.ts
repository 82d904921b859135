/** Colours of the terminal's own palette, so that a theme of the user's stays readable. Loaded only when colours are wanted. */
import { Chalk } from 'chalk';
import type { Paint } from './table.ts';

const chalk = new Chalk({ level: 1 });

export const paint: Paint = (style, text) => {
  switch (style) {
    case 'head':
      return chalk.bold(text);
    case 'good':
      return chalk.green(text);
    case 'busy':
      return chalk.cyan(text);
    case 'warn':
      return chalk.yellow(text);
    case 'bad':
      return chalk.red(text);
    case 'muted':
      return chalk.dim(text);
  }
};
