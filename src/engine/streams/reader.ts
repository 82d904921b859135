/**
 * Reads all of one or several streams, alone and without leaving a trace in Redis: it sends only reading commands.
 *
 * It is pulled: nothing is fetched ahead but one batch, so a slow consumer costs no memory. The cursor of each stream is
 * held here, as a concrete id from the start; a lost connection is opened again and reading goes on after the last id,
 * without loss or repetition. Before reading it keeps the books of each stream (gap.ts), so that events which were
 * removed before they were read are reported in their place and never skipped in silence.
 */
import { backoffMs } from '../core/backoff.ts';
import { sleep } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ArgumentError, ClosedError, ConflictError, type PonosError, RedisUnavailableError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, type OptionValues, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import { BlockingRead } from './blocking-read.ts';
import { compareEntryIds } from './entry-id.ts';
import { decodeEvent, type RawEntry, type StreamEvent } from './event.ts';
import { readStreamFacts } from './facts.ts';
import { describeGap, type Gap, GapMeter } from './gap.ts';
import { checkStart, resolveStart, type Start } from './position.ts';
import { TopicFilter, type TopicPattern } from './topic.ts';
import { tracedReading } from './tracing.ts';

export const readerOptions = {
  follow: { kind: 'flag', default: true, doc: 'Wait for new events; else end where the streams ended at the start.' },
  onGap: {
    kind: 'choice',
    default: 'fail',
    choices: ['fail', 'report'],
    doc: 'When events were removed before they were read: end with an error, or emit `gap` and go on.',
  },
  blockMs: { kind: 'ms', default: 2000, min: 10, max: 60_000, doc: 'Longest wait of one read in Redis.' },
  maxBatchBytes: {
    kind: 'bytes',
    default: 1_048_576,
    min: 1,
    max: 268_435_456,
    doc: 'Size of the batches aimed at, by the size of the events so far.',
  },
} as const satisfies OptionTable;

export interface ReaderOptions extends OptionInput<typeof readerOptions> {
  /** Default `oldest`. */
  readonly from?: Start | undefined;
  /** Only events whose topic it matches. */
  readonly topic?: TopicPattern | undefined;
}

export interface ReaderEvents {
  /** Events were missed (with `onGap: 'report'`). */
  gap: Gap;
  /** An entry that is no event was passed over. */
  malformed: { stream: string; id: string; reason: string };
  /** A stream was removed on purpose; reading goes on with the others. */
  removed: { stream: string };
  /** The connection is lost and being opened again. */
  disconnected: PonosError;
  /** It is open again; reading goes on after the last event. */
  reconnected: undefined;
}

interface Source {
  readonly name: string;
  readonly keys: ReturnType<RedisLink['keys']['stream']>;
  readonly meter: GapMeter;
  /** Last id of the present end, without `follow`. */
  readonly endId: string | undefined;
  cursor: string;
  checkedAtMs: number;
  done: boolean;
}

type Item = { event: StreamEvent; source: Source } | { gap: Gap; source: Source };

const RETRY = { baseMs: 50, maxMs: 2000 };
/** How often the books are compared while reading goes on. */
const CHECK_EVERY_MS = 1000;
const CHECK_EVERY_MS_PER_STREAM = 10;
const FIRST_COUNT = 64;
const MAX_COUNT = 500;

export class Reader implements AsyncIterable<StreamEvent> {
  readonly events = new Emitter<ReaderEvents>();
  readonly #link: RedisLink;
  readonly #blocking: BlockingRead;
  readonly #options: OptionValues<typeof readerOptions>;
  readonly #from: Start;
  readonly #filter: TopicFilter | undefined;
  readonly #sources = new Map<string, Source>();
  readonly #stopping = new AbortController();
  #items: Item[] = [];
  #head = 0;
  #reading: Promise<void> | undefined;
  #failure: unknown;
  #lost = false;
  #meanBytes = 0;
  #connects: number;

