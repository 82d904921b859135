/**
 * A worker in one shard of a pool: a lease, and the jobs recorded to it there. It runs what Redis says it owns, and only
 * while its lease stands.
 *
 * A hint starts a job without another read, because only this worker, or the reaper after its lease, can end an
 * assignment. Hints may be lost: each second, and whenever something is heard, it compares what runs here with what
 * Redis says. At the end of its lease it stops everything, before others may take over, then registers again as a new
 * incarnation and claims what is still recorded to it under new tokens.
 */
import { backoffMs } from '../core/backoff.ts';
import { type Clock, sleep, type Timer, within } from '../core/clock.ts';
import type { Emitter } from '../core/emitter.ts';
import { ConflictError, PonosError, RedisUnavailableError } from '../core/errors.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { Subscription, Subscriptions } from '../redis/subscriptions.ts';
import { depart } from './departure.ts';
import type { JobHandler } from './handler.ts';
import { HealthReport } from './health.ts';
import { JobTable } from './job-table.ts';
import { Lease } from './lease.ts';
import type { LeaseLine } from './lease-line.ts';
import type { LoopLag } from './loop-lag.ts';
import { MailboxCursor } from './mailbox.ts';
import type { Membership, WorkerInfo } from './membership.ts';
import { Mover } from './mover.ts';
import { lagLimitMs, mostLookMs, type NodeSettings } from './options.ts';
import type { PersistOptions } from './persist.ts';
import { Puller } from './puller.ts';
import { RecordedJobs } from './recorded-jobs.ts';
import type { Shard } from './shard.ts';
import type { WorkerEvents } from './worker-events.ts';
import { Zombies } from './zombies.ts';

export interface ShardWorkerSetup {
  id: string;
  /** What it tells from the beginning. */
  events: Emitter<WorkerEvents>;
  shard: Shard;
  membership: Membership;
  clock: Clock;
  random: () => number;
  leaseLine: LeaseLine;
  subscriptions: Subscriptions;
  settings: NodeSettings;
  handler: JobHandler;
  /** Of a job that is stopped while it is still the worker's. */
  stopBudgetMs: number;
  info: WorkerInfo;
  lag: LoopLag;
}

export type WorkerState = 'opening' | 'member' | 'fenced' | 'leaving' | 'left';

const REGISTER_RETRY_MS = 100;
const REAP_BATCH = 100;
const POKE_JITTER_MS = 20;
const END_LIMIT_MS = 1000;
/** Handlers that can kill what does not stop do it at the end of the budget. */
const KILL_TIME_MS = 500;

export class ShardWorker {
  readonly id: string;
  readonly group: string;
  readonly events: Emitter<WorkerEvents>;
  readonly #setup: ShardWorkerSetup;
  readonly #lease: Lease;
  readonly #table: JobTable;
  readonly #mover: Mover;
  readonly #puller: Puller;
  readonly #recorded: RecordedJobs;
  readonly #persist: PersistOptions;
  readonly #zombies: Zombies;
  readonly #health = new HealthReport();
  readonly #reconcile: PeriodicTask;
  readonly #closing = new AbortController();
  /** A leave under way does not wait for tasks any more. */
  readonly #hurry = new AbortController();
  /** What a leave has left to do is left to the reaper: the lease is over. */
  readonly #abandoned = new AbortController();
  readonly #offs: (() => void)[] = [];
  #state: WorkerState = 'opening';
  #incarnation = 0;
  /** How often Redis may have lost something, and up to which of these this worker has said what it holds. */
  #lossCount = 0;
  #assertedCount = 0;
  #subscription: Subscription | undefined;
  #lagging = false;
  #pokeTimer: Timer | undefined;
  #backlog = false;
  #recovering: Promise<void> | undefined;
  #leaving: Promise<void> | undefined;

