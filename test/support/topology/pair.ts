/**
 * A master and a replica. Replication passes a relay, so that a test decides what the replica misses; clients come through
 * another one at `url`, which leads to the replica once that is promoted, as an address that moves does.
 */
import { TcpProxy } from '../proxy.ts';
import { RedisServer } from '../redis.ts';
import { tell, untilReplicated } from './commands.ts';

export class ReplicatedPair {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Between master and replica: in another mode than `pass` the replica misses what is written. */
  readonly replication: TcpProxy;
  readonly #front: TcpProxy;

  private constructor(master: RedisServer, replica: RedisServer, replication: TcpProxy, front: TcpProxy) {
    this.master = master;
    this.replica = replica;
    this.replication = replication;
    this.#front = front;
  }

  static async start(): Promise<ReplicatedPair> {
    // Without a pause before the first copy, and with acknowledgements that come back at once.
    const args = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
    const master = await RedisServer.start({ args });
    const replication = await TcpProxy.start(master.port);
    const replica = await RedisServer.start({ args: [...args, '--replicaof', '127.0.0.1', String(replication.port)] });
    const pair = new ReplicatedPair(master, replica, replication, await TcpProxy.start(master.port));
    await untilReplicated(master, replica);
    return pair;
  }

  /** Address for clients, now and after the promotion. */
  get url(): string {
    return this.#front.url;
  }

  /** The replica misses everything from here on. */
  cutReplication(): void {
    this.replication.mode = 'blackhole';
  }

  /** Kills the master; clients find nobody until the promotion. */
  async killMaster(): Promise<void> {
    this.#front.mode = 'refuse';
    await this.master.down('SIGKILL');
  }

  /** The replica is the master from here on, with what it has, and clients are led to it. */
  async promote(): Promise<void> {
    await tell(this.replica, 'REPLICAOF', 'NO', 'ONE');
    this.#front.leadTo(this.replica.port);
    this.#front.mode = 'pass';
  }

  async stop(): Promise<void> {
    await Promise.all([this.#front.stop(), this.replication.stop(), this.master.stop(), this.replica.stop()]);
  }
}
