import { hostname } from 'node:os';
import { within } from '../core/clock.ts';
import type { Emitter } from '../core/emitter.ts';
import { ClosedError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { checkName } from '../core/names.ts';
import { openAll } from '../core/open-all.ts';
import { type OptionInput, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import { PoolClient } from './client.ts';
import { resolveDurability } from './durability.ts';
import type { JobHandler } from './handler.ts';
import { hash64 } from './hash.ts';
import { LeaseLine } from './lease-line.ts';
import { LoopLag } from './loop-lag.ts';
import { clientOptions, type NodeSettings, nodeOptions, type PoolNodeOptions, workerOptions } from './options.ts';
import { PoolView } from './pool-view.ts';
import { PROTOCOL, type ProtocolRange } from './protocol.ts';
import { DEFAULT_GROUP } from './routes.ts';
import { tickerOptions } from './schedules/options.ts';
import type { TickerInput } from './schedules/record.ts';
import { Scheduler } from './schedules/scheduler.ts';
import { type TickCallback, Ticker } from './schedules/ticker.ts';
import { splitTiming } from './schedules/ticks.ts';
import { Worker } from './worker.ts';
import type { WorkerEvents } from './worker-events.ts';

export interface AddWorkerOptions extends OptionInput<typeof workerOptions> {
  handler: JobHandler;
  /** Default `default`. */
  group?: string | undefined;
  /** Name in the pool, for one process at a time; default a random one. */
  id?: string | undefined;
  /** Called with the worker's events before it registers: whoever listens then misses none. */
  listen?: ((events: Emitter<WorkerEvents>) => void) | undefined;
}

/** A process in a pool that hosts workers, and dispatches as any client does. */
export class PoolNode extends PoolClient {
  readonly #settings: NodeSettings;
  readonly #leaseLines: readonly LeaseLine[];
  readonly #workers = new Set<Worker>();
  readonly #lag: LoopLag;
  /** One for each shard. */
  readonly #schedulers: readonly Scheduler[];
  readonly #tickers = new Set<Ticker>();
  readonly #about: { host: string; version: string; startedAtMs: number; protocols: ProtocolRange };
  #ending = false;

  private constructor(
    view: PoolView,
    id: string,
    settings: NodeSettings,
    leases: readonly LeaseLine[],
    options: PoolNodeOptions,
  ) {
    super(view, id, settings.maxPayloadBytes, resolveDurability(options.durability));
    this.#settings = settings;
    this.#leaseLines = leases;
    this.#lag = new LoopLag(view.link.clock, () => [...this.#workers].some(worker => worker.jobCount > 0));
    const { host = hostname(), version = '', protocols = PROTOCOL } = options;
    this.#about = { host, version, startedAtMs: view.link.clock.wallMs(), protocols };
    view.events.on('pending', ({ group, shard }) => {
      for (const worker of this.#workers) if (worker.group === group) worker.poke(shard);
    });
    view.events.on('schedule', ({ name, shard }) => {
      this.#schedulers[shard]?.poke();
      for (const ticker of this.#tickers) if (ticker.name === name) ticker.poke();
    });
    this.#schedulers = view.shards.map(
      ({ shard, membership }) =>
        new Scheduler({
          shard,
          membership,
          routes: view.routes,
          clock: view.link.clock,
          random: Math.random,
          intervalMs: settings.reconcileMs,
          onError: error => this.events.emit('error', error),
        }),
    );
  }

  /**
   * @throws UnsafeServerError UNSAFE_EVICTION_POLICY; ConflictError LEASE_MISMATCH when the pool's live workers have other
   * terms; OptionError, ArgumentError, RedisUnavailableError, RedisDeniedError.
   */
  static async join(link: RedisLink, pool: string, options: PoolNodeOptions = {}): Promise<PoolNode> {
    const { lease, host: _host, version: _version, durability, protocols, ...rest } = options;
    const settings = resolveOptions('PoolNode', nodeOptions, rest);
    resolveDurability(durability);
    const view = await PoolView.open(link, pool, {
      ...settings,
      lease,
      limit: rest.limit,
      shards: rest.shards,
      refreshMs: clientOptions.refreshMs.default,
      protocols,
    });
    try {
      const node = new PoolNode(view, newId(), settings, await openLeases(view), options);
      for (const scheduler of node.#schedulers) scheduler.start();
      return node;
    } catch (error) {
      await view.close();
      throw error;
    }
  }

  get workers(): Iterable<Worker> {
    return this.#workers;
  }

  /**
   * Adds a worker, which takes jobs from then on.
   * @throws OptionError, ArgumentError; ConflictError WORKER_TAKEN when the id is in use by another process.
   */
  async addWorker(options: AddWorkerOptions): Promise<Worker> {
    if (this.#ending) throw new ClosedError(`node of pool "${this.pool}"`);
    const { handler, group = DEFAULT_GROUP, id = newId(), listen, ...rest } = options;
    const { capacity, weight, stopBudgetMs } = resolveOptions('addWorker', workerOptions, rest);
    const { link, shards } = this.view;
    const worker = await Worker.open({
      id: checkName('worker', id),
      shards,
      clock: link.clock,
      random: Math.random,
      leaseLines: this.#leaseLines,
      subscriptions: link.subscriptions,
      settings: this.#settings,
      handler,
      stopBudgetMs,
      lag: this.#lag,
      listen: events => {
        events.on('error', error => this.events.emit('error', error));
        listen?.(events);
      },
      info: { group: checkName('group', group), capacity, weight, node: this.id, pid: process.pid, ...this.#about },
    });
    this.#workers.add(worker);
    worker.events.on('left', () => this.#workers.delete(worker));
    // So that what this node dispatches from here on can go to it at once.
    await this.view.update();
    return worker;
  }

  /**
   * Runs `callback` at each tick, on one of the nodes that hold a ticker of that name open, at least once. Open it with the
   * same specification everywhere; with `replace` another one takes its place, and every holder goes by it.
   * @throws OptionError, ArgumentError; ConflictError SCHEDULE_EXISTS when the name has another specification.
   */
  async ticker(name: string, timing: TickerInput & { replace?: boolean }, callback: TickCallback): Promise<Ticker> {
    if (this.#ending) throw new ClosedError(`node of pool "${this.pool}"`);
    const { replace = false, ...input } = timing;
    const [when, rest] = splitTiming(input);
    const { link } = this.view;
    const ticker = await Ticker.open({
      shard: this.view.at(hash64(checkName('schedule', name))).shard,
      name,
      specification: { timing: when, settings: resolveOptions('ticker', tickerOptions, rest), job: undefined },
      replace,
      callback,
      holder: this.id,
      clock: link.clock,
      random: Math.random,
      intervalMs: this.#settings.reconcileMs,
    });
    this.#tickers.add(ticker);
    ticker.events.on('closed', () => this.#tickers.delete(ticker));
    ticker.events.on('error', error => this.events.emit('error', error));
    return ticker;
  }

  /**
   * All workers leave in good order; tasks may finish for `drainTimeoutMs`. The node still dispatches afterwards. After it
   * resolves nothing of this node runs a job.
   */
  async drain(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#workers].map(worker => worker.drain()));
  }

  /** As a drain that waits for no task, then ends everything. Bounded by `closeTimeoutMs`. */
  override close(): Promise<void> {
    this.#ending = true;
    return super.close();
  }

  protected override async end(): Promise<void> {
    const tickers = Promise.all([...this.#tickers].map(ticker => ticker.close()));
    await Promise.all([
      ...[...this.#workers].map(worker => worker.close()),
      within(this.view.link.clock, this.#settings.closeTimeoutMs, tickers, () => {}),
    ]);
    await Promise.all(this.#schedulers.map(scheduler => scheduler.stop()));
    await Promise.all(this.#leaseLines.map(line => line.close()));
    await super.end();
  }
}

/** One for each shard: a connection that gave no answer is dropped for another, which must not cost other shards theirs. */
function openLeases({ link, shards }: PoolView): Promise<LeaseLine[]> {
  return openAll(
    shards.map(() => LeaseLine.open(link.clock, () => link.createLease())),
    line => line.close(),
  );
}
