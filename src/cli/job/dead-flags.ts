import * as Flags from '@oclif/core/flags';
import { listJobs, type RedisLink, redisTimeMs } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { UsageError } from '../errors.ts';
import { duration } from '../flags.ts';

/** Which dead jobs a command is about: keys, or all of some kind. */
export const deadFlags = {
  all: Flags.boolean({ description: 'All dead jobs, instead of KEY' }),
  'older-than': duration({ helpValue: '7d', description: 'All that died longer ago than that' }),
  group: Flags.string({ helpValue: 'NAME', description: 'Of all, only those of this worker group' }),
};

export interface DeadChoice {
  keys: readonly string[] | undefined;
  all: boolean | undefined;
  olderThanMs: number | undefined;
  group: string | undefined;
}

/** As plans and questions name them. */
export function describeDead(pool: string, keys: readonly string[]): string {
  const which = keys.length === 1 ? `dead job "${keys[0]}"` : formatCount(keys.length, 'dead job');
  return `${which} of pool "${pool}"`;
}

/** The keys that are meant. @throws UsageError unless keys or a kind is given; NotFoundError when there is no such pool. */
export async function chooseDead(link: RedisLink, pool: string, choice: DeadChoice): Promise<string[]> {
  const { keys = [], all, olderThanMs, group } = choice;
  const some = all === true || olderThanMs !== undefined;
  if (some === keys.length > 0 || (group !== undefined && !some)) {
    throw new UsageError('give KEY, or --all, or --older-than; --group goes with the latter two', {
      suggestions: [['ponos job list --state dead', 'see the dead jobs']],
    });
  }
  if (!some) return [...new Set(keys)];
  const diedBeforeMs = olderThanMs === undefined ? undefined : (await redisTimeMs(link.commands)) - olderThanMs;
  return (await listJobs(link, pool, { state: 'DEAD', group, diedBeforeMs })).map(({ key }) => key);
}
