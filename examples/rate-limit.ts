/**
 * A rate limit for all processes together: a counter for each tenant in a replicated map that empties itself when its time is
 * over. The increment is one step in Redis, so the limit is exact, however many ask at once; the local copy refuses those who
 * are over it without asking Redis.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/rate-limit.ts
 */
import { RedisLink, ReplicatedMap } from 'ponos';

const LIMIT = 5n;
const WINDOW_MS = 400;

class RateLimit {
  readonly #counts: ReplicatedMap;

  private constructor(counts: ReplicatedMap) {
    this.#counts = counts;
  }

  static async open(link: RedisLink): Promise<RateLimit> {
    // Absolute: the window begins with the first request after the last one was over.
    const options = { ttlMs: WINDOW_MS, ttlMode: 'absolute' } as const;
    return new RateLimit(await ReplicatedMap.join(link, 'example-requests', options));
  }

  async allows(tenant: string): Promise<boolean> {
    if (BigInt(this.#counts.get(tenant) ?? 0) >= LIMIT) return false;
    const { value } = await this.#counts.increment(tenant);
    return value <= LIMIT;
  }

  /** Resolves when a new window may begin. */
  async over(): Promise<void> {
    while (this.#counts.get('ann') !== undefined) await new Promise(resolve => setTimeout(resolve, 10));
  }

  close(): Promise<void> {
    return this.#counts.close();
  }
}

// Each would be a process of its own, and so have a link of its own.
const links = await Promise.all([1, 2, 3].map(() => RedisLink.connect({ url: process.env.PONOS_REDIS_URL })));
const limits = await Promise.all(links.map(link => RateLimit.open(link)));

/** Every process lets twenty requests of a tenant come at once; how many get through all of them together? */
async function rush(tenant: string): Promise<number> {
  const requests = limits.flatMap(limit => Array.from({ length: 20 }, () => limit.allows(tenant)));
  return (await Promise.all(requests)).filter(allowed => allowed).length;
}

console.log(`ann: ${await rush('ann')} of 60 requests at once are allowed`);
console.log(`bob has a count of his own: ${await rush('bob')}`);
await Promise.all(limits.map(limit => limit.over()));
console.log(`ann, when the window is over: ${await rush('ann')}`);

for (const limit of limits) await limit.close();
for (const link of links) await link.close();
