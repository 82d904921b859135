/**
 * Watches a fleet from Redis alone: joins nothing, creates nothing, writes nothing. One reading at a time; the next is
 * planned when it ended. What is on screen is read first; a budget of commands bounds the load whatever the size of the
 * fleet; a slow Redis stretches the interval. When Redis is away the last data stays, marked stale, and it is tried
 * again for ever.
 */
import { type Clock, sleep } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ClosedError, NotFoundError, PonosError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, type OptionValues, resolveOptions } from '../core/options.ts';
import type { Connection } from '../redis/connection.ts';
import { Cadence } from './cadence.ts';
import { dutiesOf, onScreenDuties } from './duties.ts';
import { findProblems } from './findings.ts';
import { EMPTY_FLEET, type FleetFocus, type FleetSnapshot } from './fleet.ts';
import { JobRecords } from './job-records.ts';
import { RateBoard } from './rates.ts';
import type { FleetReader } from './reader.ts';
import { StallWatch } from './stalls.ts';

export const fleetObserverOptions = {
  refreshMs: { kind: 'ms', default: 1000, min: 250, max: 60_000, doc: 'Shortest time between two readings of a part.' },
  commandsPerSecond: {
    kind: 'ratio',
    default: 5,
    min: 1,
    max: 10_000,
    doc: 'Commands a second on average while nobody presses a key.',
  },
} as const satisfies OptionTable;

export type FleetObserverOptions = OptionInput<typeof fleetObserverOptions>;

/** Spent at once when a fleet is first looked at, so that the first frame is complete. */
const BURST_COMMANDS = 60;
/** Bounds how long one costly reading of a big fleet delays the next: at most this over the budget. */
const MAX_DEBT_COMMANDS = 60;
const RETRY_MS = { first: 1000, most: 30_000 };
/** Share of the time that may be spent reading; a slower Redis is asked less often. */
const BUSY_SHARE = 0.1;
const SHORTEST_REST_MS = 50;
const LEDGER_COUNT = 300;
const PENDING_COUNT = 200;
const ENTRY_LIMIT = 1000;

/** The part of a link an observer needs besides its readings. */
export type ObservedConnection = Pick<Connection, 'events' | 'sentCount'>;

export class FleetObserver {
  readonly #reader: FleetReader;
  readonly #connection: ObservedConnection;
  readonly #clock: Clock;
  readonly #options: OptionValues<typeof fleetObserverOptions>;
  readonly #events = new Emitter<{ change: undefined }>();
  readonly #cadence: Cadence;
  readonly #rates = new RateBoard();
  readonly #stalls = new StallWatch();
  readonly #records = new JobRecords();
  readonly #urgent = new Set<string>();
  #snapshot: FleetSnapshot = EMPTY_FLEET;
  #focus: FleetFocus = { view: 'overview' };
  #paused = false;
  #closed = false;
  #retryNow = false;
  #readingMs = 0;
  #lastMainMs: number | undefined;
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #offs: (() => void)[] = [];

  constructor(reader: FleetReader, connection: ObservedConnection, clock: Clock, options: FleetObserverOptions = {}) {
    this.#reader = reader;
    this.#connection = connection;
    this.#clock = clock;
    this.#options = resolveOptions('FleetObserver', fleetObserverOptions, options);
    this.#cadence = new Cadence(
      { commandsPerSecond: this.#options.commandsPerSecond, burst: BURST_COMMANDS, maxDebt: MAX_DEBT_COMMANDS },
      clock.monotonicMs(),
    );
  }

  /** Begins to read. Legal more than once. */
  start(): void {
    if (this.#running || this.#closed) return;
    this.#offs = [
      this.#connection.events.on('lost', error => this.#fail(error)),
      this.#connection.events.on('ready', () => this.refresh()),
    ];
    this.#running = this.#run();
  }

  getSnapshot(): FleetSnapshot {
    return this.#snapshot;
  }

  /** Calls after every change; the returned function ends that. */
  subscribe(listener: () => void): () => void {
    return this.#events.on('change', listener);
  }

