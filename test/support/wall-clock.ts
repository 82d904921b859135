/**
 * A wall clock that a test can set, for a process that is started with its environment: a library preloaded into it. It
 * needs a C compiler, and Linux; without, the clock is not `real` and changes nothing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class WallClock {
  readonly real: boolean;
  readonly #folder = mkdtempSync(join(tmpdir(), 'ponos-clock-'));
  readonly #offset = join(this.#folder, 'ahead');
  readonly #library = join(this.#folder, 'shim.so');

  constructor() {
    const source = join(import.meta.dirname, 'clock-shim.c');
    const { status } = spawnSync('cc', ['-shared', '-fPIC', '-O2', '-o', this.#library, source]);
    this.real = status === 0 && process.platform === 'linux';
    writeFileSync(this.#offset, Buffer.alloc(8));
  }

  get env(): Record<string, string> {
    return this.real ? { LD_PRELOAD: this.#library, CLOCK_SHIM: this.#offset } : {};
  }

  /** In place: the process has the file in its memory. */
  set(aheadSeconds: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(aheadSeconds);
    writeFileSync(this.#offset, bytes, { flag: 'r+' });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
