/**
 * Ids of entries, `<ms>-<sequence>`: two unsigned 64-bit numbers in decimal, compared as numbers. They are handled as
 * text because a sequence may be larger than a JavaScript number holds exactly.
 */
import { ArgumentError } from '../core/errors.ts';

const SHAPE = /^(\d{1,20})(?:-(\d{1,20}))?$/;
const MAX_PART = 18_446_744_073_709_551_615n;

/** Before every entry. */
export const FIRST_ID = '0-0';

/**
 * The canonical form: without leading zeros, with a sequence.
 * @throws ArgumentError when `text` is no id.
 */
export function parseEntryId(text: string): string {
  const match = SHAPE.exec(text);
  const ms = BigInt(match?.[1] ?? -1);
  const sequence = BigInt(match?.[2] ?? 0);
  if (!match || ms > MAX_PART || sequence > MAX_PART) {
    throw new ArgumentError(`${JSON.stringify(text)} is no event id`, {
      hint: 'An id is <milliseconds>-<sequence>, as publish returns it.',
    });
  }
  return `${ms}-${sequence}`;
}

/** Negative when `a` is older, 0 when they are the same. Both in canonical form. */
export function compareEntryIds(a: string, b: string): number {
  const [aMs, aSequence] = split(a);
  const [bMs, bSequence] = split(b);
  return compareNumbers(aMs, bMs) || compareNumbers(aSequence, bSequence);
}

/** When the entry was added, by the wall clock of Redis. */
export function entryTimeMs(id: string): number {
  return Number(split(id)[0]);
}

/** The id just before `id`. */
export function previousEntryId(id: string): string {
  const [ms, sequence] = split(id).map(BigInt) as [bigint, bigint];
  if (sequence > 0n) return `${ms}-${sequence - 1n}`;
  return ms > 0n ? `${ms - 1n}-${MAX_PART}` : FIRST_ID;
}

function split(id: string): [string, string] {
  const dash = id.indexOf('-');
  return [id.slice(0, dash), id.slice(dash + 1)];
}

/** Decimal texts without leading zeros: the longer is the larger. */
function compareNumbers(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
