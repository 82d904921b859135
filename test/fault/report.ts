/**
 * What the long fault tests found, one file for each test in a folder that `tools/faults.ts` makes `docs/faults.md` of; and
 * the seeds they run with. `PONOS_TEST_RUNS` sets how often each is repeated, `PONOS_TEST_SEED` the first seed.
 */
import { hash, randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, '.test-history', 'figures');

export interface Figures {
  /** What must hold; default the name of the test. */
  test?: string;
  /** What was done to it. */
  fault: string;
  runs: number;
  /** Times at which two ran one key at once. */
  overlaps: number;
  /** What was accepted and is gone. */
  lost: number;
  /** Longest time without a sign of life of something that should run; null when that is not what it is about. */
  worstGapMs: number | null;
  /** Of the worst run. */
  seed: number | string;
  /** Anything else worth a figure, by name. */
  more?: Record<string, number | string>;
}

/** To be called before the figures are judged, so that a test that fails is in the report too. */
export function recordFigures(figures: Figures): void {
  const { testPath = '', currentTestName = '' } = expect.getState();
  const record = { test: currentTestName.split(' > ').at(-1), ...figures, file: relative(ROOT, testPath) };
  mkdirSync(FOLDER, { recursive: true });
  const name = hash('sha1', `${record.file} ${currentTestName} ${record.test}`).slice(0, 16);
  writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** How often a long test is repeated. */
export function runCount(usual: number): number {
  return Number(process.env.PONOS_TEST_RUNS) || usual;
}

/** A seed for each repetition: consecutive, from one that is new each time unless given. */
export function seeds(usualRuns: number): number[] {
  const first = Number(process.env.PONOS_TEST_SEED) || randomInt(1, 1_000_000);
  return Array.from({ length: runCount(usualRuns) }, (_, i) => first + i);
}

/** Random numbers from 0 to 1 that a seed decides (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
