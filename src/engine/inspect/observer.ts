/**
 * Watches a fleet from Redis alone: joins nothing, creates nothing, writes nothing. One reading at a time; the next is
 * planned when it ended. What is on screen is read first; a budget of commands bounds the load whatever the size of the
 * fleet; a slow Redis stretches the interval. When Redis is away the last data stays, marked stale, and it is tried
 * again for ever.
 */
import { type Clock, sleep } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ClosedError, RedisUnavailableError, TimeoutError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, type OptionValues, resolveOptions } from '../core/options.ts';
import type { Connection } from '../redis/connection.ts';
import type { RedisLink } from '../redis/link.ts';
import { Cadence } from './cadence.ts';
import { dutiesOf, onScreenDuties } from './duties.ts';
import { findProblems } from './findings.ts';
import { EMPTY_FLEET, type FleetFocus, type FleetSnapshot } from './fleet.ts';
import { MapPush } from './map-push.ts';
import { PartReader } from './part-reader.ts';
import { type FleetReader, readerOf } from './reader.ts';

export const fleetObserverOptions = {
  refreshMs: { kind: 'ms', default: 1000, min: 250, max: 60_000, doc: 'Shortest time between two readings of a part.' },
  commandsPerSecond: {
    kind: 'ratio',
    default: 5,
    min: 1,
    max: 10_000,
    doc: 'Commands a second on average while nobody presses a key.',
  },
  attendedCommandsPerSecond: {
    kind: 'ratio',
    default: 25,
    min: 1,
    max: 10_000,
    doc: 'Commands a second on average while somebody does.',
  },
} as const satisfies OptionTable;

export type FleetObserverOptions = OptionInput<typeof fleetObserverOptions>;

/** How long after a key somebody counts as watching closely. */
const ATTENTION_MS = 20_000;
/** Spent at once when a fleet is first looked at, so that the first frame is complete. */
const BURST_COMMANDS = 60;
/** Bounds how long one costly reading of a big fleet delays the next: at most this over the budget. */
const MAX_DEBT_COMMANDS = 60;
const RETRY_MS = { first: 1000, most: 30_000 };
/** Share of the time that may be spent reading; a slower Redis is asked less often. */
const BUSY_SHARE = 0.1;
const SHORTEST_REST_MS = 50;

/** The part of a link an observer needs besides its readings. */
export type ObservedConnection = Pick<Connection, 'events' | 'sentCount'>;

export class FleetObserver {
  readonly #parts: PartReader;
  readonly #connection: ObservedConnection;
  readonly #clock: Clock;
  readonly #options: OptionValues<typeof fleetObserverOptions>;
  readonly #events = new Emitter<{ change: undefined }>();
  readonly #cadence: Cadence;
  readonly #urgent = new Set<string>();
  #snapshot: FleetSnapshot = EMPTY_FLEET;
  #focus: FleetFocus = { view: 'overview' };
  #paused = false;
  #closed = false;
  #retryNow = false;
  #readingMs = 0;
  #lastMainMs: number | undefined;
  #attendedMs = Number.NEGATIVE_INFINITY;
  #mapPush: MapPush | undefined;
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #offs: (() => void)[] = [];

