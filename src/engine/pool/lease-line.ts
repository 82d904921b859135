/**
 * What the leases of a shard are renewed over: one connection, and while that is silent another beside it. Nobody can tell a
 * dead socket from a server that takes its time, so the first is kept until one of them answers, and that one stays.
 */
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { RedisUnavailableError } from '../core/errors.ts';
import type { Connection } from '../redis/connection.ts';

/** The second connection is given up for a third after that. */
const SPARE_MS = 500;

export class LeaseLine {
  /** Redis can be asked again. */
  readonly events = new Emitter<{ ready: undefined }>();
  readonly #clock: Clock;
  readonly #create: () => Connection;
  #main: Connection;
  #spare: Connection | undefined;
  #spareSinceMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  private constructor(clock: Clock, create: () => Connection, main: Connection) {
    this.#clock = clock;
    this.#create = create;
    this.#main = main;
    this.#listen(main);
  }

  /** `create` makes a connection that is not open yet. @throws as `Connection.open` */
  static async open(clock: Clock, create: () => Connection): Promise<LeaseLine> {
    const main = create();
    try {
      await main.open();
    } catch (error) {
      await main.close();
      throw error;
    }
    return new LeaseLine(clock, create, main);
  }

  /** @throws what `request` throws; RedisUnavailableError when another connection was kept meanwhile. */
  async ask<T>(request: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#spare?.ready ? this.#spare : this.#main;
    try {
      const reply = await request(connection);
      this.#keep(connection);
      return reply;
    } catch (error) {
      if (this.#closed || connection === this.#main || connection === this.#spare) throw error;
      throw new RedisUnavailableError('no answer over a connection that was given up for another one', {
        uncertain: true,
        cause: error,
      });
    }
  }

  /** Somebody asked and heard nothing for long. */
  doubt(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#closed || nowMs - this.#spareSinceMs < SPARE_MS) return;
    this.#spareSinceMs = nowMs;
    if (this.#spare) drop(this.#spare);
    this.#spare = this.#create();
    this.#spare.open().catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#main.close(), this.#spare?.close()]);
  }

  #keep(answered: Connection): void {
    const [main, spare] = [this.#main, this.#spare];
    if (!spare || (answered !== main && answered !== spare)) return;
    this.#spare = undefined;
    this.#spareSinceMs = Number.NEGATIVE_INFINITY;
    drop(answered === main ? spare : main);
    if (answered === main) return;
    this.#main = spare;
    this.#listen(spare);
    this.events.emit('ready', undefined);
  }

  #listen(connection: Connection): void {
    connection.events.on('ready', () => this.events.emit('ready', undefined));
  }
}

function drop(connection: Connection): void {
  connection.close().catch(() => {});
}
