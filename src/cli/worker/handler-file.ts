import { existsSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from '../errors.ts';

const MODULES = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

/** @throws UsageError when there is no such file, or it can be no module. */
export function findHandlerFile(path: string): URL {
  const file = resolve(path);
  if (!existsSync(file) || !statSync(file).isFile()) throw new UsageError(`there is no handler file ${path}`);
  if (!MODULES.includes(extname(file))) {
    throw new UsageError(`${path} is no JavaScript or TypeScript module`, {
      hint: 'To run a program of any language for each job, use --exec.',
      suggestions: [["ponos worker start --exec './program'", 'one child process per job']],
    });
  }
  return pathToFileURL(file);
}
