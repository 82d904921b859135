/**
 * Reads those streams of a reader that one read can name, over a connection of its own, a batch at a time: in a cluster
 * those in one slot, else all.
 *
 * No event is given before it is known that none is missing in front of it. A trim removes from the oldest on, so none is
 * while anything stands at or before the cursor; that is asked for right behind the read (one entry, for all of a page).
 * Only when nothing stands there the books of the stream (gap.ts) say what was missed. They are also compared now and then,
 * which finds what a stream that goes on does not show: that it was removed, replaced or rewound.
 */
import { backoffMs } from '../core/backoff.ts';
import { sleep } from '../core/clock.ts';
import type { Emitter } from '../core/emitter.ts';
import { type PonosError, RedisUnavailableError } from '../core/errors.ts';
import type { BlockingConnection } from '../redis/blocking.ts';
import type { RedisLink } from '../redis/link.ts';
import { compareEntryIds, entryTimeMs } from './entry-id.ts';
import { decodeEvent, type RawEntry, type StreamEvent } from './event.ts';
import { readStreamFacts } from './facts.ts';
import type { Gap, GapMeter, PageVerdict } from './gap.ts';
import type { ReaderEvents } from './reader-events.ts';
import type { TopicFilter } from './topic.ts';

/** What the parts of one reader share. */
export interface ReaderContext {
  readonly link: RedisLink;
  readonly events: Emitter<ReaderEvents>;
  readonly filter: TopicFilter | undefined;
  readonly follow: boolean;
  readonly blockMs: number;
  readonly maxBatchBytes: number;
  /** This part cannot read, because of `error`; or it can again. */
  notReading(part: SlotReader, error: PonosError | undefined): void;
}

export interface Source {
  readonly name: string;
  readonly keys: ReturnType<RedisLink['keys']['stream']>;
  readonly meter: GapMeter;
  /** Who reads it. */
  readonly part: SlotReader;
  /** Last id of the present end, without `follow`. */
  readonly endId: string | undefined;
  cursor: string;
  checkedAtMs: number;
  done: boolean;
}

export type Item = { event: StreamEvent; source: Source } | { gap: Gap; source: Source };

const RETRY = { baseMs: 50, maxMs: 2000 };
/** How often the books are compared while reading goes on. */
const CHECK_EVERY_MS = 1000;
const CHECK_EVERY_MS_PER_STREAM = 10;
const FIRST_COUNT = 64;
const MAX_COUNT = 500;

export class SlotReader {
  readonly sources = new Set<Source>();
  /** Items read that nobody has taken yet. The next batch is read when there are none. */
  untaken = 0;
  readonly #context: ReaderContext;
  readonly #blocking: BlockingConnection;
  #connects: number;
  #meanBytes = 0;

  private constructor(context: ReaderContext, blocking: BlockingConnection) {
    this.#context = context;
    this.#blocking = blocking;
    this.#connects = blocking.connects;
  }

  /** For streams in the slot of `key`. */
  static async open(context: ReaderContext, key: string): Promise<SlotReader> {
    return new SlotReader(context, await context.link.openBlocking(key));
  }

  get done(): boolean {
    for (const source of this.sources) if (!source.done) return false;
    return true;
  }

  /** The streams changed: a read under way ends. */
  wake(): Promise<void> {
    return this.#blocking.wake();
  }

  close(): Promise<void> {
    return this.#blocking.close();
  }

