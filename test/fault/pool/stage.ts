/** What a scenario plays on: servers of its own, worker processes, a dispatcher, and the history they write. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { shardIndex } from '../../../src/engine/pool/hash.ts';
import { jobKeyForm } from '../../../src/engine/pool/job-key.ts';
import type { LeaseTerms } from '../../../src/engine/pool/options.ts';
import { RedisLink } from '../../../src/engine/redis/link.ts';
import { isRunning } from '../../support/pool-cli.ts';
import { findViolations } from '../../support/pool-invariants.ts';
import { TcpProxy } from '../../support/proxy.ts';
import type { RedisServer } from '../../support/redis.ts';
import { RedisClock } from '../../support/redis-clock.ts';
import type { ClusterServers } from '../../support/topology/cluster.ts';
import { until } from '../../support/until.ts';
import { WallClock } from '../../support/wall-clock.ts';
import { seededRandom } from '../report.ts';
import type { DispatcherOptions } from './dispatcher-process.ts';
import { type Excuses, excusesOf } from './excuses.ts';
import { Fleet, type FleetProcess } from './fleet.ts';
import { History } from './history.ts';
import { Journal, nowMs } from './journal.ts';
import { type Servers, type ServersKind, startServers } from './servers.ts';
import type { WorkerProcessOptions } from './worker-process.ts';

export interface StageOptions {
  workers: number;
  jobs: number;
  lease: LeaseTerms;
  tickMs: number;
  settleMs: number;
  /** New jobs a second while the fault lasts. */
  jobsPerSecond: number;
  notesPerSecond: number;
  stopsPerSecond: number;
  /** Replicas a dispatch must reach, until `settleForNoReplica`. */
  durableReplicas: number;
  servers: ServersKind;
  /** Of the pool. */
  shards: number;
  /** Of `one`. */
  redisArgs: string[];
  /** The clock of Redis can be stepped. */
  steppedClock: boolean;
  /** Each worker reaches Redis over a relay of its own, which can lose, hold and cut. */
  relay: boolean;
  /** Each job is a child process that writes its own history. */
  exec: boolean;
  /** The jobs run in a process beside each worker, which keeps its event loop and does not listen. */
  isolate: boolean;
  /** Wall clock of the first worker, ahead of the others': really, where it can be set. */
  wallAheadSeconds: number;
  /** Of the processes, when a packed release is to be played; else the sources. */
  engine: string | undefined;
}

export const POOL = 'faults';
export const PREFIX = 'faults';
const LATE_EVERY_MS = 20;
const REST_LIMIT_MS = 30_000;

export class Stage {
  readonly options: StageOptions;
  readonly random: () => number;
  readonly servers: Servers;
  readonly fleet: Fleet;
  readonly history: History;
  /** Those that were not ended by the scenario. */
  readonly workers: FleetProcess[] = [];
  /** What the test does, beside what the fleet says. */
  readonly journal: Journal;
  readonly #clock: RedisClock | undefined;
  readonly #ends: (() => unknown)[] = [];
  /** The longest that a timer of this process was late: what the machine had no time for. */
  lateMs = 0;
  readonly #dispatchers: FleetProcess[] = [];
  readonly #relays = new Map<FleetProcess, TcpProxy>();
  #link: RedisLink | undefined;
  #client: PoolClient | undefined;

  private constructor(options: StageOptions, seed: number, servers: Servers, clock: RedisClock | undefined) {
    this.options = options;
    this.#clock = clock;
    this.random = seededRandom(seed);
    this.servers = servers;
    this.fleet = new Fleet({
      url: servers.url,
      prefix: PREFIX,
      pool: POOL,
      lease: options.lease,
      shards: options.shards,
    });
    this.history = new History(this.fleet.folder);
    this.journal = new Journal(join(this.fleet.folder, 'test.jsonl'), 'test');
    this.note(`seed ${seed}`);
  }

