/**
 * A worker: in each shard of its pool it is a member with a lease of its own, and runs the jobs recorded to it there. A shard
 * that is cut off from it costs the jobs of that shard and no others.
 */
import { Emitter } from '../core/emitter.ts';
import type { Connection } from '../redis/connection.ts';
import type { ShardView } from './shard-view.ts';
import { ShardWorker, type ShardWorkerSetup, type WorkerState } from './shard-worker.ts';
import type { WorkerEvents } from './worker-events.ts';

export interface WorkerSetup extends Omit<ShardWorkerSetup, 'shard' | 'membership' | 'leaseConnection'> {
  shards: readonly ShardView[];
  /** Of each shard. */
  leaseConnections: readonly Connection[];
}

/** Told by each shard; the other events concern the worker as a whole and are told once. */
const PER_SHARD: readonly Exclude<keyof WorkerEvents, 'draining' | 'left'>[] = [
  'registered',
  'started',
  'completed',
  'stopped',
  'moved',
  'failed',
  'fenced',
  'zombies',
  'lagging',
  'handlerError',
  'error',
];
/** What the worker is, when its shards do not agree: the first of these. */
const WORST_FIRST: readonly WorkerState[] = ['opening', 'fenced', 'leaving', 'member', 'left'];

export class Worker {
  readonly id: string;
  readonly group: string;
  readonly events = new Emitter<WorkerEvents>();
  readonly #parts: readonly ShardWorker[];
  #draining = false;

  private constructor(parts: readonly ShardWorker[], { id, group }: { id: string; group: string }) {
    this.id = id;
    this.group = group;
    this.#parts = parts;
    for (const part of parts) {
      for (const name of PER_SHARD) part.events.on(name, event => this.events.emit(name, event as never));
      // Told in one shard, it leaves all.
      part.events.on('draining', () => this.#drainAll());
      part.events.on('left', () => {
        if (this.state === 'left') this.events.emit('left', undefined);
      });
    }
  }

  /** Registers in every shard and begins to take jobs. */
  static async open(setup: WorkerSetup): Promise<Worker> {
    const { shards, leaseConnections, ...rest } = setup;
    const opened = await Promise.allSettled(
      shards.map(({ shard, membership }, at) =>
        ShardWorker.open({ ...rest, shard, membership, leaseConnection: leaseConnections[at] as Connection }),
      ),
    );
    const parts = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    const failure = opened.find(result => result.status === 'rejected');
    if (failure) {
      await Promise.all(parts.map(part => part.close()));
      throw failure.reason;
    }
    return new Worker(parts, { id: setup.id, group: setup.info.group });
  }

  /** Counts up after every fence; the highest of any shard. */
  get incarnation(): number {
    return Math.max(...this.#parts.map(part => part.incarnation));
  }

  /** Jobs in its hands, those that are ending included. */
  get jobCount(): number {
    return this.#parts.reduce((sum, part) => sum + part.jobCount, 0);
  }

  get state(): WorkerState {
    return WORST_FIRST.find(state => this.#parts.some(part => part.state === state)) ?? 'left';
  }

  /** Looks at Redis now instead of at the next turn. */
  poke(): void {
    for (const part of this.#parts) part.poke();
  }

  /**
   * Leaves in good order: tells everybody first, then gives up every job, at most `maxMoves` at once, then ends the
   * membership. Tasks may finish for `drainTimeoutMs`. Legal more than once.
   */
  async drain(): Promise<void> {
    await Promise.all(this.#parts.map(part => part.drain()));
  }

  /** As a drain, but tasks are stopped at once. Bounded; what does not stop in time is left to the end of the lease. */
  async close(): Promise<void> {
    await Promise.all(this.#parts.map(part => part.close()));
  }

  #drainAll(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.events.emit('draining', undefined);
    // The part that tells it has not quite begun.
    queueMicrotask(() => this.drain().catch(error => this.events.emit('error', error)));
  }
}
