/**
 * What every dispatcher holds of a pool: a view of each shard, and the routes. A dispatch then costs one round trip, to the
 * shard that the key belongs to.
 */
import { Emitter } from '../core/emitter.ts';
import { checkName } from '../core/names.ts';
import { openAll } from '../core/open-all.ts';
import { requireNoEviction } from '../redis/eviction.ts';
import type { RedisLink } from '../redis/link.ts';
import { type Hash64, shardIndex } from './hash.ts';
import { LossNews } from './loss-news.ts';
import { type LeaseOption, poolOptions } from './options.ts';
import type { ProtocolRange } from './protocol.ts';
import { RouteMap } from './route-map.ts';
import { Shard } from './shard.ts';
import { ShardView, type StateLoss } from './shard-view.ts';

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

export interface PoolViewEvents {
  /** Redis may have lost something of the pool; once for each loss, whatever the number of shards. */
  stateLost: StateLoss;
  /** Work waits in a group, in the shard of that index. */
  pending: { group: string; shard: number };
  /** A schedule or ticker of that name was changed, in the shard of that index. */
  schedule: { name: string; shard: number };
  error: unknown;
}

export class PoolView {
  readonly link: RedisLink;
  readonly pool: string;
  readonly shards: readonly ShardView[];
  readonly routes: RouteMap;
  readonly events = new Emitter<PoolViewEvents>();

  private constructor(link: RedisLink, pool: string, shards: readonly ShardView[], routes: RouteMap) {
    this.link = link;
    this.pool = pool;
    this.shards = shards;
    this.routes = routes;
    const losses = new LossNews(link.clock, () => (shards[0] as ShardView).shard.terms.leaseMs);
    shards.forEach(({ events }, shard) => {
      events.on('stateLost', ({ cause }) => {
        if (!losses.isNew(shard, cause)) return;
        const queuedCount = shards.reduce((sum, view) => sum + view.shard.queuedCount, 0);
        this.events.emit('stateLost', { cause, queuedCount });
      });
      events.on('pending', group => this.events.emit('pending', { group, shard }));
      events.on('schedule', name => this.events.emit('schedule', { name, shard }));
      events.on('error', error => this.events.emit('error', error));
    });
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
    try {
      return new PoolView(link, pool, await openAll(opening, view => view.close()), routes);
    } catch (error) {
      await routes.close();
      throw error;
    }
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
