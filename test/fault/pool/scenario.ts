/**
 * A fault test as data: a stage, what is done to it, and a bound for each figure. What must be so under every fault (no
 * overlap, nothing lost, tokens that only grow, the pool's invariants) is checked without being asked for.
 */
import { type LeaseTerms, leasePresets } from '../../../src/engine/pool/options.ts';
import { recordFigures, seeds } from '../report.ts';
import { judge, notesOf } from './checker.ts';
import { slowestDispatchMs, toldSince } from './dispatches.ts';
import { nowMs } from './journal.ts';
import { Stage, type StageOptions } from './stage.ts';

/** Short, so that the tests are; every wait and bound is derived from it. */
export const SHORT: LeaseTerms = { leaseMs: 1500, marginMs: 400, graceMs: 400, clampMs: 400, stopBudgetMs: 300 };
/** Renewed each second, for what must not cost a lease on a busy machine either. */
export const CALM: LeaseTerms = leasePresets.fast;

/** Most, or least and most. */
export type Bound = number | readonly [number, number];

export interface Scenario {
  /** What must hold: the name of the test. */
  name: string;
  fault: string;
  stage: Partial<StageOptions>;
  /** Changes for the run among the ordinary tests; without it the scenario is only a long test. */
  short?: Partial<StageOptions>;
  /** How often it is repeated unless asked otherwise. */
  usualRuns?: number;
  /** Resolves when the fault is over. What it gives are further figures. */
  inject(stage: Stage): Promise<Record<string, number>>;
  /** For `gapMs`, `runningGapMs`, `fences`, `restarts`, `mostRestarts`, and what `inject` gives. */
  bounds(options: StageOptions): Record<string, Bound>;
}

export interface Run {
  seed: number;
  figures: Record<string, number>;
  overlaps: number;
  lost: number;
  /** What broke; empty when everything held. */
  problems: string[];
  folder: string;
}

const DEFAULTS: StageOptions = {
  workers: 4,
  jobs: 300,
  lease: SHORT,
  tickMs: 50,
  settleMs: 200,
  jobsPerSecond: 0,
  notesPerSecond: 0,
  stopsPerSecond: 0,
  durableReplicas: 0,
  servers: 'one',
  shards: 1,
  redisArgs: [],
  steppedClock: false,
  relay: false,
  exec: false,
  isolate: false,
  wallAheadSeconds: 0,
  engine: undefined,
};

const USUAL_RUNS = 20;
/** What other processes of a busy machine may be late more than this one. */
const BUSY_MS = 130;
const SHOWN_PROBLEMS = 8;
const SHOWN_RECORDS = 4;
const MOST_BROKEN_RUNS = 3;

/** One run among the ordinary tests. Others may use the machine at the time: what it was late is allowed for. */
export async function playShort(scenario: Scenario): Promise<void> {
  const [seed] = seeds(1) as [number];
  const run = await play(scenario, { ...DEFAULTS, ...scenario.stage, ...scenario.short }, seed, true);
  if (run.problems.length > 0) throw new Error(describeRun(run));
}

/** As many runs as asked for, each with a seed of its own, and their figures for the report. */
export async function playLong(scenario: Scenario): Promise<void> {
  const runs: Run[] = [];
  const broken = () => runs.filter(({ problems }) => problems.length > 0);
  for (const seed of seeds(scenario.usualRuns ?? USUAL_RUNS)) {
    runs.push(await play(scenario, { ...DEFAULTS, ...scenario.stage }, seed, false));
    if (broken().length >= MOST_BROKEN_RUNS) break;
  }
  const sum = (of: (run: Run) => number) => runs.reduce((total, run) => total + of(run), 0);
  const worst = runs.reduce((a, b) => ((b.figures.gapMs ?? 0) > (a.figures.gapMs ?? 0) ? b : a));
  const names = [...new Set(runs.flatMap(({ figures }) => Object.keys(figures)))].filter(name => name !== 'gapMs');
  recordFigures({
    test: scenario.name,
    fault: scenario.fault,
    runs: runs.length,
    overlaps: sum(run => run.overlaps),
    lost: sum(run => run.lost),
    worstGapMs: worst.figures.gapMs ?? null,
    seed: worst.seed,
    more: Object.fromEntries(
      names.map(name => [name, Math.round(Math.max(...runs.map(run => run.figures[name] ?? 0)))]),
    ),
  });
  if (broken().length > 0) throw new Error(broken().map(describeRun).join('\n\n'));
}

