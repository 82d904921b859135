/**
 * Publishes to a stream with limits, or under ids of the publisher: by a script, because room must be made, or the id looked
 * up, and the event added in one step. One script at a time; what is published meanwhile goes out together in the next one, so the order is kept and many cost little more
 * than one.
 *
 * It also knows whether a stream has limits. That is looked up when publishing begins after a pause, and then again at
 * most once in `FOLLOW_MS`: a producer obeys a change so long after it and a round trip. What it adds before then is
 * counted by the next script like everything else.
 *
 * A script without a reply is sent again if all its events have ids, and never else. That happens beside the others, which
 * go on; what comes with an id meanwhile waits behind it.
 */
import { backoffMs } from '../core/backoff.ts';
import { sleep } from '../core/clock.ts';
import { ConflictError, FullError, RedisUnavailableError, TooLargeError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument } from '../redis/script.ts';
import type { OnceKey, PublishedOnce } from './once.ts';
import {
  addLost,
  decodeRetention,
  encodeRetention,
  endSinksWith,
  RETENTION_STEP,
  type Retention,
  readRetention,
} from './retention.ts';
import { publishLimitedScript } from './scripts.gen.ts';

const FOLLOW_MS = 1000;
/** They bound the time one script holds Redis. */
const BATCH_COUNT = 100;
const BATCH_BYTES = 1_048_576;
/** Before the id of an event that was there. */
const AGAIN = 'again ';
/** Of one hash with ids, as in lua/_once.lua. */
const ONCE_BUCKET_MS = 300_000;
const RETRY = { baseMs: 20, maxMs: 1000 };

export interface OnceLimits {
  /** How long an id is remembered. */
  readonly windowMs: number;
  /** Most ids of five minutes. */
  readonly maxIds: number;
  /** How long to try again without a reply. */
  readonly retryMs: number;
}

interface Waiting {
  readonly once: OnceKey | undefined;
  readonly fields: readonly Argument[];
  readonly sizeBytes: number;
  /** With an id: until when it is sent again. */
  readonly endMs: number;
  /** It may have been added: it was sent, and there was no answer. */
  uncertain: boolean;
  resolve(published: PublishedOnce): void;
  reject(error: unknown): void;
}

export interface LimitedPublisherHost {
  /** The key is missing: makes the stream anew, or rejects. */
  missing(): Promise<void>;
  /** The connection is there, or this rejects. */
  connected(): Promise<void>;
  lost(sink: string, count: number): void;
}

export class LimitedPublisher {
  readonly #link: RedisLink;
  readonly #stream: string;
  readonly #keys: ReturnType<RedisLink['keys']['stream']>;
  readonly #host: LimitedPublisherHost;
  readonly #once: OnceLimits;
  #retention: Retention | undefined;
  #queue: Waiting[] = [];
  #draining = false;
  /** With ids, at first those that had no answer. */
  #repeated: Waiting[] = [];
  #repeating = false;
  /** Which hashes hold the ids at present: they are keys of the script, which says when they are others. At first a guess. */
  #onceAt: { generation: string; newest: number };
  /** The stream has sinks, or had. */
  #hasSinks = false;
  /** The end of the stream was moved, and that of its sinks' keys may not have been. */
  #sinksEndBefore = false;
  /** The stream has limits, as far as is known: publish here. */
  active = false;
  /** What is known is old: look. */
  stale = true;

  constructor(link: RedisLink, stream: string, once: OnceLimits, host: LimitedPublisherHost) {
    this.#link = link;
    this.#stream = stream;
    this.#keys = link.keys.stream(stream);
    this.#once = once;
    this.#host = host;
    this.#onceAt = { generation: '', newest: Math.floor(link.clock.wallMs() / ONCE_BUCKET_MS) };
  }

  /** As last seen. */
  get retention(): Retention | undefined {
    return this.#retention;
  }

