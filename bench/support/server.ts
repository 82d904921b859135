/** The redis-server of a benchmark, and what it spends. */
import { Redis } from 'ioredis';
import { RedisServer } from '../../test/support/redis.ts';
import { pinServer } from './placement.ts';

export interface ServerUse {
  /** CPU time of the server so far. */
  cpuUs: number;
  /** Scripts run so far. */
  scriptCount: number;
  /** Commands carried out so far, those of scripts included. */
  commandCount: number;
}

export class BenchServer {
  readonly url: string;
  readonly #server: RedisServer;
  readonly #redis: Redis;

  private constructor(server: RedisServer) {
    this.#server = server;
    this.url = server.url;
    this.#redis = new Redis(server.url);
  }

  static async start(): Promise<BenchServer> {
    const server = await RedisServer.start();
    pinServer(server.pid);
    return new BenchServer(server);
  }

  /** Removes all data. */
  async empty(): Promise<void> {
    await this.#redis.flushall('SYNC');
  }

  async use(): Promise<ServerUse> {
    const info = await this.#redis.info('everything');
    const number = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0);
    return {
      cpuUs: 1e6 * (number(/^used_cpu_sys:([\d.]+)/m) + number(/^used_cpu_user:([\d.]+)/m)),
      scriptCount: number(/^cmdstat_evalsha:calls=(\d+)/m),
      commandCount: number(/^total_commands_processed:(\d+)/m),
    };
  }

  async describe(): Promise<string> {
    const info = await this.#redis.info('server');
    return `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1] ?? '?'}`;
  }

  async stop(): Promise<void> {
    this.#redis.disconnect();
    await this.#server.stop();
  }
}
