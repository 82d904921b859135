import { existsSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeError, type JobHandler } from '../../engine/index.ts';
import { UsageError } from '../errors.ts';

const HINTS: Readonly<Record<string, string>> = {
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX:
    'Types are stripped, so enums, namespaces and parameter properties do not work; compile the file first.',
  ERR_UNKNOWN_FILE_EXTENSION: `Node ${process.versions.node} does not load TypeScript, 22.18 or newer does; or compile the file first.`,
};
const MODULES = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

/**
 * Loads a handler module: `start`, with `stop` and `notify` if it wants them, makes jobs services; `run` makes them
 * tasks. They may be named exports or properties of the default export. TypeScript is loaded as Node loads it: types are
 * stripped, not checked.
 * @throws UsageError when there is no such file, it does not load, or it exports neither `start` nor `run`.
 */
export async function loadHandlerFile(path: string): Promise<JobHandler> {
  const file = resolve(path);
  if (!existsSync(file) || !statSync(file).isFile()) throw new UsageError(`there is no handler file ${path}`);
  if (!MODULES.includes(extname(file))) {
    throw new UsageError(`${path} is no JavaScript or TypeScript module`, {
      hint: 'To run a program of any language for each job, use --exec.',
      suggestions: [["ponos worker start --exec './program'", 'one child process per job']],
    });
  }
  const exported = await importFile(path, file);
  const handler = [exported, exported.default].find(hasHandlers);
  if (!handler) {
    throw new UsageError(`${path} exports neither start nor run`, {
      hint: 'Export start(job), and stop(job), for jobs that run until they are stopped; or run(job, signal) for jobs that end.',
    });
  }
  if (typeof handler.start === 'function' && typeof handler.run === 'function') {
    throw new UsageError(`${path} exports both start and run: a job is either a service or a task`);
  }
  return handler as unknown as JobHandler;
}

async function importFile(path: string, file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new UsageError(`${path} does not load: ${describeError(error)}`, {
      hint: HINTS[code ?? ''] ?? 'Run it with node alone to see where.',
    });
  }
}

function hasHandlers(candidate: unknown): candidate is Record<string, unknown> {
  if (typeof candidate !== 'object' || candidate === null) return false;
  const { start, run } = candidate as Record<string, unknown>;
  return typeof start === 'function' || typeof run === 'function';
}
