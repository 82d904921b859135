/** `--watch`: the same look again and again. On a terminal each replaces the one before; elsewhere they follow each other. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Output } from './output.ts';

const CLEAR = '\u001b[H\u001b[2J';

export async function watchLoop(
  look: () => Promise<void>,
  output: Output,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { stdout, looks } = output;
  const redraw = stdout.isTerminal && (looks.format === 'table' || looks.format === 'wide');
  while (!signal.aborted) {
    if (redraw) await stdout.write(CLEAR);
    await look();
    await pause(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
