/**
 * Schedules and tickers beside jobs, with schedulers that act on what they saw some time ago, against a plain model:
 * each reply and each record is the model's, repairs in between change nothing, and after every sequence the invariants
 * hold.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usePool } from '../../support/pool.ts';
import { findViolations } from '../../support/pool-invariants.ts';
import { openShard } from '../../support/shard.ts';
import { jobCommands } from './model/jobs.ts';
import { lossCommands } from './model/loss.ts';
import { type Command, emptyMemory, emptyModel, LIMIT } from './model/model.ts';
import { operationCommands } from './model/operations.ts';
import { repairCommands } from './model/repairs.ts';
import { scheduleCommands } from './model/schedules.ts';
import { tickerCommands } from './model/tickers.ts';

const schedules = { arbitrary: scheduleCommands, weight: 10 };
const tickers = { arbitrary: tickerCommands, weight: 5 };
const jobs = { arbitrary: jobCommands, weight: 5 };
const operations = { arbitrary: operationCommands, weight: 1 };
const repairs = { arbitrary: repairCommands, weight: 2 };
const losses = { arbitrary: lossCommands, weight: 2 };

describe('the scripts of schedules and tickers, and those of repair, against a model', () => {
  const fixture = usePool({ args: ['--enable-debug-command', 'local'] });

  it.each([
    ['in any order', fc.oneof(schedules, tickers, jobs, operations, repairs)],
    ['when Redis goes back to what it was', fc.oneof(schedules, tickers, jobs, operations, repairs, losses)],
  ])('answer as the model does %s', async (_, command) => {
    const link = await fixture.connect();
    let run = 0;
    const commands: fc.Arbitrary<Command[]> = fc.array(command, { minLength: 20, maxLength: 120, size: 'max' });
    await fc.assert(
      fc.asyncProperty(commands, async each => {
        const pool = `${fixture.pool}-${run++}`;
        const real = { shard: await openShard(link, pool, LIMIT), link, pool, memory: emptyMemory() };
        const model = emptyModel();
        for (const { take } of each) await take(model, real);
        expect(await findViolations(link, pool)).toEqual([]);
      }),
      { numRuns: Number(process.env.PONOS_TEST_RUNS ?? 60) },
    );
  });
});
