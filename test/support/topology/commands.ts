/** Commands of an operator to one server, each over a connection of its own: servers come and go under these tests. */
import { RedisLink } from '../../../src/engine/redis/link.ts';
import type { Argument } from '../../../src/engine/redis/script.ts';
import type { RedisServer } from '../redis.ts';
import { until } from '../until.ts';

export async function tell(server: RedisServer, command: string, ...args: Argument[]): Promise<unknown> {
  const link = await RedisLink.connect({ url: server.url, connectAttempts: 1 });
  try {
    return await link.commands.call(command, ...args);
  } finally {
    await link.close();
  }
}

export async function ask(server: RedisServer, command: string, ...args: Argument[]): Promise<string> {
  return flat(await tell(server, command, ...args));
}

function flat(reply: unknown): string {
  return Array.isArray(reply) ? reply.map(flat).join(',') : String(reply);
}

/** Every write of the master so far is in the replica. */
export async function untilReplicated(master: RedisServer, replica: RedisServer): Promise<void> {
  await until(
    async () => /master_link_status:up/.test(await ask(replica, 'INFO', 'replication')),
    'the replica to follow',
  );
  const offset = Number(/master_repl_offset:(\d+)/.exec(await ask(master, 'INFO', 'replication'))?.[1]);
  await until(
    async () => Number(/slave_repl_offset:(\d+)/.exec(await ask(replica, 'INFO', 'replication'))?.[1]) >= offset,
    'the replica to have it all',
  );
}
