/**
 * What every dispatcher holds of a pool: its shard, a view of the members that follows the hints, the routes. A dispatch
 * then costs one round trip. The view may be old; the scripts check what they are told.
 */
import { Emitter } from '../core/emitter.ts';
import { checkName } from '../core/names.ts';
import { PeriodicTask } from '../core/periodic.ts';
import { requireNoEviction } from '../redis/eviction.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Subscription } from '../redis/subscriptions.ts';
import { Membership } from './membership.ts';
import { parsePoolEvent } from './messages.ts';
import type { LeaseOption } from './options.ts';
import { poolOptions } from './options.ts';
import { RouteMap } from './route-map.ts';
import { DEFAULT_GROUP } from './routes.ts';
import { type LossCause, Shard } from './shard.ts';

export interface PoolViewOptions {
  create: boolean;
  lease: LeaseOption | undefined;
  limit: number | undefined;
  ledgerLength: number;
  deadLimit: number;
  allowUnsafeEviction: boolean;
  refreshMs: number;
}

export interface PoolViewEvents {
  /** Redis may have lost something of the pool, which is in quarantine now. */
  stateLost: LossCause;
  /** Work waits in a group. */
  pending: string;
  /** A schedule or ticker of that name was changed. */
  schedule: string;
  error: unknown;
}

export class PoolView {
  readonly link: RedisLink;
  readonly pool: string;
  readonly shard: Shard;
  readonly membership: Membership;
  readonly routes: RouteMap;
  readonly events = new Emitter<PoolViewEvents>();
  readonly #refreshing: PeriodicTask;
  #subscription: Subscription | undefined;

  private constructor(link: RedisLink, pool: string, shard: Shard, routes: RouteMap, refreshMs: number) {
    this.link = link;
    this.pool = pool;
    this.shard = shard;
    this.routes = routes;
    this.membership = new Membership(link.clock);
    this.#refreshing = new PeriodicTask(
      link.clock,
      { intervalMs: refreshMs, jitter: 0.1 },
      () => this.update(),
      error => this.events.emit('error', error),
    );
    shard.events.on('lost', cause => {
      if (cause === 'flushed') this.membership.reset();
      this.events.emit('stateLost', cause);
      this.refresh();
    });
  }

  static async open(link: RedisLink, pool: string, options: PoolViewOptions): Promise<PoolView> {
    checkName('pool', pool);
    const { create, lease, limit, allowUnsafeEviction, ledgerLength, deadLimit } = options;
    // Before anything is made there.
    if (!allowUnsafeEviction) await requireNoEviction(link.commands, link.address);
    const shard = await Shard.open(link, pool, 0, {
      create,
      lease,
      limit,
      defaults: { limit: poolOptions.limit.default, ledgerLength, deadLimit },
    });
    const routes = await RouteMap.open(link, pool);
    const view = new PoolView(link, pool, shard, routes, options.refreshMs);
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
    await this.routes.close();
  }

  async #open(): Promise<void> {
    this.#subscription = await this.link.subscriptions.subscribe(this.shard.channels.events, {
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