  private constructor(
    link: RedisLink,
    blocking: BlockingRead,
    options: ReaderOptions,
    filter: TopicFilter | undefined,
  ) {
    const { from = 'oldest', topic: _, ...rest } = options;
    this.#link = link;
    this.#blocking = blocking;
    this.#connects = blocking.connects;
    this.#from = checkStart(from);
    this.#filter = filter;
    this.#options = resolveOptions('Reader', readerOptions, rest);
  }

  /**
   * When the promise resolves the start is fixed: `newest` gives every event published from then on. A stream that does
   * not exist is waited for.
   * @throws ArgumentError, OptionError, WrongTypeError, RedisUnavailableError; ConflictError `READER_GAP` when the start
   *   is behind what is left, with `onGap: 'fail'`.
   */
  static async open(link: RedisLink, streams: readonly string[], options: ReaderOptions = {}): Promise<Reader> {
    const filter = options.topic === undefined ? undefined : new TopicFilter(options.topic);
    const blocking = await BlockingRead.open(link);
    try {
      const reader = new Reader(link, blocking, options, filter);
      for (const stream of new Set(streams)) await reader.addStream(stream);
      return reader;
    } catch (error) {
      await blocking.close();
      throw error;
    }
  }

  get streams(): string[] {
    return [...this.#sources.keys()];
  }

  /** Reads one more stream from now on. Fixed when the promise resolves; default start is the reader's own. */
  async addStream(name: string, from: Start = this.#from): Promise<void> {
    this.#checkOpen();
    if (this.#sources.has(name)) throw new ArgumentError(`the reader reads stream "${name}" already`);
    const keys = this.#link.keys.stream(name);
    if (this.#link.isCluster && this.#sources.size > 0) {
      throw new ArgumentError('on a Redis Cluster a reader reads one stream', { hint: 'Open a reader for each.' });
    }
    const facts = await readStreamFacts(this.#link.commands, keys);
    const { cursor, anchored } = await resolveStart(this.#link.commands, checkStart(from), facts);
    const source: Source = {
      name,
      keys,
      meter: new GapMeter(name, cursor, facts, anchored),
      endId: this.#options.follow ? undefined : facts.lastGeneratedId,
      cursor,
      checkedAtMs: this.#link.clock.monotonicMs(),
      done: false,
    };
    const checked = source.meter.check(cursor, facts);
    source.cursor = checked.cursor;
    if (checked.gap) {
      if (this.#options.onGap === 'fail') throw gapError(checked.gap);
      this.#items.push({ gap: checked.gap, source });
    }
    this.#checkOpen();
    this.#sources.set(name, source);
    await this.#blocking.wake();
  }

  /** Nothing more of this stream is given. */
  async removeStream(name: string): Promise<void> {
    const source = this.#sources.get(name);
    if (!source) return;
    source.done = true;
    this.#sources.delete(name);
    await this.#blocking.wake();
  }

  /** Ends the iteration. Legal more than once. */
  async close(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#items = [];
    this.#head = 0;
    await this.#blocking.close();
    await this.#reading;
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamEvent, undefined> {
    return tracedReading(this.#link.tracer, {
      next: () => this.#next(),
      return: async () => {
        await this.close();
        return { value: undefined, done: true };
      },
    });
  }

  async #next(): Promise<IteratorResult<StreamEvent, undefined>> {
    for (;;) {
      if (this.#stopping.signal.aborted) return { value: undefined, done: true };
      const item = this.#take();
      if (item === undefined) {
        if (this.#failure !== undefined) return this.#fail(this.#failure);
        if (this.#ended) return this.#end();
        await this.#fill();
      } else if (this.#sources.get(item.source.name) !== item.source) {
        // Of a stream removed since.
      } else if ('gap' in item) {
        if (this.#options.onGap === 'fail') return this.#fail(gapError(item.gap));
        this.events.emit('gap', item.gap);
      } else {
        // The next batch travels while this one is worked on.
        if (this.#head === this.#items.length && this.#failure === undefined && !this.#ended) void this.#fill();
        return { value: item.event, done: false };
      }
    }
  }

  get #ended(): boolean {
    if (this.#options.follow && this.#sources.size === 0) return false;
    for (const source of this.#sources.values()) if (!source.done) return false;
    return true;
  }

  #take(): Item | undefined {
    if (this.#head < this.#items.length) return this.#items[this.#head++];
    if (this.#head > 0) {
      this.#items = [];
      this.#head = 0;
    }
    return undefined;
  }

  async #fail(error: unknown): Promise<never> {
    await this.close();
    throw error;
  }

  async #end(): Promise<IteratorResult<StreamEvent, undefined>> {
    await this.close();
    return { value: undefined, done: true };
  }

  /** Reads until there is something to give. One at a time; never rejects: a failure is kept for the consumer. */
  #fill(): Promise<void> {
    this.#reading ??= this.#read().then(
      () => {
        this.#reading = undefined;
      },
      error => {
        this.#reading = undefined;
        this.#failure = error;
      },
    );
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted && this.#head === this.#items.length) {
      try {
        await this.#blocking.whenReady(signal);
        const sources = [...this.#sources.values()].filter(source => !source.done);
        if (sources.length === 0) {
          if (this.#ended) return;
          await sleep(this.#link.clock, this.#options.blockMs, signal);
          continue;
        }
        await this.#keepBooks(sources);
        if (this.#blocking.ready) this.#notReading(undefined);
        if (this.#head < this.#items.length) return;
        await this.#readOnce(sources.filter(source => !source.done));
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof RedisUnavailableError)) throw error;
        this.#notReading(error);
        failures++;
        await sleep(this.#link.clock, backoffMs(failures, RETRY), signal);
      }
    }
  }

  /** Says once that the connection is lost, and once that it is back. */
  #notReading(error: PonosError | undefined): void {
    const wasLost = this.#lost;
    this.#lost = error !== undefined;
    if (error !== undefined && !wasLost) this.events.emit('disconnected', error);
    else if (error === undefined && wasLost) this.events.emit('reconnected', undefined);
  }

  async #readOnce(sources: Source[]): Promise<void> {
    if (sources.length === 0) return;
    const blockMs = this.#options.follow ? this.#options.blockMs : 0;
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
      if (entries) this.#accept(source, entries);
      else if (source.endId !== undefined) source.done = true;
    }
  }

  #accept(source: Source, entries: RawEntry[]): void {
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
        this.events.emit('malformed', { stream: source.name, id: event.id, reason: event.malformed });
        continue;
      }
      bytes += event.payload.length + event.name.length;
      if (!this.#filter || this.#filter.matches(event.topic)) this.#items.push({ event, source });
    }
    source.meter.advance(accepted);
    if (source.endId !== undefined && compareEntryIds(source.cursor, source.endId) >= 0) source.done = true;
    if (accepted > 0) this.#meanBytes = Math.max(bytes / accepted, this.#meanBytes * 0.75);
  }

  #count(sourceCount: number): number {
    if (this.#meanBytes === 0) return Math.max(1, Math.floor(FIRST_COUNT / sourceCount));
    const byBytes = this.#options.maxBatchBytes / this.#meanBytes;
    return Math.max(1, Math.floor(Math.min(MAX_COUNT, byBytes) / sourceCount));
  }

  /** Compares what was read with what Redis counted, now and then and after each new connection. */
  async #keepBooks(sources: Source[]): Promise<void> {
    const { clock, commands } = this.#link;
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
          this.events.emit('removed', { stream: source.name });
          return;
        }
        const { gap, cursor } = source.meter.check(source.cursor, facts);
        source.cursor = cursor;
        if (gap) this.#items.push({ gap, source });
      }),
    );
    this.#connects = connects;
  }

  #checkOpen(): void {
    if (this.#stopping.signal.aborted) throw new ClosedError('reader');
  }
}

function gapError(gap: Gap): ConflictError {
  return new ConflictError(describeGap(gap), {
    code: 'READER_GAP',
    hint: 'Read on from "oldest", or with onGap: "report".',
  });
}