  /** Reads until there is something to give. Empty when `signal` aborted or nothing is left to read. */
  async read(signal: AbortSignal): Promise<Item[]> {
    const { link } = this.#context;
    const items: Item[] = [];
    let failures = 0;
    while (!signal.aborted && !this.done && items.length === 0) {
      try {
        await this.#blocking.whenReady(signal);
        if (signal.aborted) break;
        await this.#keepBooks(items);
        if (this.#blocking.ready) this.#context.notReading(this, undefined);
        if (items.length === 0 && !this.done) await this.#readOnce(items);
        failures = 0;
      } catch (error) {
        if (signal.aborted || this.done) break;
        if (!(error instanceof RedisUnavailableError)) throw error;
        this.#context.notReading(this, error);
        failures++;
        await sleep(link.clock, backoffMs(failures, RETRY), signal);
      }
    }
    return items;
  }

  async #readOnce(items: Item[]): Promise<void> {
    const sources = this.#open();
    const { follow, blockMs: longestMs } = this.#context;
    const blockMs = follow ? longestMs : 0;
    const [only, ...others] = sources as [Source, ...Source[]];
    const [reply, before] = (await this.#blocking.callTogether(
      blockMs,
      [
        'XREAD',
        ...['COUNT', this.#count(sources.length)],
        ...(blockMs > 0 ? ['BLOCK', blockMs] : []),
        'STREAMS',
        ...sources.map(source => source.keys.events),
        ...sources.map(source => source.cursor),
      ],
      // Of many few have something: those are asked about afterwards.
      ...(others.length === 0 ? [stillThere(only)] : []),
    )) as [[Buffer, RawEntry[]][] | null, RawEntry[] | undefined];
    const found = new Map((reply ?? []).map(([key, entries]) => [String(key), entries]));
    const pages = await Promise.all(
      sources.map(async source => {
        const entries = upTo(source.endId, found.get(source.keys.events) ?? []);
        return { source, entries, verdict: await this.#judge(source, entries, before) };
      }),
    );
    for (const { source, entries, verdict } of pages) {
      const all = found.get(source.keys.events);
      this.#accept(source, entries, verdict, items);
      if (source.endId === undefined || verdict?.continueFrom !== undefined) continue;
      const isOver = !all || entries.length < all.length || compareEntryIds(source.cursor, source.endId) >= 0;
      if (isOver) source.done = true;
    }
    // Redis gives one stream after the other: what came together is given in the order in which it came.
    if (found.size > 1) items.sort(byTime);
  }

  /**
   * Counts a page that was read behind the cursor, and says whether something is missing in front of it. `before` is what stood at or
   * before the cursor after the read.
   */
  async #judge(source: Source, entries: RawEntry[], before?: RawEntry[]): Promise<PageVerdict | undefined> {
    const { endId, cursor } = source;
    // An end that is not reached, although nothing is left to read, was removed.
    const isCut = entries.length === 0 && endId !== undefined && compareEntryIds(cursor, endId) < 0;
    if (entries.length === 0 && !isCut) return undefined;
    const { commands, clock } = this.#context.link;
    const found = isCut ? [] : (before ?? ((await commands.call(...stillThere(source))) as RawEntry[]));
    const facts = found.length === 0 ? await readStreamFacts(commands, source.keys) : undefined;
    // Of one that was removed on purpose this was the last.
    if (facts && !facts.removed) {
      source.checkedAtMs = clock.monotonicMs();
      return source.meter.checkPage(cursor, entries.map(idOf), facts);
    }
    source.meter.advance(entries.length);
    return undefined;
  }

  #accept(source: Source, entries: RawEntry[], verdict: PageVerdict | undefined, items: Item[]): void {
    const { events, filter } = this.#context;
    if (verdict?.gap) items.push({ gap: verdict.gap, source });
    if (verdict?.continueFrom !== undefined) {
      source.cursor = verdict.continueFrom;
      return;
    }
    let bytes = 0;
    for (const entry of entries) {
      const event = decodeEvent(source.name, entry);
      source.cursor = event.id;
      if ('malformed' in event) {
        events.emit('malformed', { stream: source.name, id: event.id, reason: event.malformed });
        continue;
      }
      bytes += event.payload.length + event.name.length;
      if (!filter || filter.matches(event.topic)) items.push({ event, source });
    }
    if (entries.length > 0) this.#meanBytes = Math.max(bytes / entries.length, this.#meanBytes * 0.75);
  }

  #count(sourceCount: number): number {
    if (this.#meanBytes === 0) return Math.max(1, Math.floor(FIRST_COUNT / sourceCount));
    const byBytes = this.#context.maxBatchBytes / this.#meanBytes;
    return Math.max(1, Math.floor(Math.min(MAX_COUNT, byBytes) / sourceCount));
  }

  /** Compares what was read with what Redis counted, now and then and after each new connection, while no read is under way. */
  async #keepBooks(items: Item[]): Promise<void> {
    const { link, events } = this.#context;
    const { clock, commands } = link;
    const sources = this.#open();
    const nowMs = clock.monotonicMs();
    const { connects } = this.#blocking;
    const fresh = connects !== this.#connects;
    const everyMs = Math.max(CHECK_EVERY_MS, CHECK_EVERY_MS_PER_STREAM * sources.length);
    const due = sources.filter(source => fresh || nowMs - source.checkedAtMs >= everyMs);
    await Promise.all(
      due.map(async source => {
        const facts = await readStreamFacts(commands, source.keys);
        source.checkedAtMs = nowMs;
        if (facts.removed) {
          source.done = true;
          events.emit('removed', { stream: source.name });
          return;
        }
        const { gap, cursor } = source.meter.check(source.cursor, facts);
        source.cursor = cursor;
        if (gap) items.push({ gap, source });
      }),
    );
    this.#connects = connects;
  }

  #open(): Source[] {
    return [...this.sources].filter(source => !source.done);
  }
}

const idOf = ([id]: RawEntry): string => id.toString('latin1');

/** Asks for an entry at or before the cursor. */
function stillThere({ keys, cursor }: Source): ['XRANGE', ...(string | number)[]] {
  return ['XRANGE', keys.events, '-', cursor, 'COUNT', 1];
}

/** Those of a page that are not after `endId`. */
function upTo(endId: string | undefined, entries: RawEntry[]): RawEntry[] {
  const end = endId === undefined ? -1 : entries.findIndex(entry => compareEntryIds(idOf(entry), endId) > 0);
  return end < 0 ? entries : entries.slice(0, end);
}

/** Sequences of different streams say nothing of each other: within a millisecond one stream stays after the other. */
function byTime(a: Item, b: Item): number {
  return timeOf(a) - timeOf(b);
}

function timeOf(item: Item): number {
  return entryTimeMs('event' in item ? item.event.id : item.gap.afterId);
}