  /** Resolves when every job is alive. */
  static async open(options: StageOptions, seed: number): Promise<Stage> {
    const clock = options.steppedClock ? new RedisClock() : undefined;
    const servers = await startServers(options.servers, { args: options.redisArgs, env: clock?.env ?? {} });
    const stage = new Stage(options, seed, servers, clock);
    try {
      await stage.#open();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  /** Of a stage with one. */
  get redis(): RedisServer {
    return this.servers.one as RedisServer;
  }

  /** A link that no fault of the network touches. */
  get link(): RedisLink {
    return this.#link as RedisLink;
  }

  get client(): PoolClient {
    return this.#client as PoolClient;
  }

  relayOf(worker: FleetProcess): TcpProxy {
    return this.#relays.get(worker) as TcpProxy;
  }

  /** Slots of the shards, in a cluster. */
  get slots(): Promise<number[]> {
    const { cluster } = this.servers;
    const configs = Array.from({ length: this.options.shards }, (_, shard) => this.link.keys.pool(POOL, shard).config);
    return Promise.all(configs.map(config => (cluster as ClusterServers).slotOf(config)));
  }

  shardOf(key: string): number {
    return shardIndex(jobKeyForm(key).hash, this.options.shards);
  }

  /** For --exec: writes down that it lives, as of the worker that its environment names. */
  get tickingCommand(): string {
    const line = `{\\"wallNs\\":$(date +%s%N),\\"who\\":\\"$WORKER/$$\\",\\"what\\":\\"tick\\",\\"jobs\\":[[\\"$PONOS_JOB_KEY\\",$PONOS_JOB_TOKEN]]}`;
    return `while :; do echo "${line}" >> '${this.fleet.folder}'/$PONOS_JOB_KEY.jsonl; sleep 0.2; done`;
  }

  /** Writes down what is done to the fleet. */
  note(detail: string): void {
    this.journal.write('fault', { detail });
  }

  between(low: number, high: number): number {
    return Math.round(low + this.random() * (high - low));
  }

  /** One of the workers, by the seed. */
  pick(): FleetProcess {
    return this.workers[Math.floor(this.random() * this.workers.length)] as FleetProcess;
  }

  /** The time a fault lasts. */
  async last(ms: number): Promise<void> {
    await pause(Math.max(0, ms));
  }

  async startWorker(more: Partial<WorkerProcessOptions> = {}, env?: Record<string, string>): Promise<FleetProcess> {
    const { tickMs, settleMs, engine } = this.options;
    const relay = this.options.relay ? await TcpProxy.start(this.redis.port) : undefined;
    if (relay) this.#ends.push(() => relay.stop());
    const url = relay?.url ?? this.servers.url;
    const isolate = this.options.isolate ? join(import.meta.dirname, 'deaf-module.ts') : undefined;
    // They ignore SIGTERM, so that only force ends them.
    const exec = this.options.exec ? `trap '' TERM; ${this.tickingCommand}` : undefined;
    const worker = await this.fleet.startWorker({ url, tickMs, settleMs, exec, isolate, engine, ...more }, env);
    this.workers.push(worker);
    if (relay) this.#relays.set(worker, relay);
    return worker;
  }

  /** With the load of the stage, and keys of its own. */
  async startDispatcher(more: Partial<DispatcherOptions> = {}): Promise<void> {
    const { engine, jobs, jobsPerSecond, notesPerSecond, stopsPerSecond, durableReplicas } = this.options;
    const load = { jobCount: jobs, jobsPerSecond, notesPerSecond, stopsPerSecond, durableReplicas };
    this.#dispatchers.push(await this.fleet.startDispatcher({ engine, ...load, ...more }));
  }

  /** A worker that a scenario ends is none of `workers` any more. */
  async kill(worker: FleetProcess): Promise<void> {
    this.note(`SIGKILL ${worker.name}`);
    this.#forget(worker);
    worker.process.kill('SIGKILL');
    await worker.exited;
  }

  /** Resolves with its exit code. */
  async end(worker: FleetProcess): Promise<number | null> {
    this.note(`SIGTERM ${worker.name}`);
    this.#forget(worker);
    worker.process.kill('SIGTERM');
    const ended = () => worker.process.exitCode !== null || worker.process.signalCode !== null;
    await until(ended, `${worker.name} to end`, { limitMs: REST_LIMIT_MS });
    return worker.exited;
  }

  signal(worker: FleetProcess, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.note(`${signal} ${worker.name}`);
    worker.process.kill(signal);
  }

  async stepClock(seconds: number): Promise<void> {
    this.note(`the clock of redis steps by ${seconds} s`);
    await this.#clock?.step(this.link, POOL, seconds);
  }

  until(condition: (history: History) => unknown, what: string, limitMs = REST_LIMIT_MS): Promise<unknown> {
    return until(() => Boolean(condition(this.history.read())), what, { limitMs, everyMs: 25 });
  }

  /** Resolves when every job that was accepted, and that no flush can have cost, showed itself since. */
  async untilAlive(fromMs: number): Promise<void> {
    await this.until(() => this.silentSince(fromMs).length === 0, 'every job to show itself').catch((error: Error) => {
      throw new Error(`${error.message}; silent: ${this.silentSince(fromMs).slice(0, 5).join(' ')}`);
    });
  }

  silentSince(fromMs: number): string[] {
    const silent = this.history.silentSince(fromMs);
    if (silent.length === 0) return silent;
    const { keys } = this.excuses;
    return silent.filter(key => !keys.has(key));
  }

  /** What flushes may have cost so far. */
  get excuses(): Excuses {
    return excusesOf(this.history.events, this.options.lease.leaseMs);
  }

  async flush(): Promise<void> {
    this.note('FLUSHALL');
    await this.link.commands.call('FLUSHALL').finally(() => this.note('flushed'));
  }

  /** Resolves when so many jobs are recorded as running. */
  async untilRunning(count: number): Promise<void> {
    const running = async () => {
      const keys = [...this.history.read().accepted];
      const states = await Promise.all(
        keys.map(key => {
          const { job } = this.link.keys.pool(POOL, this.shardOf(key));
          return this.link.commands.call('HGET', job(key), 'state');
        }),
      );
      return states.filter(state => String(state) === 'running').length === count;
    };
    await until(running, `${count} jobs to be recorded as running`, { limitMs: REST_LIMIT_MS, everyMs: 20 });
  }

  /** Dispatches need not reach a replica from here on: there is none for a while. */
  settleForNoReplica(): void {
    for (const { process: dispatcher } of this.#dispatchers) dispatcher.kill('SIGUSR2');
  }

  /** What Redis knows of jobs that do not show themselves. */
  recordsOf(keys: readonly string[]): Promise<string[]> {
    return Promise.all(
      keys.map(async key => {
        const record = this.link.keys.pool(POOL, 0).job(key);
        const fields = await this.link.commands.call('HMGET', record, 'state', 'worker', 'token').catch(String);
        return `silent: ${key}: recorded as ${[fields].flat().map(String).join(' ')}`;
      }),
    );
  }

  /** What is under way is answered, and nothing more comes. Resolves with an exit code that is not 0 if there is one. */
  async endLoad(): Promise<number | null> {
    for (const { process: dispatcher } of this.#dispatchers) dispatcher.kill('SIGTERM');
    const codes = await Promise.all(this.#dispatchers.map(({ exited }) => exited));
    const [bad = 0] = codes.filter(code => code !== 0);
    return bad;
  }

  /** Not one look: while jobs move, it may see one in two places. At rest they must hold. */
  async violations(): Promise<string[]> {
    let violations: string[] = [];
    const look = async () => {
      violations = await findViolations(this.link, POOL).catch(error => [String(error)]);
      return violations.length === 0;
    };
    await until(look, 'the invariants to hold', { limitMs: 5000, everyMs: 100 }).catch(() => {});
    return violations;
  }

  async close(): Promise<void> {
    await this.fleet.stop();
    // Children outlive their worker for a moment.
    const children = this.history.read().processes();
    await until(() => !children.some(isRunning), 'every child to be gone', { everyMs: 50 });
    for (const end of this.#ends.reverse()) await end();
    await this.servers.stop();
    this.#clock?.remove();
  }

  async removeHistory(): Promise<void> {
    await rm(this.fleet.folder, { recursive: true });
  }

  async #open(): Promise<void> {
    const { workers } = this.options;
    this.#link = await RedisLink.connect({ url: this.servers.url, prefix: PREFIX });
    this.#ends.push(() => this.link.close());
    const others = Array.from({ length: workers - 1 }, () => undefined);
    await Promise.all([this.#startAhead(), ...others.map(() => this.startWorker())]);
    // In the order of their names, so that a seed picks the same one again.
    this.workers.sort((a, b) => Number(a.name.slice(1)) - Number(b.name.slice(1)));
    this.#client = await PoolClient.open(this.link, POOL);
    this.#ends.push(() => this.client.close());
    await this.startDispatcher();
    await this.untilAlive(0);
    this.#watchLateness();
  }

  /** The first worker. */
  async #startAhead(): Promise<FleetProcess> {
    const { wallAheadSeconds } = this.options;
    if (wallAheadSeconds === 0) return this.startWorker();
    const clock = new WallClock();
    this.#ends.push(() => clock.remove());
    clock.set(BigInt(wallAheadSeconds));
    return this.startWorker(clock.real ? {} : { wallAheadMs: wallAheadSeconds * 1000 }, clock.env);
  }

  #watchLateness(): void {
    let dueMs = nowMs() + LATE_EVERY_MS;
    const timer = setInterval(() => {
      this.lateMs = Math.max(this.lateMs, nowMs() - dueMs);
      dueMs = nowMs() + LATE_EVERY_MS;
    }, LATE_EVERY_MS);
    this.#ends.push(() => clearInterval(timer));
  }

  #forget(worker: FleetProcess): void {
    this.workers.splice(this.workers.indexOf(worker), 1);
  }
}
