/**
 * A worker: in each shard of its pool it is a member with a lease of its own, and runs the jobs recorded to it there. A shard
 * that is cut off from it costs the jobs of that shard and no others.
 */
import { Emitter } from '../core/emitter.ts';
import { openAll } from '../core/open-all.ts';
import type { LeaseLine } from './lease-line.ts';
import type { ShardView } from './shard-view.ts';
import { ShardWorker, type ShardWorkerSetup, type WorkerState } from './shard-worker.ts';
import { SHARD_EVENTS, type WorkerEvents } from './worker-events.ts';

export interface WorkerSetup extends Omit<ShardWorkerSetup, 'shard' | 'membership' | 'leaseLine' | 'events'> {
  shards: readonly ShardView[];
  /** Of each shard. */
  leaseLines: readonly LeaseLine[];
  /** Called with the worker's events before it registers. */
  listen(events: Emitter<WorkerEvents>): void;
}

/** What the worker is, when its shards do not agree: the first of these. */
const WORST_FIRST: readonly WorkerState[] = ['opening', 'fenced', 'leaving', 'member', 'left'];

export class Worker {
  readonly id: string;
  readonly group: string;
  readonly events = new Emitter<WorkerEvents>();
  /** One for each shard; none before all have registered. */
  #parts: readonly ShardWorker[] = [];
  #draining = false;
  #left = false;

  private constructor({ id, info }: WorkerSetup) {
    this.id = id;
    this.group = info.group;
  }

  /** Registers in every shard and begins to take jobs. */
  static async open(setup: WorkerSetup): Promise<Worker> {
    const worker = new Worker(setup);
    setup.listen(worker.events);
    await worker.#open(setup);
    return worker;
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
    return WORST_FIRST.find(state => this.#parts.some(part => part.state === state)) ?? 'opening';
  }

  /** Looks at the shard of that index now instead of at the next turn. */
  poke(shard: number): void {
    this.#parts[shard]?.poke();
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

  async #open({ shards, leaseLines, ...setup }: WorkerSetup): Promise<void> {
    const opening = shards.map(({ shard, membership }, at) =>
      ShardWorker.open({
        ...setup,
        shard,
        membership,
        leaseLine: leaseLines[at] as LeaseLine,
        events: this.#partEvents(),
      }),
    );
    this.#parts = await openAll(opening, part => part.close());
    if (this.#draining) this.#drainAll();
  }

  /** Nothing that a part tells is lost, also not before the others have registered. */
  #partEvents(): Emitter<WorkerEvents> {
    const events = new Emitter<WorkerEvents>();
    for (const name of SHARD_EVENTS) events.on(name, event => this.events.emit(name, event as never));
    // Told in one shard, it leaves all; those that are opening do it when they are open.
    events.on('draining', () => {
      if (this.#draining) return;
      this.#draining = true;
      if (this.#parts.length > 0) this.#drainAll();
    });
    events.on('left', () => this.#tellLeft());
    return events;
  }

  #drainAll(): void {
    this.events.emit('draining', undefined);
    // The part that tells it has not quite begun.
    queueMicrotask(() =>
      this.drain()
        .then(() => this.#tellLeft())
        .catch(error => this.events.emit('error', error)),
    );
  }

  #tellLeft(): void {
    if (this.#left || this.state !== 'left') return;
    this.#left = true;
    this.events.emit('left', undefined);
  }
}
