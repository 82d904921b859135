/** The plain client as every raw side has it: the settings of the engine's own connections, the writes of a tick corked. */
import { Redis } from 'ioredis';
import { corkRestOfTick } from '../../src/engine/redis/cork.ts';

export async function connectRaw(url: string): Promise<Redis> {
  const client = new Redis(url, { lazyConnect: true, noDelay: true, protocol: 2 });
  client.on('connect', () => corkRestOfTick((client as unknown as { stream: never }).stream));
  await client.connect();
  return client;
}

/** For promises nobody waits for: the process of a benchmark must not go on after an error. */
export function fail(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
