/**
 * Publishes to a stream with limits: by a script, because room must be made and the event added in one step. One script at a
 * time; what is published meanwhile goes out together in the next one, so the order is kept and many cost little more
 * than one.
 *
 * It also knows whether a stream has limits. That is looked up when publishing begins after a pause, and then again at
 * most once in `FOLLOW_MS`: a producer obeys a change so long after it and a round trip. What it adds before then is
 * counted by the next script like everything else.
 */
import { FullError, TooLargeError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument } from '../redis/script.ts';
import {
  addLost,
  decodeRetention,
  encodeRetention,
  RETENTION_STEP,
  type Retention,
  readRetention,
} from './retention.ts';
import { publishLimitedScript } from './scripts.gen.ts';

const FOLLOW_MS = 1000;
/** They bound the time one script holds Redis. */
const BATCH_COUNT = 100;
const BATCH_BYTES = 1_048_576;

interface Waiting {
  readonly fields: readonly Argument[];
  readonly sizeBytes: number;
  resolve(id: string): void;
  reject(error: unknown): void;
}

export interface LimitedPublisherHost {
  /** The key is missing: somebody else's business. */
  missing(fields: readonly Argument[]): Promise<string>;
  /** The connection is there, or this rejects. */
  connected(): Promise<void>;
  lost(sink: string, count: number): void;
}

export class LimitedPublisher {
  readonly #link: RedisLink;
  readonly #stream: string;
  readonly #keys: ReturnType<RedisLink['keys']['stream']>;
  readonly #host: LimitedPublisherHost;
  #retention: Retention | undefined;
  #queue: Waiting[] = [];
  #draining = false;
  /** The stream has limits, as far as is known: publish here. */
  active = false;
  /** What is known is old: look. */
  stale = true;

  constructor(link: RedisLink, stream: string, host: LimitedPublisherHost) {
    this.#link = link;
    this.#stream = stream;
    this.#keys = link.keys.stream(stream);
    this.#host = host;
  }

  /** As last seen. */
  get retention(): Retention | undefined {
    return this.#retention;
  }

  /** What a stream that is made anew is to get, for the scripts. */
  get settings(): string[] {
    return encodeRetention(this.#retention ?? {});
  }

  /** `settings` as a script told them. */
  adopt(settings: readonly unknown[]): void {
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

  publish(fields: readonly Argument[]): Promise<string> {
    let sizeBytes = 0;
    for (let at = 1; at < fields.length; at += 2) sizeBytes += Buffer.byteLength(fields[at] as string);
    return new Promise((resolve, reject) => {
      this.#queue.push({ fields, sizeBytes, resolve, reject });
      if (this.#draining) return;
      this.#draining = true;
      process.nextTick(() => this.#drain());
    });
  }

  /** Never rejects: each event is told of its own. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#take();
      try {
        if (!this.#link.commands.ready) await this.#host.connected();
        const settled = await this.#send(batch);
        this.#queue = batch.slice(settled).concat(this.#queue);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#draining = false;
    this.active = this.#retention !== undefined;
  }

  #take(): Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { sizeBytes } of this.#queue) {
      if (count === BATCH_COUNT || (count > 0 && bytes + sizeBytes > BATCH_BYTES)) break;
      count++;
      bytes += sizeBytes;
    }
    return this.#queue.splice(0, count);
  }

  /** @returns how many of the batch are settled; the rest is to be sent again. */
  async #send(batch: readonly Waiting[]): Promise<number> {
    const { events, meta, sinks, consumersPrefix, deadPrefix } = this.#keys;
    const reply = await this.#link.commands.run(
      publishLimitedScript,
      { events, meta, sinks },
      {
        consumers_prefix: consumersPrefix,
        dead_prefix: deadPrefix,
        step: RETENTION_STEP,
        batch: batch.flatMap(({ fields }) => [fields.length, ...fields]),
      },
    );
    if (reply.status === 'MISSING') {
      // The first makes the stream anew, or learns that it may not; the others come after it.
      const [{ fields, resolve, reject }] = batch as [Waiting];
      await this.#host.missing(fields).then(resolve, reject);
      return 1;
    }
    this.#retention = decodeRetention(reply.settings);
    const lost = new Map<string, number>();
    addLost(lost, reply.lost);
    for (const [sink, count] of lost) this.#host.lost(sink, count);
    reply.results.forEach((result, index) => {
      const { resolve, reject, sizeBytes } = batch[index] as Waiting;
      const text = String(result);
      if (text === 'blocked') reject(this.#blocked(reply.holder));
      else if (text === 'large') reject(new TooLargeError('PAYLOAD', sizeBytes, this.#retention?.maxBytes ?? 0));
      else resolve(text);
    });
    return reply.results.length;
  }

  #blocked(holder: string): FullError {
    const hint =
      holder === ''
        ? 'Raise its limits.'
        : `Sink "${holder}" has not acknowledged the oldest events. Raise the limits, or let the oldest go: dropOldest.`;
    return new FullError('RETENTION_BLOCKED', `stream "${this.#stream}" is full`, { hint });
  }
}
