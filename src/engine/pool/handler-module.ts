import { describeError, OptionError } from '../core/errors.ts';
import type { JobHandler } from './handler.ts';

const HINTS: Readonly<Record<string, string>> = {
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX:
    'Types are stripped, so enums, namespaces and parameter properties do not work; compile the file first.',
  ERR_UNKNOWN_FILE_EXTENSION: `Node ${process.versions.node} does not load TypeScript, 22.18 or newer does; or compile the file first.`,
};

/**
 * Loads a module that exports a handler: `start`, with `stop` and `notify` if it wants them, makes jobs services; `run`
 * makes them tasks. They may be named exports or properties of the default export. TypeScript is loaded as Node loads it:
 * types are stripped, not checked. `name` is what messages call it.
 * @throws OptionError when it does not load, or exports neither `start` nor `run`, or both.
 */
export async function loadHandlerModule(url: string, name: string): Promise<JobHandler> {
  const exported = await importModule(url, name);
  const handler = [exported, exported.default].find(hasHandlers);
  if (!handler) {
    throw new OptionError(`${name} exports neither start nor run`, {
      hint: 'Export start(job), and stop(job), for jobs that run until they are stopped; or run(job, signal) for jobs that end.',
    });
  }
  if (typeof handler.start === 'function' && typeof handler.run === 'function') {
    throw new OptionError(`${name} exports both start and run: a job is either a service or a task`);
  }
  return handler as unknown as JobHandler;
}

async function importModule(url: string, name: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new OptionError(`${name} does not load: ${describeError(error)}`, {
      hint: HINTS[code ?? ''] ?? 'Run it with node alone to see where.',
    });
  }
}

function hasHandlers(candidate: unknown): candidate is Record<string, unknown> {
  if (typeof candidate !== 'object' || candidate === null) return false;
  const { start, run } = candidate as Record<string, unknown>;
  return typeof start === 'function' || typeof run === 'function';
}
