/**
 * Acts for the schedules of a shard. Every node does, without a leader: each looks at what is due when the next tick
 * comes, a moment apart from the others, and the script that acts for a tick does it once. A schedule that cannot be
 * acted for is put off by itself, so that it stands in nobody's way.
 */
import { backoffMs } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import { PeriodicTask } from '../../core/periodic.ts';
import { decodeText } from '../../core/text.ts';
import { hash64 } from '../hash.ts';
import type { Membership } from '../membership.ts';
import { hasRoom } from '../placement.ts';
import type { RouteSource } from '../routes.ts';
import type { Shard } from '../shard.ts';
import { nextStep } from './misfire.ts';
import { type DueSchedule, ScheduleStore } from './store.ts';
import type { Ticks } from './ticks.ts';

export interface SchedulerOptions {
  shard: Shard;
  membership: Membership;
  routes: RouteSource;
  clock: Clock;
  random: () => number;
  /** Time between two looks when nothing is due and no hint comes. */
  intervalMs: number;
  onError: (error: unknown) => void;
}

/** Why a tick could not be acted for. */
interface Obstacle {
  reason: string;
  /** When that is over, where it is known. */
  leftMs?: number;
}

const PAGE = 50;
/** Bounds one look; the next one follows at once. */
const MAX_PAGES = 40;
/** Nodes look this far apart, so that mostly one of them acts. */
const SPREAD_MS = 15;
const RETRY = { baseMs: 200, maxMs: 60_000 };
const MAX_KNOWN = 1000;
const BROKEN: Obstacle = { reason: 'the record does not say what to dispatch' };

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #store: ScheduleStore;
  readonly #looking: PeriodicTask;
  /** By revision: a specification is read once. */
  readonly #ticks = new Map<string, Ticks>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: SchedulerOptions) {
    const { clock, random, intervalMs, onError } = options;
    this.#options = options;
    this.#store = new ScheduleStore(options.shard);
    this.#looking = new PeriodicTask(clock, { intervalMs, jitter: 0.1, random }, () => this.#look(), onError);
  }

  start(): void {
    this.#looking.start();
    this.#looking.poke();
  }

  /** Looks now: something may be due that was not before. */
  poke(): void {
    this.#looking.poke();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking.stop();
  }

  async #look(): Promise<void> {
    this.#timer?.cancel();
    for (let page = 0; page < MAX_PAGES && !this.#stopped; page++) {
      const { nowMs, nextMs, due } = await this.#store.due(PAGE, this.#options.random());
      if (due.length === 0) return this.#lookIn(nextMs);
      await Promise.all(due.map(schedule => this.#act(schedule, nowMs)));
    }
    this.#lookIn(0);
  }

  #lookIn(delayMs: number): void {
    const { clock, random, intervalMs } = this.#options;
    if (delayMs < 0 || delayMs >= intervalMs || this.#stopped) return;
    this.#timer = clock.after(delayMs + random() * SPREAD_MS, () => this.#looking.poke());
  }

  async #act(schedule: DueSchedule, nowMs: number): Promise<void> {
    let obstacle: Obstacle | undefined;
    try {
      obstacle = await this.#fire(schedule, nowMs);
    } catch (error) {
      this.#options.onError(error);
      obstacle = { reason: describeError(error) };
    }
    if (!obstacle) return;
    const { name, record } = schedule;
    const { random } = this.#options;
    const delayMs = obstacle.leftMs ?? backoffMs(record.failures + 1, { ...RETRY, random });
    await this.#store.defer(name, record, obstacle.reason, delayMs);
  }

  /** Gives what was in the way, if something was. */
  async #fire(schedule: DueSchedule, nowMs: number): Promise<Obstacle | undefined> {
    const { membership, routes, shard } = this.#options;
    const { nextMs, key, terms } = schedule.record;
    if (nextMs === undefined || key === undefined) return BROKEN;
    const step = nextStep(this.#ticksOf(schedule), nextMs, nowMs, terms);
    if (!step) return undefined;
    const group = routes.groupOf(decodeText(key));
    const seat = membership.placement.pick(hash64(key), group, hasRoom);
    const reply = await this.#store.fire(schedule, step, group, seat, membership.epoch);
    switch (reply.status) {
      case 'BROKEN':
        return BROKEN;
      case 'FULL':
        return { reason: `pool "${shard.pool}" holds ${reply.limit} jobs, its limit` };
      case 'CLOSED':
        return { reason: `pool "${shard.pool}" is closed: it takes no jobs` };
      case 'QUARANTINE':
        return { reason: `pool "${shard.pool}" is in quarantine: Redis lost something`, leftMs: reply.left_ms };
      default:
        return undefined;
    }
  }

  #ticksOf({ record }: DueSchedule): Ticks {
    const known = this.#ticks.get(record.revision);
    if (known) return known;
    const ticks = record.ticks();
    if (this.#ticks.size >= MAX_KNOWN) this.#ticks.clear();
    this.#ticks.set(record.revision, ticks);
    return ticks;
  }
}
