import type { Section } from './report.ts';
import { BenchServer } from './server.ts';

export interface SectionOptions {
  quick: boolean;
  onProgress: (what: string) => void;
}

export interface SuiteOptions extends SectionOptions {
  /** Only the sections of these names; all when empty. */
  only: readonly string[];
  /** Told as soon as a section is there. */
  onSection: (section: Section) => void;
}

export type Sections = Readonly<
  Record<string, (server: BenchServer, options: SectionOptions) => Promise<readonly Section[]>>
>;

/** Measures section by section on a redis-server of its own. */
export async function runSections(
  sections: Sections,
  { quick, only, onSection, onProgress }: SuiteOptions,
): Promise<void> {
  const server = await BenchServer.start();
  try {
    for (const [name, section] of Object.entries(sections)) {
      if (only.length > 0 && !only.includes(name)) continue;
      for (const found of await section(server, { quick, onProgress })) onSection(found);
    }
  } finally {
    await server.stop();
  }
}
