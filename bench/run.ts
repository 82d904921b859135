/**
 * `npm run bench -- pool [--quick] [--json] [--only SECTION]...`: measures on this machine and prints medians and ratios
 * to the same work done by the plain client in the same run. See docs/performance.md.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { describePlacement } from './support/placement.ts';
import { renderSection, type Section } from './support/report.ts';

const SUITES = { pool: () => import('./pool/suite.ts') };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});
const [name = ''] = positionals;
if (!Object.hasOwn(SUITES, name)) {
  process.stderr.write(
    `Usage: npm run bench -- ${Object.keys(SUITES).join('|')} [--quick] [--json] [--only SECTION]\n`,
  );
  process.exit(2);
}
const suite = await SUITES[name as keyof typeof SUITES]();
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
await suite.runSuite({
  quick: values.quick,
  only: values.only,
  onSection: section => {
    sections.push(section);
    if (!values.json) process.stdout.write(`${renderSection(section)}\n`);
  },
  onProgress: what => process.stderr.write(`${what}\n`),
});
if (values.json)
  process.stdout.write(`${JSON.stringify({ suite: name, quick: values.quick, machine, sections }, null, 2)}\n`);
