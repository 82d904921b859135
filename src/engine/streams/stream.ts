/**
 * The producer's side of a stream.
 *
 * Publishing is a plain XADD that insists on the key being there (NOMKSTREAM): one command, no script. When the key is
 * missing a script decides: a stream removed on purpose stays removed, one that went with the data of Redis is made anew
 * under another generation. A stream with limits is published to by a script (limited-publisher.ts). A publish whose answer
 * is lost is never sent again: that would double events.
 */
import { type Bytes, byteLength } from '../core/bytes.ts';
import { within } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ConflictError, NotFoundError, RedisUnavailableError, UncertainPublishError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { type OptionInput, type OptionTable, type OptionValues, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument } from '../redis/script.ts';
import { encodeEvent, type Headers } from './event.ts';
import { LimitedPublisher } from './limited-publisher.ts';
import { type OnceKey, onceKey, type PublishedOnce } from './once.ts';
import {
  encodeRetention,
  type Retention,
  type RetentionChange,
  type RetentionInput,
  setRetention,
} from './retention.ts';
import { publishScript } from './scripts.gen.ts';
import { published, publishSpan, tracedHeaders } from './tracing.ts';
import { openStream, removeStream, type TrimLimit, trimStream } from './whole-stream.ts';

export const eventStreamOptions = {
  create: { kind: 'flag', default: true, doc: 'Make the stream if it does not exist; else it must.' },
  maxPayloadBytes: {
    kind: 'bytes',
    default: 1_048_576,
    min: 1,
    max: 536_870_912,
    doc: 'Longest payload. Redis serves nobody else while it stores a large one.',
  },
  onceWindowMs: {
    kind: 'ms',
    default: 600_000,
    min: 1000,
    max: 3_600_000,
    doc: 'How long the id of a publishOnce is remembered.',
  },
  maxOnceIds: {
    kind: 'count',
    default: 1_000_000,
    min: 1,
    max: 10_000_000,
    doc: 'Most ids of publishOnce in five minutes; then it is refused. Each takes Redis about 100 bytes and its own.',
  },
  onceRetryMs: {
    kind: 'ms',
    default: 15_000,
    min: 0,
    max: 60_000,
    doc: 'How long a publishOnce without a reply is repeated before it fails as uncertain.',
  },
} as const satisfies OptionTable;

export interface EventStreamOptions extends OptionInput<typeof eventStreamOptions> {
  /** Limits of a stream that is made by this. One that is there must have the same. */
  readonly retention?: RetentionInput | undefined;
}

export interface PublishOptions {
  readonly topic?: string | undefined;
  readonly headers?: Headers | undefined;
  /** Fail instead of making the stream anew when it went with the data of Redis. */
  readonly ifExists?: boolean | undefined;
}

export interface NewEvent extends PublishOptions {
  readonly name: string;
  readonly payload: Bytes;
}

export interface EventStreamEvents {
  /** The stream had gone with the data of Redis and was made anew by a publish. */
  recreated: { generation: string };
  /** To make room for an event of this publisher, events were removed that a sink had not acknowledged. */
  dataLoss: { sink: string; count: number };
}

/** How long a publish waits for a connection that is being opened again, before it fails as not sent. */
const CONNECT_WAIT_MS = 2000;
/** Events in flight of one publishMany, and bytes: enough to fill the socket, without copying a large list at once. */
const MANY_COUNT = 1000;
const MANY_BYTES = 8 * 1_048_576;
/** What settings are that nobody made, in the order of the scripts. */
const UNSET = ['0', '0', '0', '0', 'absolute', 'reject'];

export class EventStream {
  readonly name: string;
  readonly events = new Emitter<EventStreamEvents>();
  readonly #link: RedisLink;
  readonly #keys: ReturnType<RedisLink['keys']['stream']>;
  readonly #options: OptionValues<typeof eventStreamOptions>;
  readonly #limited: LimitedPublisher;