  private constructor(setup: ShardWorkerSetup) {
    this.#setup = setup;
    const { id, shard, membership, clock, random, settings, handler, info } = setup;
    this.id = id;
    this.group = info.group;
    this.events = setup.events;
    const onError = (error: unknown) => this.events.emit('error', error);
    this.#lease = new Lease({
      clock,
      terms: () => shard.terms,
      random,
      lagMs: () => setup.lag.p99Ms,
      firstRenewalMs: settings.settleMs,
      renew: () => this.#renew(),
      onSilence: () => setup.leaseLine.doubt(),
    });
    this.#zombies = new Zombies(clock, keys => this.events.emit('zombies', { keys }));
    this.#persist = { clock, signal: AbortSignal.any([this.#closing.signal, this.#abandoned.signal]), onError };
    this.#table = new JobTable({
      shard,
      worker: id,
      group: info.group,
      handler,
      lease: this.#lease,
      persist: this.#persist,
      events: this.events,
      random,
      maxPayloadBytes: settings.maxPayloadBytes,
      onStopping: (run, lost) => {
        const budgetMs = lost ? shard.terms.stopBudgetMs : setup.stopBudgetMs + KILL_TIME_MS;
        this.#zombies.watch([run], budgetMs).catch(onError);
      },
      heir: (run, reason) => this.#mover.takeHeir(run, reason),
      onVacancy: mustSync => {
        if (mustSync) this.#recorded.doubt();
        else if (this.#backlog) this.#reconcile.poke();
      },
    });
    this.#recorded = new RecordedJobs({
      shard,
      worker: id,
      incarnation: () => this.#self(),
      table: this.#table,
      onDoubt: () => this.#reconcile.poke(),
      onDrain: () => this.#drainInBackground(),
      onRegroup: () => {
        this.#mover.replan();
        this.#reconcile.poke();
      },
      onExpired: () => this.#lease.lose('Redis says so'),
    });
    this.#mover = new Mover({
      shard,
      worker: id,
      group: info.group,
      membership,
      table: this.#table,
      maxMoves: settings.maxMoves,
      settleMs: settings.settleMs,
      onError,
    });
    this.#puller = new Puller({
      shard,
      membership,
      clock,
      worker: () => ({ id, incarnation: this.#self(), group: info.group, capacity: info.capacity }),
      room: () => (this.#state === 'member' ? info.capacity - this.#table.size : 0),
      begin: assignment => this.#table.begin(assignment),
      onStale: epoch => {
        if (membership.heard(epoch)) this.#reconcile.poke();
      },
      onDoubt: () => this.#recorded.doubt(),
    });
    this.#reconcile = new PeriodicTask(
      clock,
      {
        get intervalMs() {
          return Math.min(settings.reconcileMs, mostLookMs(shard.terms));
        },
        jitter: 0.1,
        random,
      },
      () => this.#compare(),
      onError,
    );
  }

  /** Registers and begins to take jobs. */
  static async open(setup: ShardWorkerSetup): Promise<ShardWorker> {
    const worker = new ShardWorker(setup);
    try {
      await worker.#open();
    } catch (error) {
      await worker.#end();
      throw error;
    }
    return worker;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Jobs in its hands, those that are ending included. */
  get jobCount(): number {
    return this.#table.size;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Looks at Redis now instead of at the next turn. */
  poke(): void {
    this.#reconcile.poke();
  }

  /**
   * Leaves in good order: tells everybody first, then gives up every job, at most `maxMoves` at once, then ends the
   * membership. Tasks may finish for `drainTimeoutMs`. Legal more than once.
   */
  drain(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** As a drain, but tasks are stopped at once. Bounded; what does not stop in time is left to the end of the lease. */
  async close(): Promise<void> {
    const { clock, settings } = this.#setup;
    this.#hurry.abort();
    await within(clock, settings.closeTimeoutMs, this.drain(), () => {});
    await this.#end();
  }

  async #open(): Promise<void> {
    const { subscriptions, shard, handler, id, membership, leaseLine } = this.#setup;
    await handler.attach?.(this.#lease);
    this.#offs.push(
      this.#lease.events.on('lost', () => this.#fenced()),
      this.#lease.events.on('renewed', () => this.#checkLag()),
      this.#lease.events.on('error', error => this.events.emit('error', error)),
      membership.events.on('changed', () => this.#reconcile.poke()),
      leaseLine.events.on('ready', () => this.#reconcile.poke()),
      shard.events.on('lost', () => {
        this.#lossCount++;
        this.#reconcile.poke();
      }),
    );
    this.#subscription = await subscriptions.subscribe(shard.channels.mailbox(id), {
      message: message => this.#recorded.receive(message),
      ready: () => this.#reconcile.poke(),
    });
    while (this.#state === 'opening') await this.#register(this.#incarnation + 1);
    this.#reconcile.start();
    this.#reconcile.poke();
  }

  /** What Redis knows the incarnation by. With the node: another process under the same name counts its own from 1. */
  #self(incarnation = this.#incarnation): string {
    return `${incarnation} ${this.#setup.info.node}`;
  }

  /** Under the incarnation given: the next one after a fence, the present one after Redis lost something. */
  async #register(incarnation: number): Promise<void> {
    const { shard, id, info, membership } = this.#setup;
    const sentMs = this.#lease.nowMs();
    const reply = await shard.register(
      id,
      info.node,
      this.#self(incarnation),
      JSON.stringify(info),
      this.#table.highestToken,
    );
    if (reply.status === 'TAKEN') {
      // After a loss another process may have taken the name first: what is recorded to it is not for this one.
      this.#lease.lose('another process has its name');
      throw new ConflictError(`worker "${id}" of pool "${shard.pool}" belongs to node "${reply.node}"`, {
        code: 'WORKER_TAKEN',
        hint: `Its lease is over in ${Math.ceil(reply.left_ms / 1000)} s unless that node renews it.`,
      });
    }
    const fresh = incarnation !== this.#incarnation;
    // A lease that was lost meanwhile is not taken up again: the next incarnation is under way.
    if (!fresh && !this.#lease.check()) return;
    this.#incarnation = incarnation;
    this.#recorded.restart(reply.mail);
    this.#health.restart();
    membership.heard(reply.epoch);
    // Answered too late: the caller tries again.
    if (!this.#lease.begin(sentMs)) return;
    if (this.#state !== 'leaving') this.#state = 'member';
    if (fresh) this.events.emit('registered', { incarnation });
  }

  /** Whether the lease was extended. In quarantine Redis may not know the worker: it registers again. */
  async #renew(): Promise<boolean> {
    const { shard, leaseLine, id, lag } = this.#setup;
    const lagMs = lag.p99Ms;
    const lagging = lagMs > lagLimitMs(shard.terms);
    const news = this.#health.news({ zombieCount: this.#zombies.count, lagMs, lagging });
    const reply = await leaseLine.ask(connection => shard.renew(connection, id, this.#self(), news));
    if (reply.status === 'RENEWED') this.#health.told(news);
    if (reply.status === 'UNKNOWN') {
      this.#reconcile.poke();
      throw new RedisUnavailableError('Redis lost the membership of the worker');
    }
    return reply.status === 'RENEWED';
  }

  #checkLag(): void {
    const { lag, shard } = this.#setup;
    const p99Ms = lag.p99Ms;
    const limitMs = lagLimitMs(shard.terms);
    if (p99Ms > limitMs && !this.#lagging) this.events.emit('lagging', { p99Ms, limitMs });
    this.#lagging = p99Ms > limitMs;
  }

  /** One comparison of what runs here with what Redis says; never twice at once. */
  async #compare(): Promise<void> {
    if (this.#state === 'opening' || this.#state === 'left' || !this.#lease.check()) return;
    const { shard, membership, id, info, clock, lag } = this.#setup;
    lag.wake();
    const reply = await shard.members(id, info.group, membership.epoch);
    membership.apply(reply);
    if (!this.#lease.check()) return;
    if (this.#lossCount > this.#assertedCount) return this.#reassert();
    this.#table.confirmed();
    if (reply.mail < 0) return this.#lease.lose('it is no member any more');
    if (!membership.placement.seat(id) && this.#state === 'member') return this.#describeAgain();
    if (membership.placement.seat(id)?.draining) this.#drainInBackground();
    // Those of others; what stands in the way there must not keep this worker from its own.
    if (reply.reapable > 0) await this.#reap().catch(error => this.events.emit('error', error));
    const soon = await this.#recorded.compare(reply.mail, clock.monotonicMs());
    this.#backlog = reply.due > 0;
    if (this.#backlog && this.#state === 'member') await this.#puller.pull();
    const movesMs = this.#state === 'member' ? this.#mover.plan() : undefined;
    this.#pokeIn([reply.next_ms, movesMs, soon ? MailboxCursor.transitMs : undefined]);
  }

  /** What it says of itself cannot be read any more: nobody would give it a job. */
  async #describeAgain(): Promise<void> {
    await this.#register(this.#incarnation);
    // Hints that are under way count from before.
    this.#recorded.doubt();
  }

  /** Redis may have lost something: becomes a member of what it has now, and says what it holds. Then all is compared anew. */
  async #reassert(): Promise<void> {
    const { shard, id } = this.#setup;
    const lossCount = this.#lossCount;
    await this.#register(this.#incarnation);
    if (!this.#lease.check()) return;
    if (this.#state === 'leaving') await shard.drain(id, this.#self());
    if (await this.#table.reassert(this.#self())) this.#assertedCount = lossCount;
    else this.#lease.lose('Redis says so');
    this.#reconcile.poke();
  }

  /** Does not wait for the next turn when something is due before it. */
  #pokeIn(delays: (number | undefined)[]): void {
    const { clock, random, settings } = this.#setup;
    this.#pokeTimer?.cancel();
    const soonestMs = Math.min(...delays.filter(delay => delay !== undefined && delay >= 0).map(Number));
    if (soonestMs >= settings.reconcileMs) return;
    this.#pokeTimer = clock.after(soonestMs + 1 + random() * POKE_JITTER_MS, () => this.#reconcile.poke());
  }

  async #reap(): Promise<void> {
    for (let more = true; more && this.#lease.check(); ) {
      const reply = await this.#setup.shard.reap(REAP_BATCH, this.#setup.random());
      more = reply.status === 'REAPED' && reply.more === 1;
    }
  }

  #fenced(): void {
    if (this.#state === 'leaving') {
      this.#abandoned.abort();
      // Mostly it has just left, and an answer that says so overtook that of the leave.
      if (this.#table.size === 0) return;
    } else this.#state = 'fenced';
    const incarnation = this.#incarnation;
    this.#table.fence();
    const stopping = this.#zombies.watch(this.#table.runs(), this.#setup.shard.terms.stopBudgetMs);
    this.events.emit('fenced', { incarnation, jobCount: this.#table.size });
    if (this.#recovering) return;
    this.#recovering = this.#recover(stopping);
    this.#recovering.catch(error => this.events.emit('error', error));
  }

  /** Handlers have their budget to stop; then the worker becomes a member again. */
  async #recover(stopping: Promise<void>): Promise<void> {
    const { clock, shard, membership, id, info, handler } = this.#setup;
    try {
      await stopping;
      for (let attempt = 1; !this.#closing.signal.aborted && this.#state === 'fenced'; attempt++) {
        try {
          await handler.prepare?.(this.#lease);
          // Where replies are lost a registration would arrive all the same, and keep others from the jobs: ask first.
          await shard.members(id, info.group, membership.epoch);
          if (this.#lossCount > this.#assertedCount) await this.#table.putBack(this.#self());
          await this.#register(this.#incarnation + 1);
          this.#reconcile.poke();
        } catch (error) {
          this.events.emit('error', error);
          if (!(error instanceof PonosError)) throw error;
          await sleep(clock, this.#registerAgainMs(attempt), this.#closing.signal);
        }
      }
    } finally {
      this.#recovering = undefined;
    }
  }

  /** Well within a lease, which is as long as a pool that lost something waits for those who hold jobs. */
  #registerAgainMs(attempt: number): number {
    const maxMs = Math.max(REGISTER_RETRY_MS, this.#setup.shard.terms.leaseMs / 10);
    return backoffMs(attempt, { baseMs: REGISTER_RETRY_MS, maxMs });
  }

  #drainInBackground(): void {
    this.drain().catch(error => this.events.emit('error', error));
  }

  async #leave(): Promise<void> {
    const { shard, clock, membership, id, info, settings } = this.#setup;
    this.#state = 'leaving';
    this.events.emit('draining', undefined);
    if (!this.#lease.owned) this.#abandoned.abort();
    await depart({
      shard,
      membership,
      clock,
      worker: id,
      group: info.group,
      incarnation: () => this.#self(),
      table: this.#table,
      maxMoves: settings.maxMoves,
      drainTimeoutMs: settings.drainTimeoutMs,
      persist: this.#persist,
      hurry: this.#hurry.signal,
      onDoubt: () => this.#recorded.doubt(),
    });
    await this.#end();
  }

  async #end(): Promise<void> {
    if (this.#state === 'left') return;
    this.#state = 'left';
    this.#closing.abort();
    this.#pokeTimer?.cancel();
    for (const off of this.#offs) off();
    const underWay = Promise.allSettled([
      this.#lease.stop(),
      this.#subscription?.close(),
      this.#reconcile.stop(),
      this.#recovering,
    ]);
    // What waits for a Redis that does not answer ends by itself, and does nothing then.
    await within(this.#setup.clock, END_LIMIT_MS, underWay, () => {});
    await this.#setup.handler.detach?.(this.#lease);
    this.events.emit('left', undefined);
  }
}
