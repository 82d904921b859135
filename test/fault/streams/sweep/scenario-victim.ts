/**
 * A process that ends just before or just after a script of its scenario.
 *
 * Argument: a JSON of ScenarioVictimOptions. Writes to `journal` one line for each event that was handled.
 */
import { openSync, writeSync } from 'node:fs';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import '../../../support/end-with-parent.ts';
import { type Crash, crashAt, NEVER_REACHED } from '../../crash.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

export interface ScenarioVictimOptions extends Crash {
  url: string;
  prefix: string;
  journal: string;
}

const options = JSON.parse(process.argv[2] as string) as ScenarioVictimOptions;
const journal = openSync(options.journal, 'a');
const link = await RedisLink.connect({ url: options.url, prefix: options.prefix });
const scenario = SCENARIOS[options.script] as Scenario;
await scenario.prepare(link);
crashAt(options);
await scenario.act(link, payload => void writeSync(journal, `${payload}\n`));
process.exit(NEVER_REACHED);