  private constructor(link: RedisLink, name: string, options: OptionInput<typeof eventStreamOptions>) {
    this.#link = link;
    this.name = name;
    this.#keys = link.keys.stream(name);
    this.#options = resolveOptions('EventStream', eventStreamOptions, options);
    const { onceWindowMs: windowMs, maxOnceIds: maxIds, onceRetryMs: retryMs } = this.#options;
    this.#limited = new LimitedPublisher(
      link,
      name,
      { windowMs, maxIds, retryMs },
      {
        missing: async () => {
          await this.#makeAnew().catch(notSent);
        },
        connected: () => this.#connected(),
        lost: (sink, count) => this.events.emit('dataLoss', { sink, count }),
      },
    );
  }

  /**
   * Makes the stream if needed.
   * @throws NotFoundError with `create: false`; ConflictError `CONFIG_MISMATCH` when the stream is there and keeps other
   *   events than `retention` says, `PARTITIONED` when it has partitions; ArgumentError, OptionError, WrongTypeError, RedisUnavailableError.
   */
  static async open(link: RedisLink, name: string, options: EventStreamOptions = {}): Promise<EventStream> {
    const { retention, ...rest } = options;
    const stream = new EventStream(link, name, rest);
    const { generation, settings } = await openStream(link, name, retention ?? {}, stream.#options.create);
    stream.#limited.adopt(generation, settings);
    if (retention) checkAgreement(name, encodeRetention(retention), settings);
    return stream;
  }

  /** What is kept of it, as last seen; undefined without limits. */
  get retention(): Retention | undefined {
    return this.#limited.retention;
  }

  /**
   * Adds an event.
   * @returns its id.
   * @throws TooLargeError, ArgumentError: nothing was sent. UncertainPublishError: the event may be there or not.
   *   NotFoundError: the stream was removed. RedisUnavailableError: not sent. OutOfMemoryError, WrongTypeError.
   *   FullError `RETENTION_BLOCKED`: the stream is full of events that a sink has not acknowledged.
   */
  publish(name: string, payload: Bytes, options: PublishOptions = {}): Promise<string> {
    const { tracer } = this.#link;
    if (!tracer) return this.#publish(name, payload, options);
    return tracer.around(
      () => publishSpan(this.name, name, payload, options.headers),
      span => this.#publish(name, payload, { ...options, headers: tracedHeaders(options.headers, span) }),
      published,
    );
  }

  async #publish(name: string, payload: Bytes, options: PublishOptions): Promise<string> {
    const operands: (string | Uint8Array)[] = [this.#keys.events, 'NOMKSTREAM', '*'];
    encodeEvent(operands, name, payload, options.topic, options.headers, this.#options.maxPayloadBytes);
    const { commands } = this.#link;
    if (!commands.ready) await this.#connected();
    const limited = this.#limited;
    if (limited.stale) limited.look();
    if (limited.active) return (await this.#publishLimited(operands.slice(3), options.ifExists ?? false)).id;
    let id: Buffer | null;
    try {
      id = (await commands.callWith('XADD', operands)) as Buffer | null;
    } catch (error) {
      throw this.#uncertain(error);
    }
    return id === null ? this.#publishAnew(operands.slice(3), options.ifExists ?? false) : id.toString('latin1');
  }

  /**
   * Adds an event under an id of the caller, once: with the same id and the same event again, also from another process,
   * nothing is added and what is returned is the first one. Trace headers may differ. Sent again when its reply was
   * lost. An id is remembered for `onceWindowMs`, and no longer than the stream.
   * @throws ConflictError: another event has this id. FullError `IDEM_FULL`: too many ids; none is forgotten early.
   *   Else as `publish`, UncertainPublishError only after `onceRetryMs`; the same may then be sent again.
   */
  publishOnce(id: string, name: string, payload: Bytes, options: PublishOptions = {}): Promise<PublishedOnce> {
    const { tracer } = this.#link;
    if (!tracer) return this.#publishOnce(id, name, payload, options);
    return tracer.around(
      () => publishSpan(this.name, name, payload, options.headers),
      span => this.#publishOnce(id, name, payload, { ...options, headers: tracedHeaders(options.headers, span) }),
      outcome => published('value' in outcome ? { value: outcome.value.id } : outcome),
    );
  }

  async #publishOnce(id: string, name: string, payload: Bytes, options: PublishOptions): Promise<PublishedOnce> {
    const { topic, headers, ifExists } = options;
    const fields: (string | Uint8Array)[] = [];
    encodeEvent(fields, name, payload, topic, headers, this.#options.maxPayloadBytes);
    const once = onceKey(id, name, payload, topic, headers);
    if (!this.#link.commands.ready) await this.#connected();
    return this.#publishLimited(fields, ifExists ?? false, once);
  }

  /**
   * Adds events in their order, many in flight. Every event is tried; none is sent twice.
   * @returns their ids.
   * @throws UncertainPublishError, which says which are there, which may be and which are not, when any has no answer;
   *   else the first error.
   */
  async publishMany(events: Iterable<NewEvent>): Promise<string[]> {
    const ids: string[] = [];
    const failures: { position: number; error: unknown }[] = [];
    let batch: Promise<void>[] = [];
    let bytes = 0;
    let at = 0;
    for (const { name, payload, ...options } of events) {
      const position = at++;
      batch.push(
        this.publish(name, payload, options).then(
          id => {
            ids[position] = id;
          },
          error => {
            failures.push({ position, error });
          },
        ),
      );
      bytes += byteLength(payload);
      if (batch.length < MANY_COUNT && bytes < MANY_BYTES) continue;
      await Promise.all(batch);
      batch = [];
      bytes = 0;
    }
    await Promise.all(batch);
    const [first] = failures;
    if (first === undefined) return ids;
    const uncertain = failures.filter(({ error }) => error instanceof UncertainPublishError);
    const [unanswered] = uncertain;
    if (unanswered === undefined) throw first.error;
    throw new UncertainPublishError(this.name, {
      cause: (unanswered.error as Error).cause,
      hint: `${at - failures.length} of ${at} events are known to be in the stream, ${uncertain.length} may be.`,
      ids: Array.from({ length: at }, (_, position) => ids[position]),
      uncertain: uncertain.map(({ position }) => position).sort((a, b) => a - b),
    });
  }

  /**
   * Removes old events: all but the newest `maxLength`, or those before `beforeId`. What a sink had not acknowledged is
   * counted as lost to it.
   * @returns how many were removed.
   * @throws NotFoundError, ArgumentError, WrongTypeError, RedisUnavailableError
   */
  async trim(limit: TrimLimit): Promise<number> {
    return (await trimStream(this.#link, this.name, limit)).removedCount;
  }

  /** Changes what is kept of it; see `setRetention`. */
  async setRetention(changes: RetentionInput): Promise<RetentionChange> {
    const change = await setRetention(this.#link, this.name, changes);
    this.#limited.look();
    return change;
  }

  /** Removes the stream, its sinks and their dead letters. Who publishes or reads learns that it was on purpose. */
  remove(): Promise<void> {
    return removeStream(this.#link, this.name);
  }

  async #publishLimited(fields: Argument[], ifExists: boolean, once?: OnceKey): Promise<PublishedOnce> {
    if (ifExists && (await this.#link.commands.call('EXISTS', this.#keys.events)) === 0) {
      throw new NotFoundError('stream', this.name);
    }
    try {
      return await this.#limited.publish(fields, once);
    } catch (error) {
      throw this.#uncertain(error);
    }
  }

  async #publishAnew(fields: Argument[], ifExists: boolean): Promise<string> {
    if (ifExists) throw new NotFoundError('stream', this.name);
    try {
      return await this.#makeAnew(fields);
    } catch (error) {
      throw this.#uncertain(error);
    }
  }

  /** Without fields no event is added. */
  async #makeAnew(fields: Argument[] = []): Promise<string> {
    const generation = newId();
    const { events, meta } = this.#keys;
    const [max_length, max_bytes, max_age_ms, ttl_ms, ttl_mode, on_full] = this.#limited.settings as SixTexts;
    const settings = { max_length, max_bytes, max_age_ms, ttl_ms, ttl_mode, on_full };
    const reply = await this.#link.commands.run(publishScript, { events, meta }, { generation, ...settings, fields });
    if (reply.status === 'REMOVED') throw new NotFoundError('stream', this.name, { hint: 'It was removed.' });
    if (reply.generation === generation) {
      // The event is in: that listing it may take until the next open must not make the publish fail.
      await this.#link.registry.add('streams', this.name).catch(() => {});
      this.events.emit('recreated', { generation });
    }
    return reply.id;
  }

  /** While offline the client would keep the command and send it later, when its caller has long been told of a failure. */
  async #connected(): Promise<void> {
    const { commands, clock, address } = this.#link;
    const stop = new AbortController();
    await within(clock, CONNECT_WAIT_MS, commands.whenReady(stop.signal), () => stop.abort());
    if (!commands.ready) throw new RedisUnavailableError(`Redis at ${address} does not answer: the event was not sent`);
  }

  #uncertain(error: unknown): unknown {
    if (!(error instanceof RedisUnavailableError) || !error.uncertain) return error;
    return new UncertainPublishError(this.name, { cause: error });
  }
}

/** Of a failure before any event was sent. */
function notSent(error: unknown): never {
  if (error instanceof RedisUnavailableError) throw new RedisUnavailableError(error.message, { cause: error });
  throw error;
}

type SixTexts = [string, string, string, string, string, string];

/** What is given must be as it is; a limit of 0 is one that is not there. */
function checkAgreement(name: string, given: readonly string[], found: readonly unknown[]): void {
  const differs = given.some((text, index) => text !== '' && text !== String(found[index] ?? UNSET[index]));
  if (!differs) return;
  throw new ConflictError(`stream "${name}" has other limits`, {
    code: 'CONFIG_MISMATCH',
    hint: 'All producers share the limits of a stream. setRetention, or "ponos stream set", changes them.',
  });
}
