/**
 * The demonstration, step by step, each with what was measured and whether it is what Ponos promises. It drives the fleet
 * as an operator would and learns what happens only from Redis: from snapshots, events and a map.
 */
import {
  EventStream,
  listJobs,
  listWorkers,
  PoolClient,
  RedisLink,
  ReplicatedMap,
  Sink,
  type SinkEvent,
  showSink,
  showStream,
  type WorkerSnapshot,
} from '../../engine/index.ts';
import type { DemoCheck } from '../../present/nouns/demo.ts';
import type { DemoFleet, DemoWorker } from './fleet.ts';
import { History } from './history.ts';
import {
  INTERVAL_KEY,
  type IntervalSeen,
  LATEST,
  POOL,
  preciseNowMs,
  READINGS,
  type ReadingEvent,
  SETTINGS,
  SINK,
} from './protocol.ts';
import { discoverSources, type Source } from './sources.ts';

export interface Teller {
  title(text: string): void;
  line(text: string): void;
  check(check: DemoCheck): void;
}

/** Lease and grace of the `fast` preset, and the second others may take to notice. */
const RECOVERY_LIMIT_MS = 3000 + 500 + 1000;
const WORKER_COUNT = 3;
const FAST_INTERVAL_MS = 200;
const WAIT_LIMIT_MS = 30_000;

export class DemoStory {
  readonly #fleet: DemoFleet;
  readonly #tell: Teller;
  readonly #signal: AbortSignal;
  readonly #ready = Promise.withResolvers<void>();
  readonly #history = new History();
  readonly #intervals: IntervalSeen[] = [];
  readonly #workers: DemoWorker[] = [];
  #sources: Source[] = [];
  #link!: RedisLink;
  #settings!: ReplicatedMap;
  #latest!: ReplicatedMap;
  #client!: PoolClient;
  #sink!: Sink;

  constructor(fleet: DemoFleet, teller: Teller, signal: AbortSignal) {
    this.#fleet = fleet;
    this.#tell = teller;
    this.#signal = signal;
    this.#ready.promise.catch(() => {});
  }

