/** Asks before something is destroyed. The default is No; where nobody can be asked, nothing is done. */
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { safeText } from '../present/safe-text.ts';
import { NotConfirmedError } from './errors.ts';

export interface ConfirmOptions {
  /** `--yes`: answered beforehand. */
  yes: boolean;
  /** `--no-input`: never ask. */
  noInput: boolean;
  input: Readable & { isTTY?: boolean };
  output: Writable & { isTTY?: boolean };
  signal?: AbortSignal;
}

/**
 * @param action what would be done, as in `Remove stream "orders" and its 12 events`.
 * @throws NotConfirmedError unless the answer is yes.
 */
export async function confirm(action: string, options: ConfirmOptions): Promise<void> {
  if (options.yes) return;
  if (options.noInput || !options.input.isTTY || !options.output.isTTY) {
    throw new NotConfirmedError(`${action}: this needs a confirmation and nobody can be asked; nothing was done`, {
      hint: 'Add --yes to do it.',
    });
  }
  const prompt = createInterface({ input: options.input, output: options.output });
  // The prompt takes Ctrl-C from the terminal; it means what it means everywhere.
  prompt.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const ended = new Promise<string>(resolve => prompt.once('close', () => resolve('')));
    const question = prompt.question(`${safeText(action)}? [y/N] `, options.signal ? { signal: options.signal } : {});
    const answer = await Promise.race([question.catch(() => ''), ended]);
    if (options.signal?.aborted) {
      throw options.signal.reason;
    }
    if (!/^y(es)?$/i.test(answer.trim())) {
      throw new NotConfirmedError(`${action}: not confirmed; nothing was done`, { hint: 'Answer y, or add --yes.' });
    }
  } finally {
    prompt.close();
  }
}
