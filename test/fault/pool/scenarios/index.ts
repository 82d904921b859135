import type { Scenario } from '../scenario.ts';
import { clockScenarios } from './clocks.ts';
import { dispatcherScenarios } from './dispatchers.ts';
import { nemesisScenarios } from './nemesis.ts';
import { networkScenarios } from './network.ts';
import { noteScenarios } from './notes.ts';
import { redisScenarios } from './redis.ts';
import { serverScenarios } from './servers.ts';
import { shardScenarios } from './shards.ts';
import { workerScenarios } from './workers.ts';

export const scenarios: Scenario[] = [
  ...workerScenarios,
  ...networkScenarios,
  ...redisScenarios,
  ...serverScenarios,
  ...shardScenarios,
  ...clockScenarios,
  ...noteScenarios,
  ...dispatcherScenarios,
  ...nemesisScenarios,
];
