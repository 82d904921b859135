/** The crash sweep of what is no consumer of an ordinary sink: publishers with ids, owners of partitions, operators. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newId } from '../../../../src/engine/core/ids.ts';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import { useRedis } from '../../../support/fixture.ts';
import { type Crash, crashesOf, runVictim, sweepOver } from '../../crash.ts';
import { recordFigures } from '../../report.ts';
import type { ScenarioVictimOptions } from './scenario-victim.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const VICTIM = join(import.meta.dirname, 'scenario-victim.ts');
const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', '.test-history');
const NEVER = 'the script was never';

describe('the crash sweep of publishers, owners of partitions and operators', () => {
  const redis = useRedis();

  async function recoverFrom(crash: Crash) {
    const folder = join(FOLDER, `scenario-${crash.script}-${crash.nth}-${crash.when}-${newId()}`);
    mkdirSync(folder, { recursive: true });
    const journal = join(folder, 'victim.txt');
    writeFileSync(journal, '');
    const prefix = `sweep-${newId()}`;
    const options: ScenarioVictimOptions = { ...crash, url: redis.server.url, prefix, journal };
    const fault = await runVictim(VICTIM, options);
    if (fault !== undefined) return { crash, tookMs: 0, problems: [fault] };
    const link = await RedisLink.connect({ url: redis.server.url, prefix });
    const done = readFileSync(journal, 'utf8').split('\n').filter(Boolean);
    const scenario = SCENARIOS[crash.script] as Scenario;
    const startMs = performance.now();
    await scenario.act(link, payload => void done.push(payload));
    const tookMs = performance.now() - startMs;
    const problems = await scenario.check(link, done);
    await link.close();
    if (problems.length === 0) await rm(folder, { recursive: true });
    return { crash, tookMs, problems };
  }

  it('does everything once, whatever script a process ends at', async () => {
    const scripts = Object.keys(SCENARIOS);
    const all = await sweepOver(crashesOf(scripts, [1, 2]), availableParallelism(), recoverFrom);
    // Some need one script only.
    const verdicts = all.filter(({ problems }) => !problems[0]?.startsWith(NEVER));
    const worst = verdicts.reduce((a, b) => (b.tookMs > a.tookMs ? b : a));
    recordFigures({
      fault:
        'SIGKILL just before or just after a script of a publisher with ids, of the owner of a partition or of an operator',
      runs: verdicts.length,
      overlaps: 0,
      lost: verdicts.reduce((sum, { problems }) => sum + problems.length, 0),
      worstGapMs: Math.round(worst.tookMs),
      seed: `${worst.crash.script} ${worst.crash.nth} ${worst.crash.when}`,
      more: { scripts: scripts.length },
    });
    expect(verdicts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(new Set(verdicts.map(({ crash }) => crash.script))).toEqual(new Set(scripts));
  });
});
