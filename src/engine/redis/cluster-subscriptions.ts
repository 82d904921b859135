/**
 * Sharded pub/sub in a cluster: a channel belongs to a slot, so it is subscribed to at the node that has the slot now, over
 * one connection for each such node. A slot may move and a node may be replaced at any time; then the node says that it
 * no longer serves the channel, or its connection is lost, or another command is redirected. After each of these the
 * cluster is asked, and the channel subscribed to where it belongs; its handlers' `ready` is called again. The placement
 * is also compared with what the client knows from time to time, because any single sign may be missed.
 */
import { backoffMs } from '../core/backoff.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { ClosedError, RedisUnavailableError } from '../core/errors.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { Connection } from './connection.ts';
import { nodeName, type SlotMap } from './slot-map.ts';
import {
  ServerSubscriptions,
  type Subscription,
  type SubscriptionHandler,
  type Subscriptions,
} from './subscriptions.ts';
import type { RedisNode } from './url.ts';

interface Listener {
  channel: string;
  handler: SubscriptionHandler;
  /** Where it is subscribed to; undefined while it is not. */
  at: { node: string; subscription: Subscription } | undefined;
  /** The node may have dropped it. */
  doubted: boolean;
}

const LOOK_EVERY_MS = 1000;
const LOOK_AGAIN = { baseMs: 50, maxMs: 1000 };
/** Looks after a sign: the nodes tell each other of a change in well under the sum of these. */
const LOOKS = 6;

export class ClusterSubscriptions implements Subscriptions {
  readonly #slots: SlotMap;
  readonly #clock: Clock;
  readonly #connect: (node: RedisNode) => Connection;
  readonly #nodes = new Map<string, ServerSubscriptions>();
  readonly #listeners = new Set<Listener>();
  readonly #looking: PeriodicTask;
  #looksLeft = 0;
  #lookTimer: Timer | undefined;
  #closed = false;

  constructor(slots: SlotMap, clock: Clock, connect: (node: RedisNode) => Connection) {
    this.#slots = slots;
    this.#clock = clock;
    this.#connect = connect;
    this.#looking = new PeriodicTask(
      clock,
      { intervalMs: LOOK_EVERY_MS, jitter: 0.1 },
      () => this.#look(),
      () => this.#lookSoon(),
    );
  }

  async subscribe(channel: string, handler: SubscriptionHandler): Promise<Subscription> {
    if (this.#closed) throw new ClosedError('connection');
    this.#looking.start();
    const listener: Listener = { channel, handler, at: undefined, doubted: false };
    try {
      await this.#place(listener);
    } catch {
      // The owner may have changed a moment ago.
      await this.#slots.refresh();
      await this.#place(listener);
    }
    this.#listeners.add(listener);
    return {
      close: async () => {
        this.#listeners.delete(listener);
        await listener.at?.subscription.close();
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#lookTimer?.cancel();
    this.#listeners.clear();
    await this.#looking.stop();
    await Promise.all([...this.#nodes.values()].map(node => node.close()));
  }

  /** Compares where everything is subscribed to with where it belongs, and moves what is elsewhere. */
  async #look(): Promise<void> {
    if (this.#looksLeft > 0) await this.#slots.refresh();
    const wrong = [...this.#listeners].filter(listener => {
      const owner = this.#slots.ownerOf(listener.channel);
      return listener.doubted || (owner !== undefined && listener.at?.node !== nodeName(owner));
    });
    const placed = await Promise.allSettled(wrong.map(listener => this.#place(listener)));
    await this.#dropIdleNodes();
    if (placed.some(({ status }) => status === 'rejected')) this.#lookSoon();
    else if (this.#looksLeft > 0) this.#lookAgain();
  }

  async #place(listener: Listener): Promise<void> {
    const { channel, handler } = listener;
    const owner = this.#slots.ownerOf(channel);
    if (!owner) throw new RedisUnavailableError('no node of the cluster is known to have the slot of a channel');
    const before = listener.at;
    const node = nodeName(owner);
    const subscription = await this.#nodeAt(owner).subscribe(channel, {
      message: payload => handler.message(payload),
      ready: () => handler.ready?.(),
      lost: () => handler.lost?.(),
    });
    listener.at = { node, subscription };
    listener.doubted = false;
    await before?.subscription.close();
    // Closed meanwhile.
    if (this.#closed) await subscription.close();
  }

  #nodeAt(owner: RedisNode): ServerSubscriptions {
    const name = nodeName(owner);
    let node = this.#nodes.get(name);
    if (!node) {
      const connection = this.#connect(owner);
      node = new ServerSubscriptions(connection, this.#clock, () => connection.open());
      this.#nodes.set(name, node);
      connection.events.on('lost', () => this.#lookSoon());
      // What the client says when the node drops a channel because its slot went elsewhere.
      (connection.client as NodeJS.EventEmitter).on('moved', () => {
        for (const listener of this.#listeners) if (listener.at?.node === name) listener.doubted = true;
        this.#lookSoon();
      });
    }
    return node;
  }

  async #dropIdleNodes(): Promise<void> {
    const used = new Set([...this.#listeners].map(({ at }) => at?.node));
    for (const [name, node] of this.#nodes) {
      if (used.has(name) || node.channelCount > 0) continue;
      this.#nodes.delete(name);
      await node.close();
    }
  }

  #lookSoon(): void {
    this.#looksLeft = LOOKS;
    this.#lookAgain();
  }

  #lookAgain(): void {
    if (this.#closed) return;
    const delayMs = backoffMs(LOOKS - this.#looksLeft + 1, LOOK_AGAIN);
    this.#looksLeft = Math.max(0, this.#looksLeft - 1);
    this.#lookTimer?.cancel();
    this.#lookTimer = this.#clock.after(delayMs, () => this.#looking.poke(), { ref: false });
  }
}
