import * as Flags from '@oclif/core/flags';
import type { JobState } from '../../engine/index.ts';
import { UsageError } from '../errors.ts';

const STATES: readonly JobState[] = ['PENDING', 'ASSIGNED', 'RUNNING', 'STOPPING', 'DEAD'];
const NAMES = STATES.map(state => state.toLowerCase());

/** States are shown in capitals and typed in either case. */
export const jobStateFlag = Flags.custom<JobState>({
  helpValue: NAMES.join('|'),
  description: 'Only those in this state',
  parse: async input => {
    const state = input.toUpperCase() as JobState;
    if (!STATES.includes(state)) throw new UsageError(`--state must be one of: ${NAMES.join(', ')}`);
    return state;
  },
})();

/** `50`, `50/s`, `300/m`: how many a second. */
export const rateFlag = Flags.custom<number>({
  helpValue: '50/s',
  parse: async input => {
    const match = /^(\d+(?:\.\d+)?)(?:\/(s|m|h))?$/.exec(input.trim());
    const perSecond = Number(match?.[1]) / { s: 1, m: 60, h: 3600 }[(match?.[2] ?? 's') as 's' | 'm' | 'h'];
    if (!(perSecond > 0)) throw new UsageError('--rate is no rate', { hint: 'Write rates as 50/s, 300/m or 1000/h.' });
    return perSecond;
  },
});
