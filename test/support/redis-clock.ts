/**
 * A wall clock of Redis that a test can set. With a C compiler on the machine it is really another one, by a library
 * preloaded into the server; without, the time that a shard saw last is moved the other way, which is the same to its scripts.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisLink } from '../../src/engine/redis/link.ts';
import { until } from './until.ts';

export class RedisClock {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ponos-clock-'));
  readonly #offset = join(this.#folder, 'ahead');
  readonly #library = join(this.#folder, 'shim.so');
  readonly #real: boolean;
  #aheadSeconds = 0n;

  constructor() {
    const source = join(import.meta.dirname, 'clock-shim.c');
    const { status } = spawnSync('cc', ['-shared', '-fPIC', '-O2', '-o', this.#library, source]);
    this.#real = status === 0 && process.platform === 'linux';
    this.#write();
  }

  /** For the environment of the server. */
  get env(): Record<string, string> {
    return this.#real ? { LD_PRELOAD: this.#library, CLOCK_SHIM: this.#offset } : {};
  }

  async step(link: RedisLink, pool: string, seconds: number): Promise<void> {
    this.#aheadSeconds += BigInt(seconds);
    if (this.#real) {
      this.#write();
      await until(async () => Math.abs((await aheadOf(link)) - Number(this.#aheadSeconds)) < 5, 'the clock to be set');
    } else await link.commands.call('HINCRBY', link.keys.pool(pool, 0).config, 'last-time', -seconds * 1_000_000);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** In place: the server has the file in its memory. */
  #write(): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(this.#aheadSeconds);
    writeFileSync(this.#offset, bytes, { flag: this.#aheadSeconds === 0n ? 'w' : 'r+' });
  }
}

async function aheadOf(link: RedisLink): Promise<number> {
  const [seconds] = (await link.commands.call('TIME')) as unknown[];
  return Number(String(seconds)) - Date.now() / 1000;
}
