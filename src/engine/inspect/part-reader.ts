/**
 * Reads the parts of a fleet snapshot, by name: a part, and after a colon what it is a part of. Holds what several
 * readings of one part add up to: rates, stalls, the records of jobs on screen.
 */
import type { Clock } from '../core/clock.ts';
import { NotFoundError } from '../core/errors.ts';
import type { FleetFocus, FleetJobs, FleetSnapshot } from './fleet.ts';
import { JobRecords } from './job-records.ts';
import { RateBoard } from './rates.ts';
import type { FleetReader } from './reader.ts';
import { StallWatch } from './stalls.ts';

const LEDGER_COUNT = 300;
const PENDING_COUNT = 200;
const TAIL_COUNT = 200;
const ENTRY_LIMIT = 1000;

type Changes = Partial<FleetSnapshot>;
type Present = () => FleetSnapshot;
type NamedPart = 'workers' | 'nodes' | 'sinks';

/** The pool's logical clock when it was read. */
interface PoolClock {
  pool: string;
  clocksUs: readonly number[];
  readMs: number;
}

export class PartReader {
  readonly #reader: FleetReader;
  readonly #clock: Clock;
  readonly #rates = new RateBoard();
  readonly #stalls = new StallWatch();
  readonly #records = new JobRecords();
  #focus: FleetFocus = { view: 'overview' };
  #poolClock: PoolClock = { pool: '', clocksUs: [], readMs: 0 };

  constructor(reader: FleetReader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  /** Says what is on screen from now on. */
  show(focus: FleetFocus): void {
    this.#focus = focus;
    if (focus.view === 'jobs') this.#records.show(focus.pool, focus.visible);
  }

  /** True when rows on screen have no record, or surely an old one. */
  missesRecords(jobs: FleetJobs | null): boolean {
    return this.#focus.view === 'jobs' && this.#records.missing(jobs).length > 0;
  }

  /**
   * Reads one part. `present` is asked for when it was read: other parts of the same reading may be in it by then.
   * `budget` is how many commands may be spent on what is not urgent.
   */
  async read(name: string, present: Present, budget: number): Promise<Changes> {
    const at = name.indexOf(':');
    const part = at < 0 ? name : name.slice(0, at);
    const of = at < 0 ? '' : name.slice(at + 1);
    switch (part) {
      case 'server':
        return this.#reader.server();
      case 'pools':
        return this.#takePools();
      case 'streams':
        return this.#takeStreams();
      case 'maps':
        return { maps: await this.#reader.maps() };
      case 'workers':
        return this.#takeOf('workers', present, of, this.#reader.workers(of));
      case 'nodes':
        return this.#takeOf('nodes', present, of, this.#reader.nodes(of));
      case 'sinks':
        return this.#takeOf('sinks', present, of, this.#reader.sinks(of));
      case 'events':
        return this.#takeEvents(of, present);
      case 'jobs':
        return this.#takeJobs(of, present, budget);
      case 'records':
        return this.#focus.view === 'jobs'
          ? this.#takeRecords(this.#focus.pool, this.#records.missing(present().jobs))
          : {};
      default:
        return this.#takeOpened();
    }
  }

  async #takePools(): Promise<Changes> {
    const { pools, staleWorkers, unwellWorkers } = await this.#reader.pools();
    const nowMs = this.#clock.monotonicMs();
    for (const pool of pools) this.#rates.note(`pool:${pool.name}`, pool.startedTotal, nowMs);
    this.#rates.keepOnly(
      'pool:',
      pools.map(pool => pool.name),
    );
    const stalledMs = this.#stalls.note(pools, nowMs);
    return { pools, staleWorkers, unwellWorkers, rates: this.#rates.read(), stalledMs };
  }

  async #takeStreams(): Promise<Changes> {
    const streams = await this.#reader.streams();
    const nowMs = this.#clock.monotonicMs();
    for (const stream of streams) this.#rates.note(`stream:${stream.name}`, stream.addedTotal, nowMs);
    this.#rates.keepOnly(
      'stream:',
      streams.map(stream => stream.name),
    );
    return { streams, rates: this.#rates.read() };
  }

  async #takeOf(
    part: NamedPart,
    present: Present,
    name: string,
    reading: Promise<readonly unknown[]>,
  ): Promise<Changes> {
    return this.#withPart(part, present, name, await orNothing(reading));
  }

  /** A part kept by name: the new rows beside those of the others, or without them when it is gone. */
  #withPart(part: NamedPart, present: Present, name: string, rows: readonly unknown[] | undefined): Changes {
    const next = new Map<string, readonly unknown[]>(present()[part]);
    if (rows) next.set(name, rows);
    else next.delete(name);
    return { [part]: next };
  }

  async #takeJobs(pool: string, present: Present, budget: number): Promise<Changes> {
    const reading = await orNothing(this.#reader.jobs(pool));
    if (!this.#shows(pool)) return {};
    if (reading) this.#poolClock = { pool, clocksUs: reading.clocksUs, readMs: this.#clock.monotonicMs() };
    const jobs = this.#records.read(pool, reading?.keys ?? []);
    const records = await this.#takeRecords(pool, this.#records.choose(jobs, budget));
    return { jobs, ...records, ...this.#withPart('workers', present, pool, reading?.workers) };
  }

  async #takeRecords(pool: string, keys: readonly string[]): Promise<Changes> {
    const { pool: clockOf, clocksUs, readMs } = this.#poolClock;
    if (keys.length === 0 || clockOf !== pool) return {};
    const sinceUs = (this.#clock.monotonicMs() - readMs) * 1000;
    const records = await this.#reader.records(
      pool,
      keys,
      clocksUs.map(clockUs => clockUs + sinceUs),
    );
    return this.#shows(pool) ? { jobs: this.#records.note(pool, keys, records, this.#clock.wallMs()) } : {};
  }

  /** False when the person went elsewhere while it was read. */
  #shows(pool: string): boolean {
    return this.#focus.view === 'jobs' && this.#focus.pool === pool;
  }

  async #takeEvents(pool: string, present: Present): Promise<Changes> {
    const { events } = present();
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

  async #takeOpened(): Promise<Changes> {
    const focus = this.#focus;
    const opened = await this.#readOpened(focus);
    return this.#focus === focus ? opened : {};
  }

  async #readOpened(focus: FleetFocus): Promise<Changes> {
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
      case 'tail': {
        const rows = (await orNothing(this.#reader.newestEvents(focus.stream, { count: TAIL_COUNT }))) ?? [];
        return { tail: { stream: focus.stream, rows } };
      }
      default:
        return {};
    }
  }
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
