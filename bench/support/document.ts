/** The generated part of docs/performance.md: between two marks for each suite, replaced section by section. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderSection, type Section } from './report.ts';

export interface Machine {
  processors: number;
  model: string;
  node: string;
  placement: string;
}

const FILE = join(import.meta.dirname, '../../docs/performance.md');

export function writeTables(suite: string, machine: Machine, sections: readonly Section[], quick: boolean): void {
  const text = readFileSync(FILE, 'utf8');
  const [begin, end] = [`<!-- bench ${suite} -->`, `<!-- end of bench ${suite} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no place for the figures of ${suite}: ${begin}`);
  const { processors, model, node, placement } = machine;
  const where = `${processors} processors (${model}), Node ${node}; ${placement}.${quick ? ' A quick run.' : ''}`;
  const tables = sections.map(section => `\`\`\`text\n${renderSection(section).trimEnd()}\n\`\`\`\n`);
  const written = [begin, `Written by \`npm run bench -- ${suite} --write\`: ${where}`, '', ...tables, ''].join('\n');
  writeFileSync(FILE, text.slice(0, from) + written + text.slice(to));
}
