/**
 * A partition in the hands of this process: a sink with this consumer alone, for as long as the job of the partition is
 * ours. It has ended when no handler of it is at work any more, whatever time that takes: only then may another begin.
 */
import type { Job } from '../pool/handler.ts';
import type { RedisLink } from '../redis/link.ts';
import type { SinkEvent } from '../streams/delivery.ts';
import { Gate } from '../streams/gate.ts';
import { Sink } from '../streams/sink.ts';
import type { SinkStats } from '../streams/sink-events.ts';
import type { SinkOptions } from '../streams/sink-options.ts';
import { KEY_HEADER } from './names.ts';

/** What a handler is told beside the event. */
export interface PartitionContext {
  /** Key of the event; undefined when it was not published with one. */
  readonly key: string | undefined;
  /** Index of the partition. */
  readonly partition: number;
  /** Grows with every owner of the partition: a resource that remembers the highest can refuse an older one. */
  readonly token: number;
  /**
   * To be called before a side effect; answers from the local clock, without I/O.
   * @throws LeaseLostError when the partition is not this process's any more.
   */
  assertOwned(): void;
}

export type PartitionHandler = (event: SinkEvent, context: PartitionContext) => Promise<void> | void;

export interface PartitionSetup {
  readonly link: RedisLink;
  readonly sink: string;
  readonly stream: string;
  readonly partition: number;
  readonly options: Omit<SinkOptions, 'streams' | 'laneBy' | 'owner'>;
  readonly handler: PartitionHandler;
  /** Redis knows a later owner. */
  superseded(owned: OwnedPartition, token: string): void;
}

export class OwnedPartition {
  readonly partition: number;
  readonly stream: string;
  readonly job: Job;
  readonly #handler: PartitionHandler;
  readonly #idle = new Gate();
  #atWork = 0;
  #sink!: Sink;

  private constructor({ partition, stream, handler }: PartitionSetup, job: Job) {
    this.partition = partition;
    this.stream = stream;
    this.job = job;
    this.#handler = handler;
  }

  /** @throws as `Sink.open`. */
  static async open(setup: PartitionSetup, job: Job): Promise<OwnedPartition> {
    const owned = new OwnedPartition(setup, job);
    const { link, sink, stream, options } = setup;
    const owner = {
      token: job.token,
      get owned() {
        return isOwned(job);
      },
      superseded: (token: string) => setup.superseded(owned, token),
    };
    const laneBy = ({ headers }: Pick<SinkEvent, 'headers'>) => headers.get(KEY_HEADER) ?? '';
    owned.#sink = await Sink.open(link, sink, { ...options, streams: [stream], laneBy, owner }, event =>
      owned.#handle(event),
    );
    return owned;
  }

  get events(): Sink['events'] {
    return this.#sink.events;
  }

  get stats(): SinkStats {
    return this.#sink.stats;
  }

  /** The right to it is over: tells the handlers at work. */
  halt(reason: unknown): void {
    this.#sink.halt(reason);
  }

  /** Hands back what is left. */
  close(): Promise<void> {
    return this.#sink.close();
  }

  /** Resolves when no handler is at work. */
  async idle(): Promise<void> {
    while (this.#atWork > 0) await this.#idle.wait();
  }

  async #handle(event: SinkEvent): Promise<void> {
    const { job, partition } = this;
    const { token } = job;
    this.#atWork++;
    try {
      await this.#handler(event, {
        key: event.headers.get(KEY_HEADER),
        partition,
        token,
        assertOwned: () => job.assertOwned(),
      });
    } finally {
      this.#atWork--;
      this.#idle.open();
    }
  }
}

function isOwned(job: Job): boolean {
  try {
    job.assertOwned();
    return true;
  } catch {
    return false;
  }
}
