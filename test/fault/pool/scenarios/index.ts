import type { Scenario } from '../scenario.ts';
import { networkScenarios } from './network.ts';
import { redisScenarios } from './redis.ts';
import { workerScenarios } from './workers.ts';

export const scenarios: Scenario[] = [...workerScenarios, ...networkScenarios, ...redisScenarios];
