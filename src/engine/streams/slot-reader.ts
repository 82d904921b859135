/**
 * Reads those streams of a reader that one read can name, over a connection of its own, a batch at a time: in a cluster
 * those in one slot, else all. Before reading it keeps the books of each stream (gap.ts).
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
import type { Gap, GapMeter } from './gap.ts';
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
    const reply = (await this.#blocking.call(
      blockMs,
      'XREAD',
      'COUNT',
      this.#count(sources.length),
      ...(blockMs > 0 ? ['BLOCK', blockMs] : []),
      'STREAMS',
      ...sources.map(source => source.keys.events),
      ...sources.map(source => source.cursor),
    )) as [Buffer, RawEntry[]][] | null;
    const found = new Map((reply ?? []).map(([key, entries]) => [String(key), entries]));
    for (const source of sources) {
      const entries = found.get(source.keys.events);
      if (entries) this.#accept(source, entries, items);
      else if (source.endId !== undefined) source.done = true;
    }
    // Redis gives one stream after the other: what came together is given in the order in which it came.
    if (found.size > 1) items.sort(byTime);
  }

  #accept(source: Source, entries: RawEntry[], items: Item[]): void {
    const { events, filter } = this.#context;
    let bytes = 0;
    let accepted = 0;
    for (const entry of entries) {
      const event = decodeEvent(source.name, entry);
      if (source.endId !== undefined && compareEntryIds(event.id, source.endId) > 0) {
        source.done = true;
        break;
      }
      accepted++;
      source.cursor = event.id;
      if ('malformed' in event) {
        events.emit('malformed', { stream: source.name, id: event.id, reason: event.malformed });
        continue;
      }
      bytes += event.payload.length + event.name.length;
      if (!filter || filter.matches(event.topic)) items.push({ event, source });
    }
    source.meter.advance(accepted);
    if (source.endId !== undefined && compareEntryIds(source.cursor, source.endId) >= 0) source.done = true;
    if (accepted > 0) this.#meanBytes = Math.max(bytes / accepted, this.#meanBytes * 0.75);
  }

  #count(sourceCount: number): number {
    if (this.#meanBytes === 0) return Math.max(1, Math.floor(FIRST_COUNT / sourceCount));
    const byBytes = this.#context.maxBatchBytes / this.#meanBytes;
    return Math.max(1, Math.floor(Math.min(MAX_COUNT, byBytes) / sourceCount));
  }

  /** Compares what was read with what Redis counted, now and then and after each new connection. */
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

/** Sequences of different streams say nothing of each other: within a millisecond one stream stays after the other. */
function byTime(a: Item, b: Item): number {
  return 'event' in a && 'event' in b ? entryTimeMs(a.event.id) - entryTimeMs(b.event.id) : 0;
}
