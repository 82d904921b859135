import { ArgumentError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import type { RawEntry } from './event.ts';
import type { Start } from './position.ts';

/** Entries of one reply: they come with their payloads. */
const PAGE = 500;

/**
 * Where to start so as to read the last `count` events there are now, and all that follow. Costs reading them once.
 * @throws ArgumentError, WrongTypeError, RedisUnavailableError
 */
export async function startOfLast(link: RedisLink, stream: string, count: number): Promise<Start> {
  if (!Number.isSafeInteger(count) || count < 1) throw new ArgumentError(`count is ${count}, allowed: a whole number from 1`);
  const { events } = link.keys.stream(stream);
  let left = count;
  let before = '+';
  for (;;) {
    // The one before the first of them is where reading starts after.
    const page = Math.min(PAGE, left + 1);
    const entries = (await link.commands.call('XREVRANGE', events, before, '-', 'COUNT', page)) as RawEntry[];
    const last = entries.at(-1);
    if (!last || entries.length < page) return 'oldest';
    if (left < page) return { after: String(last[0]) };
    left -= page;
    before = `(${last[0]}`;
  }
}
