/**
 * Any sequence of transitions by any callers, against a plain model: each reply is the model's, and after every sequence
 * the invariants hold.
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

const jobs = { arbitrary: jobCommands, weight: 8 };
const operations = { arbitrary: operationCommands, weight: 4 };
const losses = { arbitrary: lossCommands, weight: 3 };

describe('the scripts, against a model', () => {
  const fixture = usePool({ args: ['--enable-debug-command', 'local'] });

  it.each([
    ['in any order', fc.oneof(jobs, operations)],
    ['when Redis goes back to what it was', fc.oneof(jobs, operations, losses)],
  ])('answer as the model does %s', async (_, command) => {
    const link = await fixture.connect();
    let run = 0;
    const commands: fc.Arbitrary<Command[]> = fc.array(command, { minLength: 5, maxLength: 80, size: 'max' });
    await fc.assert(
      fc.asyncProperty(commands, async each => {
        const pool = `${fixture.pool}-${run++}`;
        const real = { shard: await openShard(link, pool, LIMIT), link, pool, memory: emptyMemory() };
        const model = emptyModel();
        for (const { take } of each) await take(model, real);
        expect(await findViolations(link, pool)).toEqual([]);
      }),
      { numRuns: Number(process.env.PONOS_TEST_RUNS ?? 80) },
    );
  });
});
