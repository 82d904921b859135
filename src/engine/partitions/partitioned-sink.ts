/**
 * A sink of a partitioned stream, shared by the processes that open it: each partition has one consumer at a time.
 *
 * The partitions are jobs of a pool, the processes its workers: so a partition belongs to one process under its lease, moves
 * when processes come and go, and begins elsewhere only after it has stopped here. While it is ours an ordinary sink, whose
 * only consumer we are, reads it (`owned-partition.ts`). Events of one key are handled one at a time and in order, also from
 * one process to the next: whoever gets a partition takes first what its predecessor left, and Redis gives nothing to a
 * predecessor that does not know yet. At least once, as every sink: what a dead process had begun is delivered again.
 *
 * Who loses its lease (stopped, cut off) stops by itself before others begin: no handler is started any more, and the
 * signals of those at work abort. One that ignores its signal for longer than the lease leaves time for may overlap.
 */

import { within } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ArgumentError, ClosedError, ExistsError, LeaseLostError } from '../core/errors.ts';
import { resolveOptions } from '../core/options.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { Job, ServiceHandler, StopReason, WorkerLease } from '../pool/handler.ts';
import { PoolNode } from '../pool/node.ts';
import type { PoolNodeOptions } from '../pool/options.ts';
import type { RedisLink } from '../redis/link.ts';
import { partitionCount, partitionName } from '../streams/partitioned.ts';
import { startText } from '../streams/sink.ts';
import type { SinkEvents, SinkStats } from '../streams/sink-events.ts';
import { type SinkOptions, sinkOptions } from '../streams/sink-options.ts';
import { TopicFilter } from '../streams/topic.ts';
import { describePartitions, restorePartitions, wasRemoved } from './description.ts';
import { partitionNames, partitionPool } from './names.ts';
import { OwnedPartition, type PartitionHandler } from './owned-partition.ts';
import { isSinkThere, removeSinkPool } from './sink-pool.ts';

export interface PartitionedSinkOptions
  extends Omit<SinkOptions, 'streams' | 'laneBy' | 'owner' | 'noAck' | 'claimIdleMs'> {
  /** The partitioned stream. */
  readonly stream: string;
  /** Makes the stream with so many partitions; one that exists must have as many. Left out, it must exist. */
  readonly partitions?: number | undefined;
  /** Of the pool that shares out the partitions: terms of the lease, and others. */
  readonly pool?: Omit<PoolNodeOptions, 'shards' | 'create'> | undefined;
}

type OwnedOptions = Omit<PartitionedSinkOptions, 'stream' | 'partitions' | 'pool'>;

/** Those of the sinks of its partitions, and: */
export interface PartitionedSinkEvents extends Omit<SinkEvents, 'moved' | 'removed'> {
  /** The partition, or this sink of it, was removed on purpose; it is not taken up again. */
  removed: { stream: string; partition: number };
  /** This process has the partition now. */
  acquired: { stream: string; partition: number; token: number };
  /** It has it no more, and no handler of it is at work. */
  released: { stream: string; partition: number; token: number; reason: StopReason };
  /** The lease is over: every handler was told to stop. */
  fenced: { partitions: number };
}

const { noAck: _noAck, claimIdleMs: _claimIdleMs, ...partitionedSinkOptions } = sinkOptions;

export { partitionedSinkOptions };

const FORWARDED = ['failed', 'deadLetter', 'lost', 'dataLoss', 'disconnected', 'error'] as const;
/** Between two looks whether every partition has its job. */
const LOOK_MS = 5000;
/** What the pool is given beyond the time that sinks take to close. */
const LEAVE_MS = 2000;
/** Longest that closing takes for what is left in Redis. */
const CLEAR_LIMIT_MS = 1000;
/** A partition never ends by itself: it is tried again for ever, and soon. */
const JOB = { attempts: 0, backoffMs: 100, backoffMaxMs: 5000 } as const;

export class PartitionedSink {
  readonly name: string;
  readonly stream: string;
  /** Number of partitions of the stream. */
  readonly partitions: number;
  readonly events = new Emitter<PartitionedSinkEvents>();
  readonly #link: RedisLink;
  readonly #node: PoolNode;
  readonly #options: OwnedOptions;
  readonly #handler: PartitionHandler;
  readonly #owned = new Map<string, OwnedPartition>();
  /** Sinks that are closing after the lease was lost. */
  readonly #closingSinks = new Set<Promise<void>>();
  readonly #look: PeriodicTask;
  #removed = false;
  #closing: Promise<void> | undefined;

