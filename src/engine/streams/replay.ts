/**
 * Reads a part of one stream that is over: from a start to an end that is fixed before the first event is given.
 *
 * It ends in one of three ways. `complete`: every event of the part was given. Not complete: a limit of the caller was
 * reached, and the rest begins behind `lastId`. Or the error `REPLAY_GAP`: events of the part are gone, the start
 * included; those before the gap were given. So who got to the end without an error has missed nothing.
 *
 * Only reading commands, no connection of its own. A lost connection is an error; what is left begins behind `lastId`.
 */
import { ArgumentError, ConflictError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, type OptionValues, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import { compareEntryIds, parseEntryId, previousEntryId } from './entry-id.ts';
import { decodeEvent, eventBytes, type RawEntry, type StreamEvent } from './event.ts';
import { readStreamFacts } from './facts.ts';
import { describeGap, type Gap, GapMeter } from './gap.ts';
import { refusePartitioned } from './partitioned.ts';
import { checkStart, resolveStart, type Start } from './position.ts';

export const replayOptions = {
  maxEvents: {
    kind: 'count',
    default: Number.MAX_SAFE_INTEGER,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    doc: 'Most events.',
  },
  maxBytes: {
    kind: 'bytes',
    default: Number.MAX_SAFE_INTEGER,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    doc: 'Most bytes of names, topics, headers and payloads together; one event is given however large.',
  },
} as const satisfies OptionTable;

/** The last event: the newest of the moment of opening, the one with an id or the last before it, or by wall clock. */
export type ReplayTo = 'newest' | { readonly at: string } | { readonly untilAtMs: number };

export interface ReplayOptions extends OptionInput<typeof replayOptions> {
  /** Default `oldest`: whatever is left. After any other start everything must be there. */
  readonly from?: Start | undefined;
  /** Default `newest`. */
  readonly to?: ReplayTo | undefined;
}

export interface ReplayResult {
  /** Every event from the start to the end was given. Else a limit was reached. */
  readonly complete: boolean;
  readonly eventCount: number;
  readonly bytes: number;
  /** Entries that are no events and were passed over. */
  readonly malformedCount: number;
  /** Of the last entry that was read: what is left begins behind it. */
  readonly lastId: string;
}

const PAGE_BYTES = 1_048_576;
const FIRST_COUNT = 64;
const MAX_COUNT = 500;
const MAX_SEQUENCE = '18446744073709551615';

interface Part {
  /** Everything behind it is of the part. */
  readonly cursor: string;
  readonly endId: string;
  readonly meter: GapMeter;
}

export class Replay implements AsyncIterable<StreamEvent> {
  readonly stream: string;
  readonly #link: RedisLink;
  readonly #keys: ReturnType<RedisLink['keys']['stream']>;
  readonly #options: OptionValues<typeof replayOptions>;
  readonly #meter: GapMeter;
  readonly #endId: string;
  #lastId: string;
  #eventCount = 0;
  #bytes = 0;
  #malformedCount = 0;
  #page: RawEntry[] = [];
  #gap: Gap | undefined;
  #result: ReplayResult | undefined;

  private constructor(link: RedisLink, stream: string, options: OptionValues<typeof replayOptions>, part: Part) {
    this.#link = link;
    this.stream = stream;
    this.#keys = link.keys.stream(stream);
    this.#options = options;
    this.#meter = part.meter;
    this.#endId = part.endId;
    this.#lastId = part.cursor;
  }

  /**
   * Fixes the start and the end. A stream that does not exist has no events.
   * @throws ConflictError `REPLAY_GAP` when what follows the start is gone, `PARTITIONED`; ArgumentError, OptionError, WrongTypeError,
   *   RedisUnavailableError.
   */
  static async open(link: RedisLink, stream: string, options: ReplayOptions = {}): Promise<Replay> {
    const { from = 'oldest', to = 'newest', ...rest } = options;
    const limits = resolveOptions('Replay', replayOptions, rest);
    const start = checkStart(from);
    const wantedEnd = endOf(to);
    const facts = await readStreamFacts(link.commands, link.keys.stream(stream));
    if (!facts.exists) await refusePartitioned(link, stream);
    const { cursor } = await resolveStart(link.commands, start, facts);
    const { firstId, lastGeneratedId } = facts;
    // That events before the start are gone is no gap, when the start itself is there.
    const anchored =
      start === 'oldest' ||
      start === 'newest' ||
      (firstId !== null && compareEntryIds(previousEntryId(firstId), cursor) <= 0);
    const meter = new GapMeter(stream, cursor, facts, anchored);
    const { gap } = meter.check(cursor, facts);
    if (gap) throw gapError(gap);
    const endId = wantedEnd && compareEntryIds(wantedEnd, lastGeneratedId) < 0 ? wantedEnd : lastGeneratedId;
    return new Replay(link, stream, limits, { cursor, endId, meter });
  }

  /** How it ended; undefined before it has. */
  get result(): ReplayResult | undefined {
    return this.#result;
  }

  /** Of the last entry that was read: what is left begins behind it. */
  get lastId(): string {
    return this.#lastId;
  }

  /** Goes on where an iteration before was left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<StreamEvent, undefined> {
    while (!this.#result) {
      const entry = await this.#next();
      if (!entry) return this.#end(true);
      const event = decodeEvent(this.stream, entry);
      if ('malformed' in event) this.#malformedCount++;
      else {
        const bytes = eventBytes(event);
        const isOver = this.#eventCount > 0 && this.#bytes + bytes > this.#options.maxBytes;
        if (isOver || this.#eventCount === this.#options.maxEvents) return this.#end(false);
        this.#eventCount++;
        this.#bytes += bytes;
      }
      this.#lastId = event.id;
      if (!('malformed' in event)) yield event;
    }
  }

  /** undefined at the end of the part. */
  async #next(): Promise<RawEntry | undefined> {
    if (this.#page.length === 0) {
      if (compareEntryIds(this.#lastId, this.#endId) < 0) await this.#fetch();
      if (this.#gap) throw gapError(this.#gap);
    }
    return this.#page.shift();
  }

  /**
   * Reads the next page and, asked for with it but answered after it, the state of the stream. What follows a gap is not
   * given.
   */
  async #fetch(): Promise<void> {
    const { commands } = this.#link;
    const page = commands.call('XRANGE', this.#keys.events, `(${this.#lastId}`, this.#endId, 'COUNT', this.#count());
    const [reply, facts] = await Promise.all([page, readStreamFacts(commands, this.#keys)]);
    const entries = reply as RawEntry[];
    const ids = entries.map(([id]) => id.toString('latin1'));
    this.#gap = this.#meter.checkPage(this.#lastId, ids, facts).gap;
    this.#page = this.#gap ? [] : entries;
  }

  #count(): number {
    const wanted = this.#options.maxEvents - this.#eventCount + 1;
    if (this.#eventCount === 0) return Math.min(FIRST_COUNT, wanted);
    const meanBytes = Math.max(1, this.#bytes / this.#eventCount);
    return Math.max(1, Math.floor(Math.min(MAX_COUNT, wanted, PAGE_BYTES / meanBytes)));
  }

  #end(complete: boolean): undefined {
    this.#result = {
      complete,
      eventCount: this.#eventCount,
      bytes: this.#bytes,
      malformedCount: this.#malformedCount,
      lastId: this.#lastId,
    };
  }
}

function endOf(to: ReplayTo): string | undefined {
  if (to === 'newest') return undefined;
  if (typeof to === 'object' && to !== null) {
    if ('at' in to) return parseEntryId(to.at);
    const { untilAtMs } = to;
    if (Number.isSafeInteger(untilAtMs) && untilAtMs >= 0) return `${untilAtMs}-${MAX_SEQUENCE}`;
  }
  throw new ArgumentError('a replay ends at "newest", { at } or { untilAtMs }, a whole number of ms');
}

function gapError(gap: Gap): ConflictError {
  return new ConflictError(describeGap(gap), {
    code: 'REPLAY_GAP',
    hint: 'Replay from "oldest" to have what is left.',
  });
}