  constructor(reader: FleetReader, connection: ObservedConnection, clock: Clock, options: FleetObserverOptions = {}) {
    this.#parts = new PartReader(reader, clock);
    this.#connection = connection;
    this.#clock = clock;
    this.#options = resolveOptions('FleetObserver', fleetObserverOptions, options);
    this.#cadence = new Cadence(
      { burst: BURST_COMMANDS, maxDebt: MAX_DEBT_COMMANDS },
      this.#options.commandsPerSecond,
      clock.monotonicMs(),
    );
  }

  /** Observes the fleet behind a link once started. The link may be read-only and stays the caller's to close. */
  static of(link: RedisLink, options?: FleetObserverOptions): FleetObserver {
    const observer = new FleetObserver(readerOf(link), link.commands, link.clock, options);
    observer.#mapPush = new MapPush(link, () => observer.#hint('entries'));
    return observer;
  }

  /** The same, started. */
  static watch(link: RedisLink, options?: FleetObserverOptions): FleetObserver {
    const observer = FleetObserver.of(link, options);
    observer.start();
    return observer;
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
    this.#parts.show(focus);
    this.#mapPush?.follow(focus.view === 'entries' ? focus.map : undefined);
    for (const { name } of onScreenDuties(focus, this.#options.refreshMs)) {
      if (!before.has(name) || name === 'detail') this.#urgent.add(name);
    }
    if (this.#parts.missesRecords(this.#snapshot.jobs)) this.#urgent.add('records');
    this.#dropWhatIsClosed(focus);
    if (this.#urgent.size > 0 && this.#snapshot.connection.attempts === 0) this.#wake.abort();
  }

  /** Somebody pressed a key: for a while more is read, and so sooner. */
  attend(): void {
    const nowMs = this.#clock.monotonicMs();
    const wasAway = nowMs - this.#attendedMs > ATTENTION_MS;
    this.#attendedMs = nowMs;
    if (wasAway && this.#snapshot.connection.attempts === 0) this.#wake.abort();
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
    await Promise.all([this.#running, this.#mapPush?.close()]);
  }

  /** A part changed: it is read as soon as the budget allows. */
  #hint(part: string): void {
    const duty = onScreenDuties(this.#focus, this.#options.refreshMs).find(({ name }) => name === part);
    if (duty) this.#cadence.hasten(duty, this.#clock.monotonicMs());
    if (this.#snapshot.connection.attempts === 0) this.#wake.abort();
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
    const duties = dutiesOf(this.#focus, this.#options.refreshMs);
    this.#allow(startMs);
    this.#retryNow = false;
    const names = [...new Set([...this.#urgent, ...this.#cadence.due(duties, startMs)])];
    this.#urgent.clear();
    if (names.length === 0) return;
    const sentBefore = this.#connection.sentCount;
    const changes: Partial<FleetSnapshot> = {};
    const wanted = new Set(duties.map(duty => duty.name));
    // What nobody looks at any more is not tried again, so nothing would take its problem away.
    const problems = new Map([...this.#snapshot.problems].filter(([name]) => wanted.has(name)));
    const present = () => ({ ...this.#snapshot, ...changes });
    const { budget } = this.#cadence;
    let failure: unknown;
    await Promise.all(
      names.map(async name => {
        try {
          Object.assign(changes, await this.#parts.read(name, present, budget));
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

  /** What was opened and is not on screen any more is not kept: payloads and values least of all. */
  #dropWhatIsClosed(focus: FleetFocus): void {
    const { detail, pending, entries, tail, events, jobs } = this.#snapshot;
    const kept = {
      detail: focus.view === 'job' && detail?.key === focus.key && detail.pool === focus.pool ? detail : null,
      pending:
        focus.view === 'pending' && pending?.sink === focus.sink && pending.stream === focus.stream ? pending : null,
      entries: focus.view === 'entries' && entries?.map === focus.map ? entries : null,
      tail: focus.view === 'tail' && tail?.stream === focus.stream ? tail : null,
      events: focus.view === 'events' && events?.pool === focus.pool ? events : null,
      jobs: (focus.view === 'jobs' || focus.view === 'job') && jobs?.pool === focus.pool ? jobs : null,
    };
    const parts = Object.keys(kept) as (keyof typeof kept)[];
    if (parts.some(part => kept[part] !== this.#snapshot[part])) this.#publish(kept);
  }

  #allow(nowMs: number): void {
    const { commandsPerSecond, attendedCommandsPerSecond } = this.#options;
    const isAttended = nowMs - this.#attendedMs <= ATTENTION_MS;
    this.#cadence.allow(isAttended ? Math.max(commandsPerSecond, attendedCommandsPerSecond) : commandsPerSecond, nowMs);
  }

  #restMs(): number {
    const { attempts } = this.#snapshot.connection;
    if (this.#retryNow) return 0;
    if (this.#paused) return RETRY_MS.most;
    if (attempts > 0) return Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(attempts - 1, 10));
    if (this.#urgent.size > 0) return 0;
    const slowMs = this.#readingMs * (1 / BUSY_SHARE - 1);
    const nowMs = this.#clock.monotonicMs();
    this.#allow(nowMs);
    return Math.max(
      SHORTEST_REST_MS,
      slowMs,
      this.#cadence.waitMs(dutiesOf(this.#focus, this.#options.refreshMs), nowMs),
    );
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

/** Any other failure is of one part: a key of another type, a command that is not permitted. */
function isOutage(error: unknown): boolean {
  return error instanceof RedisUnavailableError || error instanceof TimeoutError || error instanceof ClosedError;
}
