/** A master, a replica and three sentinels that watch them. They are told of each other, so that they need not meet first. */
import { createHash } from 'node:crypto';
import { freePort, RedisServer } from '../redis.ts';
import { until } from '../until.ts';
import { ask, tell, untilReplicated } from './commands.ts';

const NAME = 'fleet';
export const DOWN_AFTER_MS = 1000;

export class Sentinels {
  readonly servers: [RedisServer, RedisServer];
  readonly sentinels: RedisServer[];

  private constructor(servers: [RedisServer, RedisServer], sentinels: RedisServer[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  static async start(): Promise<Sentinels> {
    const args = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
    const master = await RedisServer.start({ args });
    const replica = await RedisServer.start({ args: [...args, '--replicaof', '127.0.0.1', String(master.port)] });
    await untilReplicated(master, replica);
    const ports = await Promise.all([1, 2, 3].map(() => freePort()));
    const sentinels = await Promise.all(
      ports.map(port =>
        RedisServer.start({
          port,
          sentinel: `${[
            `sentinel myid ${idOf(port)}`,
            `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 2`,
            `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
            `sentinel failover-timeout ${NAME} 5000`,
            `sentinel known-replica ${NAME} 127.0.0.1 ${replica.port}`,
            ...ports
              .filter(other => other !== port)
              .map(other => `sentinel known-sentinel ${NAME} 127.0.0.1 ${other} ${idOf(other)}`),
          ].join('\n')}\n`,
        }),
      ),
    );
    const group = new Sentinels([master, replica], sentinels);
    for (const sentinel of sentinels) {
      await until(
        async () => (await ask(sentinel, 'SENTINEL', 'CKQUORUM', NAME).catch(() => '')).startsWith('OK'),
        'the sentinels to see each other',
      );
      // A replica they have no word of yet is none they would promote.
      await until(
        async () => /master-link-status,ok/.test(await ask(sentinel, 'SENTINEL', 'REPLICAS', NAME)),
        'the sentinels to see the replica',
      );
    }
    return group;
  }

  get url(): string {
    return `redis+sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${NAME}`;
  }

  /** The master as most sentinels see it now. */
  async master(): Promise<RedisServer> {
    const seen = await Promise.all(
      this.sentinels.map(
        async sentinel => (await ask(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)).split(',')[1],
      ),
    );
    const [first, second] = this.servers;
    return seen.filter(port => port === String(first.port)).length >= 2 ? first : second;
  }

  /** What an operator does before maintenance. Resolves when all sentinels lead to the other server. */
  async failover(): Promise<void> {
    const before = await this.master();
    await tell(this.sentinels[0] as RedisServer, 'SENTINEL', 'FAILOVER', NAME);
    await this.untilMasterIsNot(before);
  }

  /** Resolves when the sentinels have put another in its place. */
  async killMaster(): Promise<void> {
    const before = await this.master();
    await before.down('SIGKILL');
    await this.untilMasterIsNot(before);
  }

  async untilMasterIsNot(server: RedisServer): Promise<void> {
    await until(async () => (await this.master()) !== server, 'another master', { limitMs: 30_000, everyMs: 20 });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map(server => server.stop()));
  }
}

function idOf(port: number): string {
  return createHash('sha1').update(`sentinel ${port}`).digest('hex');
}