async function play(scenario: Scenario, options: StageOptions, seed: number, busy: boolean): Promise<Run> {
  const stage = await Stage.open(options, seed);
  const { history } = stage;
  const problems: string[] = [];
  let more: Record<string, number> = {};
  let restMs = Number.NaN;
  const fromMs = nowMs();
  try {
    more = await scenario.inject(stage);
    const code = await stage.endLoad();
    if (code !== 0) problems.push(`a dispatcher ended with ${code}`);
    restMs = nowMs();
    await stage.untilAlive(restMs);
    if (options.notesPerSecond > 0) await untilHeard(stage);
    problems.push(...(await stage.violations()));
  } catch (error) {
    problems.push(String(error));
    if (restMs) problems.push(...(await stage.recordsOf(stage.silentSince(restMs).slice(0, SHOWN_RECORDS))));
  }
  const toMs = nowMs();
  await stage.close();
  history.read();
  const { excuses } = stage;
  const verdict = judge(history.events, { fromMs, restMs, toMs }, excuses);
  for (const found of ['overlaps', 'tokensBack', 'undispatched', 'missing', 'undead', 'notes'] as const) {
    problems.push(...verdict[found].map(what => `${found}: ${what}`));
  }
  for (const { jobs, detail } of history.find('failed')) {
    const [key = ''] = jobs?.[0] ?? [];
    if (!excuses.keys.has(key)) problems.push(`failed: ${key}: ${detail}`);
  }
  const restarts = [...verdict.restarts.values()];
  const slowestMs = slowestDispatchMs(history.events, fromMs);
  // Of what a flush may cost, what it did cost.
  const lostByFlush = history.silentSince(restMs).filter(key => excuses.keys.has(key)).length;
  const figures = {
    ...(excuses.keys.size > 0 ? { lostByFlush } : {}),
    gapMs: verdict.gap.ms,
    runningGapMs: verdict.runningGap.ms,
    fences: history.find('fenced', { fromMs }).length,
    restarts: restarts.reduce((a, b) => a + b, 0),
    mostRestarts: Math.max(0, ...restarts),
    lateMs: stage.lateMs,
    ...(slowestMs > 0 ? { slowestDispatchMs: slowestMs } : {}),
    ...toldSince(history.events, fromMs),
    ...more,
  };
  problems.push(...outOfBounds(figures, scenario.bounds(options), busy ? stage.lateMs + BUSY_MS : 0));
  if (problems.length === 0) await stage.removeHistory();
  const { overlaps, missing } = verdict;
  return { seed, figures, overlaps: overlaps.length, lost: missing.length, problems, folder: stage.fleet.folder };
}

async function untilHeard(stage: Stage): Promise<void> {
  const missing = ({ events }: Stage['history']) =>
    notesOf(events, stage.excuses).some(problem => problem.endsWith('never came'));
  await stage.until(history => !missing(history), 'every notification to come').catch(() => {});
}

function outOfBounds(figures: Record<string, number>, bounds: Record<string, Bound>, lateMs: number): string[] {
  return Object.entries(bounds).flatMap(([name, bound]) => {
    const [least, most] = typeof bound === 'number' ? [Number.NEGATIVE_INFINITY, bound] : bound;
    const figure = figures[name];
    if (figure !== undefined && figure >= least && figure <= most + (name.endsWith('Ms') ? lateMs : 0)) return [];
    return [`${name} is ${figure}, allowed: ${typeof bound === 'number' ? `${bound} or less` : bound.join(' to ')}`];
  });
}

function describeRun({ seed, problems, figures, folder }: Run): string {
  const more = problems.length > SHOWN_PROBLEMS ? [`and ${problems.length - SHOWN_PROBLEMS} more`] : [];
  return [
    `seed ${seed}, history in ${folder}`,
    JSON.stringify(figures),
    ...problems.slice(0, SHOWN_PROBLEMS),
    ...more,
  ].join('\n  ');
}