  /** What a stream that is made anew is to get, for the scripts. */
  get settings(): string[] {
    return encodeRetention(this.#retention ?? {});
  }

  /** As the script that opens the stream told them. */
  adopt(generation: string, settings: readonly unknown[]): void {
    this.#onceAt = { ...this.#onceAt, generation };
    this.#follow(decodeRetention(settings));
  }

  /** Looks up whether there are limits, without anybody waiting for it. */
  look(): void {
    this.#rest();
    readRetention(this.#link.commands, this.#keys).then(
      retention => this.#follow(retention),
      // The publish that comes along says what is wrong.
      () => {},
    );
  }

  #follow(retention: Retention | undefined): void {
    this.#rest();
    this.#retention = retention;
    // What waits here must not be overtaken.
    this.active = retention !== undefined || this.#draining;
  }

  #rest(): void {
    if (!this.stale) return;
    this.stale = false;
    const grow = () => {
      this.stale = true;
    };
    this.#link.clock.after(FOLLOW_MS, grow, { ref: false });
  }

  publish(fields: readonly Argument[], once?: OnceKey): Promise<PublishedOnce> {
    let sizeBytes = 0;
    for (let at = 1; at < fields.length; at += 2) sizeBytes += Buffer.byteLength(fields[at] as string);
    const endMs = this.#link.clock.monotonicMs() + this.#once.retryMs;
    return new Promise((resolve, reject) => {
      const waiting = { once, fields, sizeBytes, endMs, uncertain: false, resolve, reject };
      if (once && this.#repeating) {
        this.#repeated.push(waiting);
        return;
      }
      this.#queue.push(waiting);
      this.active = true;
      if (this.#draining) return;
      this.#draining = true;
      process.nextTick(() => this.#drain());
    });
  }

  /** Never rejects: each event is told of its own. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = take(this.#queue);
      try {
        const settled = await this.#send(batch);
        this.#queue = batch.slice(settled).concat(this.#queue);
      } catch (error) {
        const again = this.#fail(batch, error);
        if (again.length > 0) this.#repeat(again);
        else if (error instanceof RedisUnavailableError) this.#giveUp(error.message);
      }
    }
    this.#draining = false;
    this.active = this.#retention !== undefined;
  }

  /** Tells the events of a script that failed. @returns those that are to be sent again. */
  #fail(batch: readonly Waiting[], error: unknown): Waiting[] {
    const nowMs = this.#link.clock.monotonicMs();
    const again: Waiting[] = [];
    for (const waiting of batch) {
      if (!(error instanceof RedisUnavailableError)) {
        waiting.reject(error);
        continue;
      }
      waiting.uncertain ||= error.uncertain;
      // What is surely not done is the caller's: it decides at once what an outage means.
      if (waiting.once && waiting.uncertain && nowMs < waiting.endMs) again.push(waiting);
      else waiting.reject(new RedisUnavailableError(error.message, { uncertain: waiting.uncertain, cause: error }));
    }
    return again;
  }

  /** What has an id and waits goes along, so that those with ids keep their order. */
  #repeat(unanswered: readonly Waiting[]): void {
    const hasId = ({ once }: Waiting) => once !== undefined;
    this.#repeated.push(...unanswered, ...this.#queue.filter(hasId));
    this.#queue = this.#queue.filter(waiting => !hasId(waiting));
    if (this.#repeating) return;
    this.#repeating = true;
    void this.#sendAgain();
  }

  /** Never rejects. */
  async #sendAgain(): Promise<void> {
    const { clock } = this.#link;
    for (let attempt = 1; this.#repeated.length > 0; ) {
      if (attempt > 0) await sleep(clock, backoffMs(attempt, RETRY));
      const batch = take(this.#repeated);
      try {
        const settled = await this.#send(batch);
        this.#repeated = batch.slice(settled).concat(this.#repeated);
        attempt = 0;
      } catch (error) {
        this.#repeated = this.#fail(batch, error).concat(this.#repeated);
        attempt++;
      }
    }
    this.#repeating = false;
  }

  /** Behind a script that has waited in vain nobody is to wait as long once more for each script. */
  #giveUp(message: string): void {
    const waiting = this.#queue;
    this.#queue = waiting.filter(({ once }) => once !== undefined);
    for (const { once, reject } of waiting) {
      if (once === undefined) reject(new RedisUnavailableError(`${message}: the event was not sent`));
    }
  }

  /** @returns how many of the batch are settled; the rest is to be sent again. */
  async #send(batch: readonly Waiting[]): Promise<number> {
    if (!this.#link.commands.ready) await this.#host.connected();
    const { events, meta, sinks } = this.#keys;
    const { generation, newest } = this.#onceAt;
    const buckets = batch[0]?.once ? this.#buckets() : [];
    const reply = await this.#link.commands.run(
      publishLimitedScript,
      { events, meta, more: this.#hasSinks ? [...buckets, sinks] : buckets },
      {
        bucket_count: buckets.length,
        once_generation: generation,
        once_newest: newest,
        once_window_ms: Math.ceil(this.#once.windowMs),
        once_cap: this.#once.maxIds,
        step: RETENTION_STEP,
        batch: batch.flatMap(({ once, fields }) => [fields.length, once?.id ?? '', once?.digest ?? '', ...fields]),
      },
    );
    if (reply.status === 'MISSING') {
      await this.#host.missing();
      return 0;
    }
    if (reply.status === 'SINKS') {
      this.#hasSinks = true;
      return 0;
    }
    if (reply.status === 'STALE') {
      this.#onceAt = { generation: reply.generation, newest: reply.newest };
      return 0;
    }
    this.#onceAt = { generation, newest: reply.newest };
    if (reply.ends_at_ms > 0) this.#sinksEndBefore = true;
    if (this.#sinksEndBefore) this.#endSinks();
    this.#retention = decodeRetention(reply.settings);
    const lost = new Map<string, number>();
    addLost(lost, reply.lost);
    for (const [sink, count] of lost) this.#host.lost(sink, count);
    reply.results.forEach((result, index) => {
      const waiting = batch[index] as Waiting;
      const text = String(result);
      const refusal = this.#refusal(text, waiting.sizeBytes, reply.holder);
      if (refusal) waiting.reject(refusal);
      // What is there may have been added by an attempt of this publisher, of which it has no answer.
      else if (text.startsWith(AGAIN)) waiting.resolve({ id: text.slice(AGAIN.length), added: waiting.uncertain });
      else waiting.resolve({ id: text, added: true });
    });
    return reply.results.length;
  }

  /** The next one, so that time may pass, and all in which an id within the window may be. */
  #buckets(): string[] {
    const { generation, newest } = this.#onceAt;
    const count = Math.ceil(this.#once.windowMs / ONCE_BUCKET_MS) + 2;
    return Array.from({ length: count }, (_, age) => `${this.#keys.oncePrefix}${generation}:${newest + 1 - age}`);
  }

  #endSinks(): void {
    this.#sinksEndBefore = false;
    endSinksWith(this.#link, this.#stream).catch(() => {
      this.#sinksEndBefore = true;
    });
  }

  /** undefined when the result is the id of an event. */
  #refusal(result: string, sizeBytes: number, holder: string): Error | undefined {
    switch (result) {
      case 'blocked':
        return this.#blocked(holder);
      case 'large':
        return new TooLargeError('PAYLOAD', sizeBytes, this.#retention?.maxBytes ?? 0);
      case 'conflict':
        return new ConflictError(`another event was published to stream "${this.#stream}" under this id`);
      case 'ids-full':
        return new FullError('IDEM_FULL', `stream "${this.#stream}" has ${this.#once.maxIds} ids of five minutes`, {
          hint: 'Publish more slowly under ids, or raise maxOnceIds.',
        });
      default:
        return undefined;
    }
  }

  #blocked(holder: string): FullError {
    const hint =
      holder === ''
        ? 'Raise its limits.'
        : `Sink "${holder}" has not acknowledged the oldest events. Raise the limits, or let the oldest go: "ponos stream set", or onFull: 'dropOldest'.`;
    return new FullError('RETENTION_BLOCKED', `stream "${this.#stream}" is full`, { hint });
  }
}

/** The next of a queue that go together: those with ids may be sent again, the others not. */
function take(queue: Waiting[]): Waiting[] {
  let count = 0;
  let bytes = 0;
  const hasIds = queue[0]?.once !== undefined;
  for (const { once, sizeBytes } of queue) {
    if ((once !== undefined) !== hasIds) break;
    if (count === BATCH_COUNT || (count > 0 && bytes + sizeBytes > BATCH_BYTES)) break;
    count++;
    bytes += sizeBytes;
  }
  return queue.splice(0, count);
}
