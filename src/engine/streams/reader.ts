/**
 * Reads all of one or several streams, alone and without leaving a trace in Redis: it sends only reading commands.
 *
 * It is pulled: nothing is fetched ahead but one batch, so a slow consumer costs no memory. The cursor of each stream is
 * held here, as a concrete id from the start; a lost connection is opened again and reading goes on after the last id,
 * without loss or repetition. Each batch is compared with what is left of its stream (slot-reader.ts), so that events which
 * were removed before they were read are reported in their place and never skipped in silence.
 */
import { Emitter } from '../core/emitter.ts';
import { ArgumentError, ClosedError, ConflictError, type PonosError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, type OptionValues, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import type { StreamEvent } from './event.ts';
import { readStreamFacts } from './facts.ts';
import { describeGap, type Gap, GapMeter } from './gap.ts';
import { Gate } from './gate.ts';
import { refusePartitioned } from './partitioned.ts';
import { checkStart, resolveStart, type Start } from './position.ts';
import type { ReaderEvents } from './reader-events.ts';
import { type Item, type ReaderContext, SlotReader, type Source } from './slot-reader.ts';
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

export class Reader implements AsyncIterable<StreamEvent> {
  readonly events = new Emitter<ReaderEvents>();
  readonly #link: RedisLink;
  readonly #options: OptionValues<typeof readerOptions>;
  readonly #from: Start;
  readonly #context: ReaderContext;
  readonly #sources = new Map<string, Source>();
  /** One for each slot that has streams of it. */
  readonly #parts = new Map<number, Promise<SlotReader>>();
  readonly #reading = new Map<SlotReader, Promise<void>>();
  readonly #lost = new Set<SlotReader>();
  readonly #changed = new Gate();
  readonly #stopping = new AbortController();
  #items: Item[] = [];
  #head = 0;
  #failure: unknown;

  private constructor(link: RedisLink, options: ReaderOptions) {
    const { from = 'oldest', topic, ...rest } = options;
    this.#link = link;
    this.#from = checkStart(from);
    this.#options = resolveOptions('Reader', readerOptions, rest);
    this.#context = {
      link,
      events: this.events,
      filter: topic === undefined ? undefined : new TopicFilter(topic),
      ...this.#options,
      notReading: (part, error) => this.#notReading(part, error),
    };
  }

  /**
   * When the promise resolves the start is fixed: `newest` gives every event published from then on. A stream that does
   * not exist is waited for.
   * @throws ArgumentError, OptionError, WrongTypeError, RedisUnavailableError; ConflictError `READER_GAP` when the start
   *   is behind what is left, with `onGap: 'fail'`; `PARTITIONED`.
   */
  static async open(link: RedisLink, streams: readonly string[], options: ReaderOptions = {}): Promise<Reader> {
    const reader = new Reader(link, options);
    try {
      for (const stream of new Set(streams)) await reader.addStream(stream);
      return reader;
    } catch (error) {
      await reader.close();
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
    const facts = await readStreamFacts(this.#link.commands, keys);
    if (!facts.exists) await refusePartitioned(this.#link, name);
    const { cursor, anchored } = await resolveStart(this.#link.commands, checkStart(from), facts);
    const meter = new GapMeter(name, cursor, facts, anchored);
    const { gap, cursor: checked } = meter.check(cursor, facts);
    if (gap && this.#options.onGap === 'fail') throw gapError(gap);
    const source = await this.#attach({
      name,
      keys,
      meter,
      endId: this.#options.follow ? undefined : facts.lastGeneratedId,
      cursor: checked,
      checkedAtMs: this.#link.clock.monotonicMs(),
      done: false,
    });
    if (gap) this.#give([{ gap, source }], source.part);
    this.#changed.open();
    await source.part.wake();
  }

  /** Nothing more of this stream is given. */
  async removeStream(name: string): Promise<void> {
    const source = this.#sources.get(name);
    if (!source) return;
    const { part } = source;
    source.done = true;
    part.sources.delete(source);
    this.#sources.delete(name);
    this.#changed.open();
    if (part.sources.size > 0) return part.wake();
    this.#parts.delete(this.#link.slotOf(source.keys.events));
    this.#notReading(part, undefined);
    await part.close();
  }

  /** Ends the iteration. Legal more than once. */
  async close(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#items = [];
    this.#head = 0;
    this.#changed.open();
    const parts = await Promise.allSettled(this.#parts.values());
    await Promise.all(parts.map(part => part.status === 'fulfilled' && part.value.close()));
    await Promise.all(this.#reading.values());
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
        const { part } = item.source;
        if (part.untaken === 0 && this.#failure === undefined) this.#read(part);
        return { value: item.event, done: false };
      }
    }
  }

  get #ended(): boolean {
    if (this.#options.follow && this.#sources.size === 0) return false;
    for (const { done } of this.#sources.values()) if (!done) return false;
    return true;
  }

  #give(items: readonly Item[], part: SlotReader): void {
    part.untaken += items.length;
    for (const item of items) this.#items.push(item);
  }

  #take(): Item | undefined {
    const item = this.#items[this.#head];
    if (item) {
      this.#head++;
      item.source.part.untaken--;
    } else if (this.#head > 0) {
      this.#items = [];
      this.#head = 0;
    }
    return item;
  }

  async #fail(error: unknown): Promise<never> {
    await this.close();
    throw error;
  }

  async #end(): Promise<IteratorResult<StreamEvent, undefined>> {
    await this.close();
    return { value: undefined, done: true };
  }

  /** Resolves when there may be something to give. */
  #fill(): Promise<void> {
    const changed = this.#changed.wait(this.#stopping.signal);
    for (const { part } of this.#sources.values()) this.#read(part);
    return changed;
  }

  /** Reads the next batch of a part. One at a time; a failure is kept for the consumer. */
  #read(part: SlotReader): void {
    if (this.#reading.has(part) || part.untaken > 0 || part.done || this.#stopping.signal.aborted) return;
    const reading = part.read(this.#stopping.signal).then(
      items => this.#give(items, part),
      error => {
        this.#failure = error;
      },
    );
    const ended = reading.finally(() => {
      this.#reading.delete(part);
      this.#changed.open();
    });
    this.#reading.set(part, ended);
  }

  /** Says once that a connection is lost, and once that all are back. */
  #notReading(part: SlotReader, error: PonosError | undefined): void {
    const before = this.#lost.size;
    if (error) this.#lost.add(part);
    else this.#lost.delete(part);
    if (error && before === 0) this.events.emit('disconnected', error);
    else if (before > 0 && this.#lost.size === 0) this.events.emit('reconnected', undefined);
  }

  /** One read cannot span the slots of a cluster. */
  async #attach(unread: Omit<Source, 'part'>): Promise<Source> {
    const { name, keys } = unread;
    const slot = this.#link.slotOf(keys.events);
    for (;;) {
      this.#checkOpen();
      const opening = this.#parts.get(slot) ?? SlotReader.open(this.#context, keys.events);
      this.#parts.set(slot, opening);
      const part = await opening.catch((error: unknown) => {
        this.#parts.delete(slot);
        throw error;
      });
      // Closed meanwhile, because its last stream was removed.
      if (this.#parts.get(slot) !== opening || this.#stopping.signal.aborted) continue;
      const source = { ...unread, part };
      this.#sources.set(name, source);
      part.sources.add(source);
      return source;
    }
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
