/** Command lines to show and to copy. */
import { quoteForShell } from '../present/shell.ts';

export function cliCommand(
  noun: string,
  verb: string,
  operands: readonly string[] = [],
  flags: Readonly<Record<string, string>> = {},
): string {
  const options = Object.entries(flags).map(([name, value]) => `--${name}=${quoteForShell(value)}`);
  // An operand that begins with a dash would be taken for a flag.
  const dashed = operands.some(operand => operand.startsWith('-')) ? ['--'] : [];
  return ['ponos', noun, verb, ...options, ...dashed, ...operands.map(quoteForShell)].join(' ');
}