  /** Says what is on screen. What of it is unknown or old is read at once. */
  setFocus(focus: FleetFocus): void {
    const before = new Set(onScreenDuties(this.#focus, this.#options.refreshMs).map(duty => duty.name));
    this.#focus = focus;
    if (focus.view === 'jobs') this.#records.show(focus.pool, focus.visible);
    for (const { name } of onScreenDuties(focus, this.#options.refreshMs)) {
      const missing = name === 'records' && this.#records.missing(this.#snapshot.jobs).length > 0;
      if (!before.has(name) || name === 'detail' || missing) this.#urgent.add(name);
    }
    this.#dropWhatIsClosed(focus);
    if (this.#urgent.size > 0 && this.#snapshot.connection.attempts === 0) this.#wake.abort();
  }

  /** Reads what is on screen now, also while the next attempt is being put off. */
  refresh(): void {
    for (const { name } of onScreenDuties(this.#focus, this.#options.refreshMs)) this.#urgent.add(name);
    this.#retryNow = true;
    this.#wake.abort();
  }

  /** While paused nothing is read. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.refresh();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const off of this.#offs) off();
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      this.#wake = new AbortController();
      if (!this.#paused) await this.#read();
      if (!this.#closed) await sleep(this.#clock, this.#restMs(), this.#wake.signal);
    }
  }

  /** One reading: everything due, sent together. Never throws. */
  async #read(): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const duties = this.#duties();
    this.#retryNow = false;
    const names = [...new Set([...this.#urgent, ...this.#cadence.due(duties, startMs)])];
    this.#urgent.clear();
    if (names.length === 0) return;
    const sentBefore = this.#connection.sentCount;
    const changes: Partial<FleetSnapshot> = {};
    const problems = new Map(this.#snapshot.problems);
    let failure: unknown;
    await Promise.all(
      names.map(async name => {
        try {
          Object.assign(changes, await this.#take(name, changes));
          problems.delete(name);
        } catch (error) {
          if (isOutage(error)) failure = error;
          else problems.set(name, error instanceof Error ? error.message : String(error));
        }
      }),
    );
    const endMs = this.#clock.monotonicMs();
    this.#cadence.spend(this.#connection.sentCount - sentBefore);
    if (this.#closed) return;
    if (failure !== undefined) return this.#fail(failure);
    for (const name of names) this.#cadence.ran(name, startMs);
    this.#readingMs = endMs - startMs;
    this.#publish({ ...changes, problems, connection: this.#liveConnection(duties[0]?.name, names) });
  }

  /** `changes` is what the other parts of this reading have given so far. */
  async #take(name: string, changes: Partial<FleetSnapshot>): Promise<Partial<FleetSnapshot>> {
    const at = name.indexOf(':');
    const part = at < 0 ? name : name.slice(0, at);
    const of = at < 0 ? '' : name.slice(at + 1);
    switch (part) {
      case 'server':
        return { server: await this.#reader.server() };
      case 'pools':
        return this.#takePools();
      case 'streams':
        return this.#takeStreams();
      case 'maps':
        return { maps: await this.#reader.maps() };
      case 'workers':
        return this.#takeOf('workers', changes, of, this.#reader.workers(of));
      case 'nodes':
        return this.#takeOf('nodes', changes, of, this.#reader.nodes(of));
      case 'sinks':
        return this.#takeOf('sinks', changes, of, this.#reader.sinks(of));
      case 'events':
        return this.#takeEvents(of);
      case 'keys':
        return this.#takeKeys(of);
      case 'records':
        return this.#takeRecords();
      default:
        return this.#takeOpened();
    }
  }

  async #takePools(): Promise<Partial<FleetSnapshot>> {
    const pools = await this.#reader.pools();
    const nowMs = this.#clock.monotonicMs();
    for (const pool of pools) this.#rates.note(`pool:${pool.name}`, pool.startedTotal, nowMs);
    this.#rates.keepOnly(
      'pool:',
      pools.map(pool => pool.name),
    );
    return { pools, rates: this.#rates.read(), stalledMs: this.#stalls.note(pools, nowMs) };
  }

  async #takeStreams(): Promise<Partial<FleetSnapshot>> {
    const streams = await this.#reader.streams();
    const nowMs = this.#clock.monotonicMs();
    for (const stream of streams) this.#rates.note(`stream:${stream.name}`, stream.addedTotal, nowMs);
    this.#rates.keepOnly(
      'stream:',
      streams.map(stream => stream.name),
    );
    return { streams, rates: this.#rates.read() };
  }

  /** A part kept by name: the new rows beside those of the others, or without them when it is gone. */
  async #takeOf<Part extends 'workers' | 'nodes' | 'sinks'>(
    part: Part,
    changes: Partial<FleetSnapshot>,
    name: string,
    reading: Promise<readonly unknown[]>,
  ): Promise<Partial<FleetSnapshot>> {
    const rows = await orNothing(reading);
    const next = new Map<string, readonly unknown[]>(changes[part] ?? this.#snapshot[part]);
    if (rows) next.set(name, rows);
    else next.delete(name);
    return { [part]: next };
  }

  async #takeKeys(pool: string): Promise<Partial<FleetSnapshot>> {
    const keys = (await orNothing(this.#reader.jobKeys(pool))) ?? [];
    return this.#focus.view === 'jobs' && this.#focus.pool === pool ? { jobs: this.#records.read(pool, keys) } : {};
  }

  async #takeEvents(pool: string): Promise<Partial<FleetSnapshot>> {
    const { events } = this.#snapshot;
    const known = events?.pool === pool ? events.rows : [];
    const after = known.at(-1)?.id;
    const fresh =
      (await orNothing(
        this.#reader.ledger(pool, { count: LEDGER_COUNT, ...(after === undefined ? {} : { after }) }),
      )) ?? [];
    const seen = new Set(known.map(entry => entry.id));
    const rows = [...known, ...fresh.filter(entry => !seen.has(entry.id)).sort((a, b) => a.atMs - b.atMs)];
    return { events: { pool, rows: rows.slice(-LEDGER_COUNT) } };
  }

  async #takeRecords(): Promise<Partial<FleetSnapshot>> {
    const { jobs } = this.#snapshot;
    if (!jobs) return {};
    const keys = this.#records.choose(jobs, this.#cadence.budget);
    if (keys.length === 0) return {};
    const records = (await orNothing(this.#reader.jobs(jobs.pool, keys))) ?? [];
    return { jobs: this.#records.note(jobs.pool, keys, records, this.#clock.wallMs()) };
  }

  async #takeOpened(): Promise<Partial<FleetSnapshot>> {
    const focus = this.#focus;
    const opened = await this.#readOpened(focus);
    return this.#focus === focus ? opened : {};
  }

  async #readOpened(focus: FleetFocus): Promise<Partial<FleetSnapshot>> {
    switch (focus.view) {
      case 'job': {
        const value = (await orNothing(this.#reader.job(focus.pool, focus.key))) ?? null;
        return { detail: { kind: 'job', pool: focus.pool, key: focus.key, value } };
      }
      case 'pending': {
        const rows = (await orNothing(this.#reader.pending(focus.stream, focus.sink, { count: PENDING_COUNT }))) ?? [];
        return { pending: { stream: focus.stream, sink: focus.sink, rows } };
      }
      case 'entries': {
        const rows = (await orNothing(this.#reader.entries(focus.map, { limit: ENTRY_LIMIT }))) ?? [];
        return { entries: { map: focus.map, rows, truncated: rows.length >= ENTRY_LIMIT } };
      }
      default:
        return {};
    }
  }

  /** What was opened and is not on screen any more is not kept: payloads and values least of all. */
  #dropWhatIsClosed(focus: FleetFocus): void {
    const { detail, pending, entries, events, jobs } = this.#snapshot;
    const kept = {
      detail: focus.view === 'job' && detail?.key === focus.key && detail.pool === focus.pool ? detail : null,
      pending:
        focus.view === 'pending' && pending?.sink === focus.sink && pending.stream === focus.stream ? pending : null,
      entries: focus.view === 'entries' && entries?.map === focus.map ? entries : null,
      events: focus.view === 'events' && events?.pool === focus.pool ? events : null,
      jobs: (focus.view === 'jobs' || focus.view === 'job') && jobs?.pool === focus.pool ? jobs : null,
    };
    const same = kept.detail === detail && kept.pending === pending && kept.entries === entries;
    if (!same || kept.events !== events || kept.jobs !== jobs) this.#publish(kept);
  }

  #duties() {
    const pools = (this.#snapshot.pools ?? []).map(pool => pool.name);
    return dutiesOf(this.#focus, pools, this.#options.refreshMs);
  }

  #restMs(): number {
    const { attempts } = this.#snapshot.connection;
    if (this.#retryNow) return 0;
    if (this.#paused) return RETRY_MS.most;
    if (attempts > 0) return Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(attempts - 1, 10));
    if (this.#urgent.size > 0) return 0;
    const slowMs = this.#readingMs * (1 / BUSY_SHARE - 1);
    return Math.max(SHORTEST_REST_MS, slowMs, this.#cadence.waitMs(this.#duties(), this.#clock.monotonicMs()));
  }

  #liveConnection(main: string | undefined, names: readonly string[]): FleetSnapshot['connection'] {
    const { connection } = this.#snapshot;
    const nowMs = this.#clock.monotonicMs();
    let { everyMs } = connection;
    if (main !== undefined && names.includes(main)) {
      if (this.#lastMainMs !== undefined) everyMs = Math.round(nowMs - this.#lastMainMs);
      this.#lastMainMs = nowMs;
    }
    return { state: 'LIVE', error: null, attempts: 0, readAtMs: this.#clock.wallMs(), everyMs };
  }

  #fail(error: unknown): void {
    const { connection } = this.#snapshot;
    this.#publish({
      connection: {
        ...connection,
        state: connection.readAtMs === null ? 'CONNECTING' : 'STALE',
        error: error instanceof Error ? error.message : String(error),
        attempts: connection.attempts + 1,
      },
    });
  }

  #publish(changes: Partial<FleetSnapshot>): void {
    const next: FleetSnapshot = { ...this.#snapshot, ...changes };
    this.#snapshot = { ...next, findings: findProblems(next, this.#clock.wallMs()) };
    this.#events.emit('change', undefined);
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof ClosedError || (error instanceof PonosError && error.kind === 'environment');
}

/** What does not exist any more is no failure: it may have been removed while it was looked at. */
async function orNothing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
