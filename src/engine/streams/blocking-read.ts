/**
 * A connection that waits in Redis for entries. It is of its own, because a blocking read stalls whatever shares its
 * socket; it can be woken, because what it waits for changes; and it says when it has been connected anew, because what
 * Redis delivered in between may never have arrived.
 */
import type { Connection } from '../redis/connection.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument } from '../redis/script.ts';

export class BlockingRead {
  readonly #link: RedisLink;
  readonly #connection: Connection;
  #clientId: number | undefined;
  #waiting = false;
  /** Counts connections: a changed value means a new one. */
  #connects = 1;

  private constructor(link: RedisLink, connection: Connection) {
    this.#link = link;
    this.#connection = connection;
    connection.events.on('ready', () => {
      this.#connects++;
      this.#clientId = undefined;
    });
  }

  /** @throws RedisUnavailableError, RedisDeniedError */
  static async open(link: RedisLink): Promise<BlockingRead> {
    return new BlockingRead(link, await link.openBlocking());
  }

  get connects(): number {
    return this.#connects;
  }

  whenReady(signal: AbortSignal): Promise<void> {
    return this.#connection.whenReady(signal);
  }

  get ready(): boolean {
    return this.#connection.ready;
  }

  /** Sends a command that may wait in Redis for `blockMs`. */
  async call(blockMs: number, command: string, ...args: Argument[]): Promise<unknown> {
    if (this.#clientId === undefined && blockMs > 0) await this.#learnId();
    this.#waiting = blockMs > 0;
    try {
      return await this.#connection.callBlocking(blockMs, command, ...args);
    } finally {
      this.#waiting = false;
    }
  }

  /** Ends the wait under way as if its time were over. Without the permission, or on a cluster, it runs out by itself. */
  async wake(): Promise<void> {
    if (!this.#waiting || !this.#clientId) return;
    await this.#link.commands.call('CLIENT', 'UNBLOCK', this.#clientId).catch(() => {});
  }

  /** Cuts the connection; a wait under way fails. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  async #learnId(): Promise<void> {
    // On a cluster an id means nothing without the node that gave it.
    this.#clientId = this.#link.isCluster
      ? 0
      : await this.#connection.callBlocking(0, 'CLIENT', 'ID').then(Number, () => 0);
  }
}
