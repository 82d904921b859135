import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type Outcome, runSchedule } from './schedule.ts';
import { SimulatedServer } from './server.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.test-history');
const LAST_LINES = 60;

export function useSimulation(): { readonly server: SimulatedServer } {
  let server: SimulatedServer | undefined;
  beforeAll(async () => {
    server = await SimulatedServer.start();
  });
  afterAll(() => server?.stop());
  return {
    get server() {
      if (!server) throw new Error('the server is started in beforeAll');
      return server;
    },
  };
}

/** Runs so many seeds, fewer when the time is over, or only the one of PONOS_SIM_SEED. @throws with seed and history at the first that breaks a promise. */
export async function checkSchedules(
  server: SimulatedServer,
  firstSeed: number,
  count: number,
  limitMs = Number.POSITIVE_INFINITY,
): Promise<{ runs: number; startCount: number; lineCount: number }> {
  const only = process.env.PONOS_SIM_SEED;
  const seeds = only === undefined ? Array.from({ length: count }, (_, at) => firstSeed + at) : [Number(only)];
  const sum = { runs: 0, startCount: 0, lineCount: 0 };
  const endMs = performance.now() + limitMs;
  for (const seed of seeds) {
    if (performance.now() > endMs) break;
    const outcome = await runSchedule(seed, server);
    if (outcome.violations.length > 0) throw new Error(describeFailure(outcome));
    sum.runs++;
    sum.startCount += outcome.startCount;
    sum.lineCount += outcome.history.length;
  }
  return sum;
}

function describeFailure({ seed, violations, history }: Outcome): string {
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, `simulation-${seed}.txt`);
  writeFileSync(file, `${history.join('\n')}\n`);
  return [
    `seed ${seed} breaks a promise; PONOS_SIM_SEED=${seed} runs it again`,
    ...violations.slice(0, 10).map(violation => `  ${violation}`),
    `history, the last lines of ${file}:`,
    ...history.slice(-LAST_LINES).map(line => `  ${line}`),
  ].join('\n');
}
