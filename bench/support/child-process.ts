/** The program of `child.ts`: `node child-process.ts MODULE`. */
import { pathToFileURL } from 'node:url';

export interface Request {
  id: number;
  method: string;
  args: unknown[];
}

export interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

const methods = (await import(pathToFileURL(process.argv[2] as string).href)) as Record<
  string,
  (...args: unknown[]) => unknown
>;

async function answer({ id, method, args }: Request): Promise<void> {
  const reply: Answer = { id };
  try {
    if (method === 'cpuUs') {
      const { user, system } = process.cpuUsage();
      reply.value = user + system;
    } else if (method !== '') reply.value = await methods[method]?.(...args);
  } catch (error) {
    reply.error = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  process.send?.(reply);
}

process.on('message', (request: Request) => void answer(request));
process.once('disconnect', () => process.exit());
