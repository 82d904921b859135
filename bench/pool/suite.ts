import type { Section } from '../support/report.ts';
import { BenchServer } from '../support/server.ts';
import { compareExchanges } from './compare.ts';
import { growth } from './growth.ts';
import { idle } from './idle.ts';
import { rebalance } from './rebalance.ts';

export interface SuiteOptions {
  quick: boolean;
  /** Only the sections of these names; all when empty. */
  only: readonly string[];
  /** Told as soon as a section is there. */
  onSection: (section: Section) => void;
  /** What is under way. */
  onProgress: (what: string) => void;
}

const SECTIONS = { exchange: compareExchanges, growth, idle, rebalance };

/** The worker pool: dispatching against the least it could cost and against BullMQ, and what grows with what. */
export async function runSuite({ quick, only, onSection, onProgress }: SuiteOptions): Promise<void> {
  const server = await BenchServer.start();
  try {
    for (const [name, section] of Object.entries(SECTIONS)) {
      if (only.length > 0 && !only.includes(name)) continue;
      for (const found of await section(server, { quick, onProgress })) onSection(found);
    }
  } finally {
    await server.stop();
  }
}
