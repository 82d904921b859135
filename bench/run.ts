/**
 * `npm run bench -- SUITE... [--quick] [--json] [--only SECTION]... [--write]`: measures on this machine and prints medians
 * and ratios to the same work done by the plain client in the same run. `--write` puts the tables into docs/performance.md.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { writeTables } from './support/document.ts';
import { describePlacement } from './support/placement.ts';
import { renderSection, type Section } from './support/report.ts';

const SUITES = {
  maps: () => import('./maps/suite.ts'),
  pool: () => import('./pool/suite.ts'),
  streams: () => import('./streams/suite.ts'),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    write: { type: 'boolean', default: false },
  },
});
if (positionals.length === 0 || positionals.some(name => !Object.hasOwn(SUITES, name))) {
  process.stderr.write(
    `Usage: npm run bench -- ${Object.keys(SUITES).join('|')}... [--quick] [--json] [--only SECTION]... [--write]\n`,
  );
  process.exit(2);
}
const machine = {
  processors: availableParallelism(),
  model: cpus()[0]?.model ?? '',
  node: process.version,
  placement: describePlacement(),
};
const sections: Section[] = [];
if (!values.json) {
  process.stdout.write(
    `${machine.processors} processors (${machine.model}), Node ${machine.node}; ${machine.placement}\n\n`,
  );
}
for (const name of positionals as (keyof typeof SUITES)[]) {
  const found: Section[] = [];
  const { runSuite } = await SUITES[name]();
  await runSuite({
    quick: values.quick,
    only: values.only,
    onSection: section => {
      found.push(section);
      if (!values.json) process.stdout.write(`${renderSection(section)}\n`);
    },
    onProgress: what => process.stderr.write(`${what}\n`),
  });
  sections.push(...found);
  if (values.write) writeTables(name, machine, found, values.quick);
}
if (values.json) {
  const report = { suites: positionals, quick: values.quick, machine, sections };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
}
