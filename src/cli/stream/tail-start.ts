/** Where `stream tail` starts, from the flags that say so. */
import type { Start } from '../../engine/index.ts';
import { UsageError } from '../errors.ts';
import { parseMoment } from './moment.ts';

export interface StartFlags {
  from?: string | undefined;
  since?: string | undefined;
}

/**
 * Without a flag: at the end when following, else at the beginning.
 * @throws UsageError, OptionError
 */
export function startFrom({ from, since }: StartFlags, follow: boolean): Start {
  if (since !== undefined) {
    const moment = parseMoment(since);
    if ('agoMs' in moment) return { sinceMs: moment.agoMs };
    if ('atMs' in moment) return { sinceAtMs: moment.atMs };
    throw new UsageError('--since takes a duration or a time', { hint: 'To start after an id: --from ID.' });
  }
  if (from === undefined) return follow ? 'newest' : 'oldest';
  if (from === 'oldest' || from === 'newest') return from;
  const moment = parseMoment(from);
  if ('id' in moment) return { after: moment.id };
  return 'atMs' in moment ? { sinceAtMs: moment.atMs } : { sinceMs: moment.agoMs };
}
