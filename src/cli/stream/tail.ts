/** `stream tail`: reads, chooses, prints; tells what was missed and when the connection was lost and came back. */
import {
  compareEntryIds,
  type Gap,
  NotFoundError,
  partitionCount,
  partitionNames,
  Reader,
  type RedisLink,
  type Start,
  type StreamEvent,
  showStream,
} from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { followLatePartitions } from './late-partitions.ts';
import { mergeByTime } from './merge.ts';

export interface TailOptions {
  streams: readonly string[];
  /** Where to start in a stream. */
  startIn: (stream: string) => Promise<Start>;
  follow: boolean;
  /** Glob of topics. */
  topic: string | undefined;
  accepts: (event: StreamEvent) => boolean;
  /** The last id that is shown. */
  lastId: string | undefined;
  /** Ends after so many events. */
  count: number | undefined;
}

/** More streams are counted instead. */
const MOST_NAMED = 8;

/** What is said of events, and of what else happens while they are read. */
export interface TailPrinter {
  /** What is read is of these streams from now on. */
  follows(streams: readonly string[]): void;
  event(event: StreamEvent): Promise<void>;
  note(sentence: string): Promise<void>;
  notice(type: string, fields: object, sentence: string, tone: 'good' | 'bad'): Promise<void>;
}

/** For the name of a partitioned stream those of its partitions; each name once. */
export async function withPartitions(link: RedisLink, streams: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    streams.map(async stream => {
      const count = await partitionCount(link, stream);
      return count === undefined ? [stream] : partitionNames(stream, count);
    }),
  );
  return [...new Set(found.flat())];
}

/**
 * Several streams are shown in the order of time as far as their events are there, and then as they come. A stream that
 * does not exist is waited for when following.
 * @throws NotFoundError without `follow`, and when nothing is left to read because the streams were removed.
 */
export async function tail(
  link: RedisLink,
  options: TailOptions,
  printer: TailPrinter,
  signal: AbortSignal,
): Promise<void> {
  const { streams, follow, accepts, lastId, count } = options;
  const readers = new TailReaders(link, options.topic, printer, signal);
  const ended = new AbortController();
  let looking: Promise<void> | undefined;
  try {
    printer.follows(streams);
    const missing: string[] = [];
    for (const stream of streams) {
      if (await exists(link, stream, follow)) continue;
      missing.push(stream);
      await printer.note(`stream "${stream}" does not exist yet; waiting for it`);
    }
    const events = await openEvents(readers, options);
    if (follow) await printer.note(`following ${sayStreams(streams)}; Ctrl-C ends it`);
    looking = readers.followLate(missing, streams, AbortSignal.any([signal, ended.signal]));
    let shown = 0;
    const passed = new Set<string>();
    for await (const event of events) {
      if (lastId !== undefined && compareEntryIds(event.id, lastId) > 0) {
        // Of another stream an earlier one may be to come.
        passed.add(event.stream);
        if (readers.followed(streams).every(stream => passed.has(stream))) break;
        continue;
      }
      if (!accepts(event)) continue;
      await printer.event(event);
      if (++shown === count) return;
    }
  } finally {
    ended.abort();
    await readers.close();
    await looking;
  }
  const gone = [...readers.removed];
  if (follow && !signal.aborted && gone.length > 0) throw new NotFoundError('stream', gone.join('", "'));
}

/** When the promise resolves every start is fixed. */
async function openEvents(
  readers: TailReaders,
  { streams, startIn, follow }: TailOptions,
): Promise<AsyncIterable<StreamEvent>> {
  const starts = new Map<string, Start>();
  for (const stream of streams) starts.set(stream, await startIn(stream));
  const newest = new Map(streams.map(stream => [stream, 'newest'] as const));
  if (follow && (streams.length === 1 || [...starts.values()].every(start => start === 'newest'))) {
    return readers.open(starts, true);
  }
  const live = follow ? await readers.open(newest, true) : undefined;
  const present: Reader[] = [];
  for (const [stream, start] of starts) present.push(await readers.open(new Map([[stream, start]]), false));
  return presentThenLive(present, live);
}

/** Both were given what came while they were opened: it is shown once. */
async function* presentThenLive(present: readonly Reader[], live: Reader | undefined): AsyncGenerator<StreamEvent> {
  const last = new Map<string, string>();
  for await (const event of mergeByTime(present)) {
    last.set(event.stream, event.id);
    yield event;
  }
  if (!live) return;
  for await (const event of live) {
    const seen = last.get(event.stream);
    if (seen === undefined || compareEntryIds(event.id, seen) > 0) yield event;
  }
}

