/**
 * The wall clock of Redis. Where it cannot really be set, the time that a shard saw last is moved the other way, which is
 * the same to its scripts.
 */
import type { RedisLink } from '../../src/engine/redis/link.ts';
import { until } from './until.ts';
import { WallClock } from './wall-clock.ts';

export class RedisClock {
  readonly #clock = new WallClock();
  #aheadSeconds = 0n;

  /** For the environment of the server. */
  get env(): Record<string, string> {
    return this.#clock.env;
  }

  async step(link: RedisLink, pool: string, seconds: number): Promise<void> {
    this.#aheadSeconds += BigInt(seconds);
    if (this.#clock.real) {
      this.#clock.set(this.#aheadSeconds);
      await until(async () => Math.abs((await aheadOf(link)) - Number(this.#aheadSeconds)) < 5, 'the clock to be set');
    } else await link.commands.call('HINCRBY', link.keys.pool(pool, 0).config, 'last-time', -seconds * 1_000_000);
  }

  remove(): void {
    this.#clock.remove();
  }
}

async function aheadOf(link: RedisLink): Promise<number> {
  const [seconds] = (await link.commands.call('TIME')) as unknown[];
  return Number(String(seconds)) - Date.now() / 1000;
}
