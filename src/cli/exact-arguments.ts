/**
 * Arguments byte for byte. Node turns each byte that is no UTF-8 into U+FFFD, so two keys could become one. Where the
 * kernel still has the bytes they are read again, as texts of the engine, which give every byte back.
 */
import { readFileSync } from 'node:fs';
import { decodeText } from '../engine/index.ts';

const LOST = '\ufffd';

export function exactArguments(
  argv: string[],
  readCommandLine: () => Buffer = () => readFileSync('/proc/self/cmdline'),
): string[] {
  if (process.platform !== 'linux' || !argv.some(word => word.includes(LOST))) return argv;
  try {
    const words = splitAtZero(readCommandLine()).slice(-argv.length);
    // Only when these are the same words: they end the command line, whatever stands before them.
    const same = words.length === argv.length && words.every((word, at) => word.toString('utf8') === argv[at]);
    return same ? words.map(decodeText) : argv;
  } catch {
    return argv;
  }
}

function splitAtZero(bytes: Buffer): Buffer[] {
  const words: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, from)) {
    words.push(bytes.subarray(from, at));
    from = at + 1;
  }
  return words;
}
