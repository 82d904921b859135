/** Points in a stream as people write them: an id, a time, or how long ago. */
import { OptionError } from '../../engine/index.ts';
import { parseDuration } from '../../present/human.ts';

export type Moment = { id: string } | { atMs: number } | { agoMs: number };

/** Milliseconds since 1970 have at least twelve digits since 1973; shorter numbers are meant as something else. */
const ID = /^\d+-\d+$|^\d{12,20}$/;
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/**
 * `1763900000000-0`, `2026-11-23T19:00:00Z`, `5m`, `-5m`. A date alone is its first moment in UTC.
 * @throws OptionError on anything else.
 */
export function parseMoment(text: string): Moment {
  const trimmed = text.trim();
  if (ID.test(trimmed)) return { id: trimmed };
  if (TIME.test(trimmed)) {
    const atMs = Date.parse(trimmed.replace(' ', 'T'));
    if (!Number.isNaN(atMs) && atMs >= 0) return { atMs };
  }
  if (/[a-z]/i.test(trimmed)) {
    try {
      return { agoMs: parseDuration(trimmed.replace(/^-/, '')) };
    } catch {
      // Told below, with everything that would have been right.
    }
  }
  throw new OptionError(`"${text}" is neither an event id, nor a time, nor a duration`, {
    hint: 'Write 1763900000000-0, 2026-11-23T19:00:00Z or 5m.',
  });
}