  private constructor(
    link: RedisLink,
    name: string,
    { stream, options }: { stream: string; options: OwnedOptions },
    partitions: number,
    node: PoolNode,
    handler: PartitionHandler,
  ) {
    this.#link = link;
    this.name = name;
    this.stream = stream;
    this.partitions = partitions;
    this.#options = options;
    this.#node = node;
    this.#handler = handler;
    const onError = (error: unknown) => this.events.emit('error', { stream: undefined, error });
    this.#look = new PeriodicTask(link.clock, { intervalMs: LOOK_MS, jitter: 0.2 }, () => this.#dispatch(), onError);
    node.events.on('stateLost', () => this.#look.poke());
    node.events.on('error', onError);
  }

  /**
   * Joins the sink and takes its share of the partitions. `handler` gets one event: returning acknowledges it, throwing
   * refuses it, and the later ones of its key wait.
   * @throws NotFoundError; ConflictError PARTITIONS_MISMATCH, LEASE_MISMATCH; ExistsError when the stream is an ordinary
   *   one; UnsafeServerError UNSAFE_EVICTION_POLICY; ArgumentError, OptionError, WrongTypeError, RedisUnavailableError.
   */
  static async open(
    link: RedisLink,
    name: string,
    options: PartitionedSinkOptions,
    handler: PartitionHandler,
  ): Promise<PartitionedSink> {
    const { stream, partitions, pool: poolOptions, ...rest } = options;
    if (typeof handler !== 'function') throw new ArgumentError('a sink needs a handler');
    checkOptions(rest);
    const pool = partitionPool(stream, name);
    const { count } = await describePartitions(link, stream, partitions);
    const closeTimeoutMs = (rest.closeTimeoutMs ?? sinkOptions.closeTimeoutMs.default) + LEAVE_MS;
    // However many of them, they leave together.
    const node = await PoolNode.join(link, pool, { closeTimeoutMs, maxMoves: count, ...poolOptions, shards: 1 });
    try {
      const sink = new PartitionedSink(link, name, { stream, options: rest }, count, node, handler);
      await sink.#begin();
      return sink;
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  /** Indexes of the partitions that this process has. */
  get owned(): number[] {
    return [...this.#owned.values()].map(({ partition }) => partition).sort((a, b) => a - b);
  }

  /** Of the partitions that this process has, each since it got it; inspection reads those of the whole sink. */
  get stats(): ReadonlyMap<number, SinkStats> {
    return new Map([...this.#owned.values()].map(({ partition, stats }) => [partition, stats]));
  }

  /**
   * Leaves the sink: reads nothing more, waits for running handlers up to `closeTimeoutMs`, and gives the partitions to other
   * processes. Legal more than once.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #begin(): Promise<void> {
    const worker = await this.#node.addWorker({ handler: this.#jobs() });
    worker.events.on('fenced', ({ jobCount }) => this.events.emit('fenced', { partitions: jobCount }));
    worker.events.on('failed', ({ key, error }) => this.events.emit('error', { stream: key, error }));
    worker.events.on('handlerError', ({ key, error }) => this.events.emit('error', { stream: key, error }));
    await this.#dispatch();
    this.#look.start();
  }

  async #close(): Promise<void> {
    await this.#look.stop();
    await this.#node.close();
    await Promise.all(this.#closingSinks);
    const clearing = this.#clear().catch(error => this.events.emit('error', { stream: undefined, error }));
    await within(this.#link.clock, CLEAR_LIMIT_MS, clearing, () => {});
  }

  /** The last process of a sink that was removed, or whose stream was, removes the pool too. */
  async #clear(): Promise<void> {
    const stands = (await partitionCount(this.#link, this.stream)) !== undefined;
    if (stands && !this.#removed) return;
    if (stands && (await isSinkThere(this.#link, this.stream, this.partitions, this.name))) return;
    await removeSinkPool(this.#link, this.stream, this.name, { timeoutMs: 0 });
  }

  /** Sees to it that every partition has a job: the first who comes does it, and whoever finds that one is gone. */
  async #dispatch(): Promise<void> {
    if (this.#removed) return;
    await Promise.all(
      partitionNames(this.stream, this.partitions).map(async key => {
        if ((await this.#node.where(key)).recorded) return;
        await this.#node.dispatch(key, '', JOB).catch((error: unknown) => {
          if (!(error instanceof ExistsError || error instanceof ClosedError)) throw error;
        });
      }),
    );
  }

  #jobs(): ServiceHandler {
    let unsubscribe = () => {};
    return {
      attach: (lease: WorkerLease) => {
        // A job that is just being given up in good order hears of it no other way.
        unsubscribe = lease.onLost(() => {
          const reason = new LeaseLostError(`the lease on partitions of stream "${this.stream}" is over`);
          for (const owned of this.#owned.values()) owned.halt(reason);
        });
      },
      detach: () => unsubscribe(),
      start: job => this.#take(job),
      stop: (job, reason) => this.#give(job, reason),
    };
  }

  async #take(job: Job): Promise<void> {
    const partition = Number(job.key.slice(job.key.lastIndexOf('.') + 1));
    // Of a stream of that name which was removed, and had more of them.
    if (!(partition < this.partitions) || job.key !== partitionName(this.stream, partition)) return job.complete();
    // On its way from one process to the other, or given out again by one that was not told.
    if (await wasRemoved(this.#link, this.stream, job.key)) {
      this.#removed = true;
      this.events.emit('removed', { stream: job.key, partition });
      return job.complete();
    }
    const setup = {
      link: this.#link,
      sink: this.name,
      stream: job.key,
      partition,
      options: this.#options,
      handler: this.#handler,
      // It comes back under a later token, here or elsewhere.
      superseded: (owned: OwnedPartition, token: string) =>
        this.#drop(owned, () =>
          job.fail(new LeaseLostError(`partition "${job.key}" has an owner with token ${token}`)),
        ),
    };
    const owned = await OwnedPartition.open(setup, job);
    this.#owned.set(job.key, owned);
    for (const name of FORWARDED) owned.events.on(name, event => this.events.emit(name, event as never));
    owned.events.on('dataLoss', () => this.#restore());
    owned.events.on('removed', ({ stream }) => {
      this.#removed = true;
      this.#drop(owned, () => job.complete());
      this.events.emit('removed', { stream, partition });
    });
    this.events.emit('acquired', { stream: job.key, partition, token: job.token });
  }

  async #give(job: Job, reason: StopReason): Promise<void> {
    const owned = this.#owned.get(job.key);
    if (!owned) return;
    if (reason === 'fenced' || reason === 'lost') {
      owned.halt(job.signal.reason);
      // Nobody waits for what is left: it is the next owner's already, or will be.
      this.#track(owned.close());
    } else await owned.close();
    await owned.idle();
    this.#owned.delete(job.key);
    const { stream, partition } = owned;
    this.events.emit('released', { stream, partition, token: job.token, reason });
  }

  /** Ends a partition that nobody told us to give up; `tell` says so to the pool. */
  #drop(owned: OwnedPartition, tell: () => void): void {
    if (this.#owned.get(owned.job.key) !== owned) return;
    this.#owned.delete(owned.job.key);
    owned.halt(new LeaseLostError(`partition "${owned.stream}" is not this process's any more`));
    this.#track(owned.close());
    this.#track(owned.idle().then(tell));
  }

  #track(closing: Promise<void>): void {
    const tracked = closing
      .catch(error => this.events.emit('error', { stream: undefined, error }))
      .finally(() => this.#closingSinks.delete(tracked));
    this.#closingSinks.add(tracked);
  }

  /** Redis lost a partition, and maybe what it knows of them all. */
  #restore(): void {
    restorePartitions(this.#link, this.stream, this.partitions).catch(error =>
      this.events.emit('error', { stream: undefined, error }),
    );
  }
}

/** Before anything is joined: what a sink refuses would otherwise be found by each job. */
function checkOptions({ topic, from = 'oldest', ...rest }: OwnedOptions): void {
  resolveOptions('PartitionedSink', partitionedSinkOptions, rest);
  if (topic !== undefined) new TopicFilter(topic);
  startText(from);
}
