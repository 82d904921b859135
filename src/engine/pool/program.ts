import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OptionError } from '../core/errors.ts';

/** Folders from which this module, as a source file or bundled into another, sees those of the pool. */
const PLACES = ['./', './pool/', '../pool/', '../engine/pool/', '../../engine/pool/'];

/**
 * The file of a program that a worker runs beside itself.
 * @throws OptionError when it is missing.
 */
export function findProgram(name: 'exec/watchdog' | 'isolate/host'): string {
  for (const place of PLACES) {
    for (const extension of ['.ts', '.js']) {
      const file = fileURLToPath(new URL(`${place}${name}${extension}`, import.meta.url));
      if (existsSync(file)) return file;
    }
  }
  throw new OptionError(`the program ${name} is missing beside ${fileURLToPath(import.meta.url)}`, {
    hint: 'A bundle of your own must take the programs along, or name their files in the options.',
  });
}