  /** Resolves when there is a Redis to look at; rejects when there will be none. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** @param options.sumAfter the fleet is kept at work until this settles */
  async run(options: { sumAfter?: Promise<unknown> } = {}): Promise<void> {
    await this.#startRedis().catch(error => {
      this.#ready.reject(error);
      throw error;
    });
    this.#ready.resolve();
    await this.#startWorkers();
    await this.#dispatchSources();
    await this.#foldReadings();
    await this.#changeInterval();
    await this.#killWorker();
    await this.#joinWorker();
    await this.#drainWorker();
    await options.sumAfter;
    await this.#addUp();
  }

  /** Legal at any point, also after a failure. */
  async close(): Promise<void> {
    await this.#sink?.close();
    await this.#client?.close();
    await this.#settings?.close();
    await this.#latest?.close();
    await this.#link?.close();
  }

  async #startRedis(): Promise<void> {
    this.#tell.title('A Redis of its own');
    const { pid, port, program } = await this.#fleet.startRedis();
    this.#link = await this.#until('Redis to answer', () =>
      RedisLink.connect({ url: this.#fleet.url, connectAttempts: 1, clientName: 'ponos-demo' }).catch(() => undefined),
    );
    this.#tell.line(`${program} runs as process ${pid} on port ${port}; its data goes away with the demo.`);
    this.#settings = await ReplicatedMap.join(this.#link, SETTINGS);
    this.#latest = await ReplicatedMap.join(this.#link, LATEST);
    await EventStream.open(this.#link, READINGS);
    this.#client = await PoolClient.open(this.#link, POOL, { create: true, lease: 'fast' });
  }

  async #startWorkers(): Promise<void> {
    this.#tell.title(`${WORKER_COUNT} worker processes join`);
    for (let i = 0; i < WORKER_COUNT; i++) this.#workers.push(this.#fleet.startWorker());
    await this.#untilAlive(this.#workers);
    for (const worker of this.#workers) this.#tell.line(`worker ${worker.name} is process ${worker.pid}`);
  }

  async #dispatchSources(): Promise<void> {
    this.#sources = discoverSources().filter(
      source => !(source.kind === 'process' && this.#isOurs(Number(source.name))),
    );
    this.#tell.title(`${this.#sources.length} sources of this machine, one keyed job each`);
    const startedAtMs = preciseNowMs();
    await Promise.all(
      this.#sources.map(({ key }) => this.#client.dispatch(key, '', { wait: 'started', timeoutMs: WAIT_LIMIT_MS })),
    );
    const tookMs = preciseNowMs() - startedAtMs;
    for (const line of await this.#placement()) this.#tell.line(line);
    const running = (await listJobs(this.#link, POOL, { state: 'RUNNING' })).length;
    this.#tell.check({
      what: 'every job started on a worker',
      seen: `${running} of ${this.#sources.length} running ${tookMs.toFixed(0)} ms after the dispatch`,
      held: running === this.#sources.length,
    });
    const again = await this.#client.dispatch((this.#sources[0] as Source).key, '').then(
      () => 'accepted',
      (error: { code?: string }) => error.code ?? 'failed',
    );
    this.#tell.check({
      what: 'a key that runs cannot be dispatched again',
      seen: `answer ${again}`,
      held: again === 'EXISTS',
    });
  }

  async #foldReadings(): Promise<void> {
    this.#tell.title('Readings flow: stream, sink, replicated map');
    this.#sink = await Sink.open(this.#link, SINK, { streams: [READINGS], concurrency: 64 }, event =>
      this.#fold(event),
    );
    const tookMs = await this.#timed(() =>
      this.#until('a reading of every source in the map', () =>
        this.#sources.every(source => this.#latest.has(source.key)),
      ),
    );
    for (const kind of ['cpu', 'disk', 'net', 'process']) {
      const source = this.#sources.find(candidate => candidate.kind === kind);
      if (source) this.#tell.line(`${source.key.padEnd(16)} ${this.#latest.get(source.key)}`);
    }
    this.#tell.check({
      what: 'every source has its latest reading in the map',
      seen: `${this.#latest.size} entries after ${tookMs.toFixed(0)} ms, ${this.#history.receivedCount} events`,
      held: this.#latest.size === this.#sources.length,
    });
  }

  async #changeInterval(): Promise<void> {
    this.#tell.title(`The interval becomes ${FAST_INTERVAL_MS} ms, live, through a replicated map`);
    const before = await this.#rate();
    // With few sources a worker may have none, and then it looks at no interval.
    const watcherCount = this.#workers.filter(worker => this.#keysOf(worker).length > 0).length;
    const setAtMs = preciseNowMs();
    await this.#settings.set(INTERVAL_KEY, String(FAST_INTERVAL_MS));
    await this.#until('every worker to see it', () => this.#intervals.length >= watcherCount);
    const slowestMs = Math.max(...this.#intervals.map(seen => seen.atMs - setAtMs));
    const after = await this.#rate();
    this.#tell.check({
      what: 'every worker with a job saw the new value within 250 ms',
      seen: `${slowestMs.toFixed(2)} ms until the last of ${watcherCount} processes saw it`,
      held: slowestMs < 250,
    });
    this.#tell.check({
      what: 'and reads faster',
      seen: `${before.toFixed(0)} events a second before, ${after.toFixed(0)} after`,
      held: after > before * 2,
    });
  }

  async #killWorker(): Promise<void> {
    const victim = await this.#busiest();
    const keys = this.#keysOf(victim);
    this.#tell.title(`Worker ${victim.name} is killed with SIGKILL, in the middle of ${keys.length} jobs`);
    const killedAtMs = preciseNowMs();
    this.#fleet.signal(victim, 'SIGKILL');
    this.#workers.splice(this.#workers.indexOf(victim), 1);
    await this.#until('its jobs to run elsewhere', () => keys.every(key => this.#history.ownerOf(key) !== victim.pid));
    const slowestMs = Math.max(...keys.map(key => this.#history.lastStartMs(key) - killedAtMs));
    for (const line of await this.#placement()) this.#tell.line(line);
    this.#tell.check({
      what: `all its jobs run elsewhere within lease + grace + 1 s (${RECOVERY_LIMIT_MS} ms)`,
      seen: `${keys.length} jobs moved, the last ${slowestMs.toFixed(0)} ms after the kill`,
      held: slowestMs <= RECOVERY_LIMIT_MS,
    });
    this.#checkOverlap();
  }

  async #joinWorker(): Promise<void> {
    const before = new Map(this.#history.keys.map(key => [key, this.#history.tokenOf(key)]));
    const newcomer = this.#fleet.startWorker();
    this.#tell.title(`Worker ${newcomer.name} joins (process ${newcomer.pid})`);
    const sinceMs = preciseNowMs();
    this.#workers.push(newcomer);
    await this.#untilAlive([newcomer]);
    await this.#untilSettled();
    const moved = this.#history.keys.filter(key => this.#history.tokenOf(key) !== before.get(key));
    const astray = moved.filter(key => this.#history.ownerOf(key) !== newcomer.pid);
    for (const line of await this.#placement()) this.#tell.line(line);
    this.#tell.check({
      what: 'its share moved to it, and no other job moved',
      seen: `${moved.length - astray.length} of ${this.#sources.length} jobs moved to it, ${astray.length} elsewhere, longest gap ${this.#gap(moved, sinceMs)}`,
      held: astray.length === 0,
    });
    this.#checkOverlap();
  }

  async #drainWorker(): Promise<void> {
    const leaver = await this.#busiest();
    const keys = this.#keysOf(leaver);
    this.#tell.title(`Worker ${leaver.name} is asked to leave (SIGTERM): it drains ${keys.length} jobs`);
    const sinceMs = preciseNowMs();
    this.#workers.splice(this.#workers.indexOf(leaver), 1);
    this.#fleet.signal(leaver, 'SIGTERM');
    await this.#until('it to end', () => this.#fleet.hasEnded(leaver));
    await this.#until('its jobs to run elsewhere', () => keys.every(key => this.#history.ownerOf(key) !== leaver.pid));
    const gapMs = this.#history.longestHandoverMs(keys, sinceMs);
    this.#tell.check({
      what: 'each job went on elsewhere within a second',
      seen: `${keys.length} jobs moved, longest gap ${this.#gap(keys, sinceMs)}, process ended after ${(preciseNowMs() - sinceMs).toFixed(0)} ms`,
      held: gapMs <= 1000 + FAST_INTERVAL_MS,
    });
    this.#checkOverlap();
  }

  async #addUp(): Promise<void> {
    this.#tell.title('The sum');
    await Promise.all(this.#sources.map(({ key }) => this.#client.stop(key)));
    await this.#until('all jobs to stop', async () => (await listJobs(this.#link, POOL, {})).length === 0);
    const { addedTotal } = await showStream(this.#link, READINGS);
    const received = () => this.#history.receivedCount + this.#intervals.length;
    await this.#until('the sink to catch up', () => received() >= addedTotal).catch(() => {});
    await this.#until(
      'its acknowledgements',
      async () => (await showSink(this.#link, READINGS, SINK)).pendingCount === 0,
    ).catch(() => {});
    const sink = await showSink(this.#link, READINGS, SINK);
    this.#tell.check({
      what: 'every event published was received and acknowledged',
      seen: `${addedTotal} in, ${received()} out, ${sink.pendingCount} pending, ${this.#history.duplicateCount} delivered twice`,
      held: received() === addedTotal && sink.pendingCount === 0,
    });
    this.#tell.check({
      what: 'no reading is missing between the first and the last of a job',
      seen: `${this.#history.missingCount} missing`,
      held: this.#history.missingCount === 0,
    });
    this.#checkOverlap();
  }

  async #fold(event: SinkEvent): Promise<void> {
    if (event.name === 'interval') {
      this.#intervals.push(JSON.parse(event.payload.toString()) as IntervalSeen);
      return;
    }
    const reading = JSON.parse(event.payload.toString()) as ReadingEvent;
    if (!this.#history.record(event.id, reading)) return;
    const summary = reading.values
      ? Object.entries(reading.values)
          .map(([name, value]) => `${name}=${value}`)
          .join(' ')
      : 'gone';
    await this.#latest.set(reading.key, summary);
  }

  #checkOverlap(): void {
    const overlaps = this.#history.overlapCount;
    this.#tell.check({ what: 'no job ran twice at once', seen: `${overlaps} overlaps`, held: overlaps === 0 });
  }

  #gap(keys: readonly string[], sinceMs: number): string {
    return `${this.#history.longestHandoverMs(keys, sinceMs).toFixed(0)} ms between two readings`;
  }

  #keysOf(worker: DemoWorker): string[] {
    return this.#history.keys.filter(key => this.#history.ownerOf(key) === worker.pid);
  }

  #isOurs(pid: number): boolean {
    return pid === process.pid || this.#workers.some(worker => worker.pid === pid);
  }

  async #busiest(): Promise<DemoWorker> {
    await this.#untilSettled();
    return this.#workers.reduce((a, b) => (this.#keysOf(b).length > this.#keysOf(a).length ? b : a));
  }

  /** Events a second, over one second. */
  async #rate(): Promise<number> {
    const before = this.#history.receivedCount;
    const startMs = preciseNowMs();
    await this.#until('a second to pass', () => preciseNowMs() - startMs >= 1000);
    return ((this.#history.receivedCount - before) * 1000) / (preciseNowMs() - startMs);
  }

  async #placement(): Promise<string[]> {
    const snapshots = await listWorkers(this.#link, POOL);
    return this.#workers.map(worker => {
      const jobCount = snapshots.find(snapshot => snapshot.pid === worker.pid)?.jobCount ?? 0;
      return `worker ${worker.name}  ${'■'.repeat(jobCount)} ${jobCount}`;
    });
  }

  async #untilAlive(workers: readonly DemoWorker[]): Promise<void> {
    const alive = (snapshots: WorkerSnapshot[], worker: DemoWorker) =>
      snapshots.some(snapshot => snapshot.pid === worker.pid && snapshot.state === 'ALIVE');
    await this.#until('the workers to join', async () => {
      for (const worker of workers) {
        const failure = this.#fleet.failureOf(worker);
        if (failure) throw new Error(`worker ${worker.name} ended: ${failure}`);
      }
      const snapshots = await listWorkers(this.#link, POOL).catch(() => []);
      return workers.every(worker => alive(snapshots, worker));
    });
  }

  /** Until Redis and the readings agree who runs what, and it is where placement wants it. */
  async #untilSettled(): Promise<void> {
    // A client of its own, opened now: its view of the members is not older than this.
    const client = await PoolClient.open(this.#link, POOL);
    try {
      await this.#until('the jobs to settle', () => this.#isSettled(client));
    } finally {
      await client.close();
    }
  }

  async #isSettled(client: PoolClient): Promise<boolean> {
    const [workers, jobs] = await Promise.all([
      listWorkers(this.#link, POOL),
      listJobs(this.#link, POOL, { state: 'RUNNING' }),
    ]);
    if (jobs.length < this.#sources.length) return false;
    const pidOf = new Map(workers.map(worker => [worker.id, worker.pid]));
    if (!jobs.every(job => job.worker && pidOf.get(job.worker) === this.#history.ownerOf(job.key))) return false;
    const places = await Promise.all(jobs.map(job => client.where(job.key)));
    return places.every(place => place.worker === place.preferred);
  }

  async #timed(act: () => Promise<unknown>): Promise<number> {
    const startMs = preciseNowMs();
    await act();
    return preciseNowMs() - startMs;
  }

  async #until<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<Exclude<T, false>>> {
    const startMs = preciseNowMs();
    for (;;) {
      this.#signal.throwIfAborted();
      const answer = await condition();
      if (answer) return answer as NonNullable<Exclude<T, false>>;
      if (preciseNowMs() - startMs > WAIT_LIMIT_MS)
        throw new Error(`waited ${WAIT_LIMIT_MS / 1000} s in vain for ${what}`);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}