/** Readers that are closed together, and the telling of what happens to them. */
class TailReaders {
  /** Streams that were removed. */
  readonly removed = new Set<string>();
  readonly #link: RedisLink;
  readonly #topic: string | undefined;
  readonly #printer: TailPrinter;
  readonly #signal: AbortSignal;
  readonly #readers: Reader[] = [];
  /** The one that follows. */
  #live: Reader | undefined;
  readonly #stop = () => void this.#closeAll();
  #followed: readonly string[] | undefined;
  #notices: Promise<void> = Promise.resolve();

  constructor(link: RedisLink, topic: string | undefined, printer: TailPrinter, signal: AbortSignal) {
    this.#link = link;
    this.#topic = topic;
    this.#printer = printer;
    this.#signal = signal;
    signal.addEventListener('abort', this.#stop, { once: true });
  }

  async open(starts: ReadonlyMap<string, Start>, follow: boolean): Promise<Reader> {
    const reader = await Reader.open(this.#link, [], { follow, onGap: 'report', topic: this.#topic });
    this.#readers.push(reader);
    if (follow) this.#live = reader;
    this.#listen(reader, follow);
    for (const [stream, start] of starts) await reader.addStream(stream, start);
    return reader;
  }

  /** What is read of `streams`, once their late partitions are known. */
  followed(streams: readonly string[]): readonly string[] {
    return (this.#followed ?? streams).filter(stream => !this.removed.has(stream));
  }

  /** Takes up the partitions of those among `streams` that are `missing` and turn out to have some. */
  async followLate(missing: readonly string[], streams: readonly string[], signal: AbortSignal): Promise<void> {
    if (!this.#live) return;
    let followed = streams;
    const found = async (stream: string, partitions: readonly string[]) => {
      followed = [...new Set(followed.flatMap(name => (name === stream ? partitions : [name])))];
      this.#followed = followed;
      this.#printer.follows(followed);
      // Nobody reading is told by the next event.
      await this.#printer
        .note(`stream "${stream}" is there, with ${formatCount(partitions.length, 'partition')}`)
        .catch(() => {});
    };
    await followLatePartitions(this.#link, this.#live, missing, found, signal);
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#stop);
    await this.#closeAll();
    await this.#notices;
  }

  async #closeAll(): Promise<void> {
    await Promise.all(this.#readers.map(reader => reader.close()));
  }

  #listen(reader: Reader, follow: boolean): void {
    reader.events.on('gap', gap => this.#notice('gap', { ...gap, lostCount: gap.lostCount ?? null }, gapSentence(gap)));
    reader.events.on('malformed', found =>
      this.#notice('malformed', found, `entry ${found.id} of stream "${found.stream}" is no event: ${found.reason}`),
    );
    reader.events.on('removed', ({ stream }) => {
      if (this.removed.has(stream)) return;
      this.removed.add(stream);
      this.#notice('removed', { stream }, `stream "${stream}" was removed`);
    });
    // Of several readers on one Redis the one that goes on tells.
    if (!follow && this.#readers.length > 1) return;
    reader.events.on('disconnected', error =>
      this.#notice(
        'disconnected',
        { reason: error.code },
        'the connection to Redis is lost; reading goes on when it is back',
      ),
    );
    reader.events.on('reconnected', () =>
      this.#notice('resync', { reason: 'reconnect' }, 'connected again; reading went on after the last event', 'good'),
    );
  }

  /** Events may already be waiting: what is said goes out now, before them. Nobody reading is told by the next event. */
  #notice(type: string, fields: object, sentence: string, tone: 'good' | 'bad' = 'bad'): void {
    this.#notices = Promise.all([this.#notices, this.#printer.notice(type, fields, sentence, tone)]).then(
      () => undefined,
      () => undefined,
    );
  }
}

/** @throws NotFoundError unless a missing stream may be waited for. */
async function exists(link: RedisLink, stream: string, mayBeMissing: boolean): Promise<boolean> {
  try {
    await showStream(link, stream);
    return true;
  } catch (error) {
    if (mayBeMissing && error instanceof NotFoundError) return false;
    throw error;
  }
}

/** By name, as long as that can be read. */
function sayStreams(streams: readonly string[]): string {
  return streams.length > MOST_NAMED ? `${streams.length} streams` : `stream "${streams.join('", "')}"`;
}

function gapSentence({ stream, afterId, lostCount, reason }: Gap): string {
  const events = lostCount === undefined ? 'events, how many cannot be told,' : formatCount(lostCount, 'event');
  if (reason === 'trimmed') return `${events} of stream "${stream}" after ${afterId}: removed before they were read`;
  if (reason === 'replaced') return `stream "${stream}" was deleted and made anew; reading goes on at its beginning`;
  return `stream "${stream}" ends before ${afterId}: Redis lost its newest events`;
}
