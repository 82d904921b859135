/**
 * What a dispatcher holds of one shard: a view of its members that follows the hints. The view may be old; the scripts check
 * what they are told.
 */
import { Emitter } from '../core/emitter.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Subscription } from '../redis/subscriptions.ts';
import { Membership } from './membership.ts';
import { parsePoolEvent } from './messages.ts';
import { mostLookMs } from './options.ts';
import { DEFAULT_GROUP } from './routes.ts';
import type { Shard } from './shard.ts';
import type { LossCause } from './shard-attachment.ts';

export interface StateLoss {
  cause: LossCause;
  /** Jobs that waited when somebody here last looked, a few seconds before at most: how many may be lost, about. */
  queuedCount: number;
}

export interface ShardViewEvents {
  /** Redis may have lost something of the shard, which is in quarantine now. */
  stateLost: StateLoss;
  /** Work waits in a group. */
  pending: string;
  /** A schedule or ticker of that name was changed. */
  schedule: string;
  error: unknown;
}

export class ShardView {
  readonly shard: Shard;
  readonly membership: Membership;
  readonly events = new Emitter<ShardViewEvents>();
  readonly #link: RedisLink;
  readonly #refreshing: PeriodicTask;
  #subscription: Subscription | undefined;

  private constructor(link: RedisLink, shard: Shard, refreshMs: number) {
    this.#link = link;
    this.shard = shard;
    this.membership = new Membership(link.clock);
    this.#refreshing = new PeriodicTask(
      link.clock,
      {
        get intervalMs() {
          return Math.min(refreshMs, mostLookMs(shard.terms));
        },
        jitter: 0.1,
      },
      () => this.update(),
      error => this.events.emit('error', error),
    );
    shard.events.on('lost', cause => {
      if (cause === 'flushed') this.membership.reset();
      this.events.emit('stateLost', { cause, queuedCount: shard.queuedCount });
      this.refresh();
    });
  }

  static async open(link: RedisLink, shard: Shard, refreshMs: number): Promise<ShardView> {
    const view = new ShardView(link, shard, refreshMs);
    try {
      await view.#open();
    } catch (error) {
      await view.close();
      throw error;
    }
    return view;
  }

  /** Looks at the members now. */
  refresh(): void {
    this.#refreshing.poke();
  }

  /** Resolves when the view shows what is so now. */
  async update(): Promise<void> {
    this.membership.apply(await this.shard.members('', DEFAULT_GROUP, this.membership.epoch));
  }

  /** Something said which epoch it is. */
  heard(epoch: number): void {
    if (this.membership.heard(epoch)) this.refresh();
  }

  async close(): Promise<void> {
    await this.#subscription?.close();
    await this.#refreshing.stop();
  }

  async #open(): Promise<void> {
    this.#subscription = await this.#link.subscriptions.subscribe(this.shard.channels.events, {
      message: message => {
        const event = parsePoolEvent(message);
        if (event?.kind === 'epoch') this.heard(event.epoch);
        else if (event?.kind === 'pending') this.events.emit('pending', event.group);
        else if (event) this.events.emit('schedule', event.name);
      },
      ready: () => this.refresh(),
    });
    await this.update();
    this.#refreshing.start();
  }
}
