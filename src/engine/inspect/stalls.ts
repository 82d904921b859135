import type { PoolSnapshot } from './snapshots.ts';

/** Since when a pool has queued jobs while none is started. */
export class StallWatch {
  readonly #since = new Map<string, { startedTotal: number; atMs: number }>();

  note(pools: readonly PoolSnapshot[], nowMs: number): ReadonlyMap<string, number> {
    const stalled = new Map<string, number>();
    for (const pool of pools) {
      const known = this.#since.get(pool.name);
      if (pool.queuedCount === 0 || known?.startedTotal !== pool.startedTotal) {
        this.#since.set(pool.name, { startedTotal: pool.startedTotal, atMs: nowMs });
      } else stalled.set(pool.name, nowMs - known.atMs);
    }
    const names = new Set(pools.map(pool => pool.name));
    for (const name of this.#since.keys()) if (!names.has(name)) this.#since.delete(name);
    return stalled;
  }
}
