/**
 * What every dispatcher holds of a pool: a view of each shard, and the routes. A dispatch then costs one round trip, to the
 * shard that the key belongs to.
 */
import { Emitter } from '../core/emitter.ts';
import { checkName } from '../core/names.ts';
import { requireNoEviction } from '../redis/eviction.ts';
import type { RedisLink } from '../redis/link.ts';
import { type Hash64, shardIndex } from './hash.ts';
import { type LeaseOption, poolOptions } from './options.ts';
import type { ProtocolRange } from './protocol.ts';
import { RouteMap } from './route-map.ts';
import { Shard } from './shard.ts';
import { ShardView, type ShardViewEvents } from './shard-view.ts';

export interface PoolViewOptions {
  create: boolean;
  lease: LeaseOption | undefined;
  limit: number | undefined;
  shards: number | undefined;
  ledgerLength: number;
  deadLimit: number;
  allowUnsafeEviction: boolean;
  refreshMs: number;
  /** Versions of the protocol this process speaks; default those of this release. */
  protocols?: ProtocolRange | undefined;
}

export class PoolView {
  readonly link: RedisLink;
  readonly pool: string;
  readonly shards: readonly ShardView[];
  readonly routes: RouteMap;
  /** What the views of the shards tell. */
  readonly events = new Emitter<ShardViewEvents>();

  private constructor(link: RedisLink, pool: string, shards: readonly ShardView[], routes: RouteMap) {
    this.link = link;
    this.pool = pool;
    this.shards = shards;
    this.routes = routes;
    for (const { events } of shards) {
      for (const name of ['stateLost', 'pending', 'schedule', 'error'] as const) {
        events.on(name, event => this.events.emit(name, event as never));
      }
    }
  }

  static async open(link: RedisLink, pool: string, options: PoolViewOptions): Promise<PoolView> {
    checkName('pool', pool);
    const { allowUnsafeEviction, refreshMs, limit, ledgerLength, deadLimit } = options;
    const defaults = {
      limit: limit ?? poolOptions.limit.default,
      shards: options.shards ?? poolOptions.shards.default,
      ledgerLength,
      deadLimit,
    };
    const shardOptions = { ...options, defaults };
    // Before anything is made there.
    if (!allowUnsafeEviction) await requireNoEviction(link.commands, link.address);
    const first = await Shard.open(link, pool, 0, shardOptions);
    const { shardCount, terms, protocol } = first;
    // All of one pool are alike, also when the first was there and others are made.
    const others = Array.from({ length: shardCount - 1 }, (_, at) => {
      const alike = { shards: shardCount, lease: options.lease ?? terms, protocol };
      return Shard.open(link, pool, at + 1, { ...shardOptions, ...alike });
    });
    const routes = await RouteMap.open(link, pool);
    const opening = [first, ...(await Promise.all(others))].map(shard => ShardView.open(link, shard, refreshMs));
    const opened = await Promise.allSettled(opening);
    const views = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    const failure = opened.find(result => result.status === 'rejected');
    if (!failure) return new PoolView(link, pool, views, routes);
    await Promise.all([routes.close(), ...views.map(view => view.close())]);
    throw failure.reason;
  }

  /** The shard of a job key. */
  at(job: Hash64): ShardView {
    return this.shards[shardIndex(job, this.shards.length)] as ShardView;
  }

  /** Resolves when the views show what is so now. */
  async update(): Promise<void> {
    await Promise.all(this.shards.map(view => view.update()));
  }

  async close(): Promise<void> {
    await Promise.all(this.shards.map(view => view.close()));
    await this.routes.close();
  }
}
