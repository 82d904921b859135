/** A rolling upgrade of a pool at work from one packed release to another one, and the way back. */
import { nodeOptions } from '../../../../src/engine/pool/options.ts';
import { judge } from '../checker.ts';
import type { FleetProcess } from '../fleet.ts';
import { nowMs } from '../journal.ts';
import { type Bound, CALM, type Scenario } from '../scenario.ts';
import { POOL, type Stage } from '../stage.ts';
import { countAdditions } from './later.ts';
import { type Answer, Operator } from './operator.ts';
import type { Release } from './releases.ts';

export interface Upgrade {
  /** Name of the test. */
  name: string;
  from: Release;
  to: Release;
  /** What `ponos pool upgrade` of `to` says while workers of both are there, and when all are of `to`. */
  raise: { mixed: Answer; whole: Answer };
  /** When `to` is a later release: how much of each kind its processes write that those of `from` do not know. */
  added?: Bound;
}

export function upgradeScenario({ name, from, to, raise, added }: Upgrade): Scenario {
  return {
    name,
    fault:
      `five workers, and one of the command line with --exec, go from ${from.name} to ${to.name} and back, one by one with ` +
      'SIGTERM, and on each way one of each dies by SIGKILL; half of 50 dispatches, 40 stops and 40 notifications a second come from each release',
    stage: {
      workers: 5,
      jobs: 60,
      jobsPerSecond: 25,
      stopsPerSecond: 20,
      notesPerSecond: 20,
      lease: CALM,
      tickMs: 100,
      engine: from.engine,
    },
    usualRuns: 3,
    async inject(stage) {
      const operator = new Operator(stage);
      await stage.startDispatcher({ engine: to.engine, keys: 'other-' });
      await operator.begin(from);
      const fleet = new MixedFleet(stage, operator, from);
      await fleet.roll(to, () => operator.planUpgrade(to, raise.mixed));
      await operator.planUpgrade(to, raise.whole);
      const additions = added === undefined ? {} : await countAdditions(stage.link, POOL);
      await operator.diagnose([from, to]);
      await fleet.roll(from, () => operator.planUpgrade(to, raise.mixed));
      await operator.diagnose([from, to]);
      return { ...fleet.figures, ...additions };
    },
    bounds: ({ lease }) => ({
      gapMs: lease.leaseMs + lease.graceMs + 1000,
      rollingGapMs: 1000,
      badExits: 0,
      fences: 0,
      slowestExitMs: nodeOptions.closeTimeoutMs.default,
      ...(added === undefined ? {} : { addedFields: added, addedEntries: added }),
    }),
  };
}

/** Workers of two releases. */
class MixedFleet {
  readonly figures = { rollingGapMs: 0, badExits: 0, slowestExitMs: 0 };
  readonly #stage: Stage;
  readonly #operator: Operator;
  readonly #releases = new Map<FleetProcess, Release>();

  constructor(stage: Stage, operator: Operator, release: Release) {
    this.#stage = stage;
    this.#operator = operator;
    for (const worker of stage.workers) this.#releases.set(worker, release);
  }

  /** Replaces every worker by one of `release`. On the way, while both work, one of each dies; then comes `meanwhile`. */
  async roll(release: Release, meanwhile: () => Promise<void>): Promise<void> {
    const leaving = [...this.#stage.workers];
    const half = leaving.splice(0, this.#stage.between(2, leaving.length - 2));
    await this.#inGoodOrder(() => this.#replace(half, release));
    await this.#crash(leaving.shift() as FleetProcess, release);
    const come = this.#stage.workers.find(worker => this.#releases.get(worker) === release);
    await this.#crash(come as FleetProcess, release);
    await meanwhile();
    await this.#inGoodOrder(async () => {
      if ((await this.#operator.replaceWorker(release)) !== 0) this.figures.badExits++;
      await this.#replace(leaving, release);
    });
  }

  /** One after the other. */
  async #replace(workers: readonly FleetProcess[], release: Release): Promise<void> {
    const stage = this.#stage;
    const { figures } = this;
    for (const worker of workers) {
      await this.#start(release);
      const askedMs = nowMs();
      if ((await stage.end(worker)) !== 0) figures.badExits++;
      figures.slowestExitMs = Math.max(figures.slowestExitMs, nowMs() - askedMs);
      await stage.last(stage.between(100, 400));
    }
  }

  /** Nobody dies meanwhile. */
  async #inGoodOrder(work: () => Promise<void>): Promise<void> {
    const fromMs = nowMs();
    await work();
    const { gap } = judge(this.#stage.history.read().events, { fromMs, restMs: Number.NaN, toMs: nowMs() });
    this.figures.rollingGapMs = Math.max(this.figures.rollingGapMs, gap.ms);
  }

  async #crash(worker: FleetProcess, release: Release): Promise<void> {
    await this.#stage.kill(worker);
    await this.#stage.untilAlive(nowMs());
    await this.#start(release);
  }

  async #start(release: Release): Promise<void> {
    this.#releases.set(await this.#stage.startWorker({ engine: release.engine }), release);
  }
}
