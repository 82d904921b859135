/** Where `stream tail` and `stream replay` end, from the flags that say so. */
import { entryTimeMs, parseEntryId, type RedisLink, type ReplayTo, redisTimeMs } from '../../engine/index.ts';
import { parseMoment } from './moment.ts';

export interface TailEnd {
  /** The last id that is shown. */
  lastId: string;
  /** How long from now events may come that are shown. Not positive: all of them are there. */
  leftMs: number;
}

/** After every id of its millisecond. */
const LAST_SEQUENCE = '18446744073709551615';

/** An id or a time is the last that counts; a duration counts back from the clock of Redis. @throws OptionError */
export async function endAt(link: RedisLink, until: string): Promise<TailEnd> {
  const moment = parseMoment(until);
  const nowMs = await redisTimeMs(link.commands);
  if ('id' in moment) {
    const lastId = parseEntryId(moment.id);
    return { lastId, leftMs: entryTimeMs(lastId) - nowMs };
  }
  const atMs = 'atMs' in moment ? moment.atMs : Math.max(0, nowMs - moment.agoMs);
  return { lastId: `${Math.floor(atMs)}-${LAST_SEQUENCE}`, leftMs: atMs - nowMs };
}

/** `newest` when it is not given. @throws OptionError */
export async function replayEnd(link: RedisLink, to: string | undefined): Promise<ReplayTo> {
  if (to === undefined || to === 'newest') return 'newest';
  return { at: (await endAt(link, to)).lastId };
}
