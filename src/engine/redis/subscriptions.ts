/**
 * Sharded pub/sub over one connection, shared by everything in the process that listens.
 *
 * Messages are hints or deltas and may be lost whenever the connection is. So after every subscribe reply, the first and
 * each after a reconnect, the handler's `ready` is called: the moment from which it must resynchronise with the truth.
 * A ping finds the half-open socket that would keep silence for ever.
 */
import { type Clock, within } from '../core/clock.ts';
import { ClosedError } from '../core/errors.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { Connection } from './connection.ts';
import { redisErrorWord } from './errors.ts';

export interface SubscriptionHandler {
  message(payload: Buffer): void;
  /** Subscribed (again): whatever was missed must be fetched now. */
  ready?(): void;
  /** The connection is gone; messages may be missed from here on. */
  lost?(): void;
}

export interface Subscription {
  close(): Promise<void>;
}

export interface Subscriptions {
  /** Resolves after the subscribe reply; `ready` has been called by then. */
  subscribe(channel: string, handler: SubscriptionHandler): Promise<Subscription>;
  close(): Promise<void>;
}

const PING_EVERY_MS = 10_000;
const PING_LIMIT_MS = 2_000;

/** Those of one server. */
export class ServerSubscriptions implements Subscriptions {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #open: () => Promise<void>;
  readonly #channels = new Map<string, Set<SubscriptionHandler>>();
  readonly #ping: PeriodicTask;
  #opened: Promise<void> | undefined;
  #closed = false;

  constructor(connection: Connection, clock: Clock, open: () => Promise<void>) {
    this.#connection = connection;
    this.#clock = clock;
    this.#open = open;
    this.#ping = new PeriodicTask(
      clock,
      { intervalMs: PING_EVERY_MS, jitter: 0.1 },
      () => this.#probe(),
      () => connection.reconnect(),
    );
    (connection.client as NodeJS.EventEmitter).on('smessageBuffer', (channel: Buffer, payload: Buffer) => {
      for (const handler of this.#channels.get(channel.toString()) ?? []) handler.message(payload);
    });
    connection.events.on('lost', () => this.#each(handler => handler.lost?.()));
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  async subscribe(channel: string, handler: SubscriptionHandler): Promise<Subscription> {
    if (this.#closed) throw new ClosedError('connection');
    const handlers = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, handlers);
    handlers.add(handler);
    try {
      this.#opened ??= this.#start().catch(error => {
        this.#opened = undefined;
        throw error;
      });
      await this.#opened;
      // Sent even when another handler listens already: this handler's snapshot must start after a reply of its own.
      await this.#connection.call('SSUBSCRIBE', channel);
    } catch (error) {
      await this.#remove(channel, handler);
      throw error;
    }
    if (handlers.has(handler)) handler.ready?.();
    return { close: () => this.#remove(channel, handler) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#channels.clear();
    await this.#ping.stop();
    await this.#connection.close();
  }

  async #start(): Promise<void> {
    await this.#open();
    this.#connection.events.on('ready', () => {
      this.#resubscribe().catch(() => this.#connection.reconnect());
    });
    this.#ping.start();
  }

  async #resubscribe(): Promise<void> {
    for (const channel of [...this.#channels.keys()]) {
      try {
        await this.#connection.call('SSUBSCRIBE', channel);
      } catch (error) {
        // A node of a cluster that lost the slot: whoever placed the channel here places it elsewhere.
        if (redisErrorWord(error) === 'MOVED') continue;
        throw error;
      }
      for (const handler of this.#channels.get(channel) ?? []) handler.ready?.();
    }
  }

  async #remove(channel: string, handler: SubscriptionHandler): Promise<void> {
    const handlers = this.#channels.get(channel);
    if (!handlers?.delete(handler) || handlers.size > 0) return;
    this.#channels.delete(channel);
    // Not waited for: commands keep their order, so whoever subscribes anew comes after it, and a dead link would hold up a close.
    if (this.#connection.ready && !this.#closed) this.#connection.call('SUNSUBSCRIBE', channel).catch(() => {});
  }

  async #probe(): Promise<void> {
    if (!this.#connection.ready) return;
    await within(this.#clock, PING_LIMIT_MS, this.#connection.call('PING'), () => this.#connection.reconnect());
  }

  #each(act: (handler: SubscriptionHandler) => void): void {
    for (const handlers of this.#channels.values()) for (const handler of handlers) act(handler);
  }
}
