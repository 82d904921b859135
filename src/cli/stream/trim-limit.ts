/** What `stream trim` removes, from the flags that say so, and in words. */
import { OptionError, type RedisLink, redisTimeMs, type TrimLimit } from '../../engine/index.ts';
import { formatCount, formatTime } from '../../present/human.ts';
import { type Moment, parseMoment } from './moment.ts';

export type Cut = { maxLength: number } | { before: Moment };

export interface TrimPlan {
  limit: TrimLimit;
  /** `the oldest 4000 events`. */
  words: string;
}

/** @throws OptionError when the flags say nothing, or no time. */
export function cutFrom(flags: { maxLength: number | undefined; before: string | undefined }): Cut {
  if (flags.before !== undefined) return { before: parseMoment(flags.before) };
  if (flags.maxLength !== undefined) return { maxLength: flags.maxLength };
  throw new OptionError('nothing says what to remove', { hint: 'Add --max-length 10000 or --before 7d.' });
}

/** `lengths` is that of the stream now, or those of its partitions, each of which is trimmed. */
export async function planTrim(link: RedisLink, cut: Cut, lengths: readonly number[]): Promise<TrimPlan> {
  if ('maxLength' in cut) {
    const count = lengths.reduce((sum, length) => sum + Math.max(0, length - cut.maxLength), 0);
    return { limit: cut, words: `the oldest ${formatCount(count, 'event')}` };
  }
  const { before } = cut;
  if ('id' in before) return { limit: { beforeId: before.id }, words: `the events before ${before.id}` };
  // Ids carry the time of Redis; this machine may think it is another.
  const atMs = 'atMs' in before ? before.atMs : Math.max(0, (await redisTimeMs(link.commands)) - before.agoMs);
  return { limit: { beforeId: `${atMs}-0` }, words: `the events before ${formatTime(atMs)}` };
}
