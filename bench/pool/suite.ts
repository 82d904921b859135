import { runSections, type SuiteOptions } from '../support/suite.ts';
import { compareExchanges } from './compare.ts';
import { growth } from './growth.ts';
import { idle } from './idle.ts';
import { rebalance } from './rebalance.ts';

const SECTIONS = { exchange: compareExchanges, growth, idle, rebalance };

/** The worker pool: dispatching against the least it could cost and against BullMQ, and what grows with what. */
export const runSuite = (options: SuiteOptions): Promise<void> => runSections(SECTIONS, options);
